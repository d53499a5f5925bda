//! The ledger's promises, one by one: the attacks on money and the faults of clocks and alarms.

mod stories;
