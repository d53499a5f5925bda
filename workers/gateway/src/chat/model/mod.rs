//! The values that the steps of a request pass on. Data only: no step, no I/O, no HTTP.

pub mod answer_format;
pub mod answered;
pub mod call;
pub mod commit_failure;
pub mod continuation;
pub mod idempotency;
pub mod outcome;
pub mod output_growth;
pub mod pending_turn;
pub mod session;
pub mod turn;

pub use answer_format::AnswerFormat;
pub use answered::Answered;
pub use call::{CallFailure, CallTrace, OpenStream};
pub use idempotency::{IdempotencyClaim, IdempotencyKey};
pub use outcome::{CommittedTurn, Outcome, ToolRounds};
pub use pending_turn::{Admission, PendingTurn};
pub use session::{Conversation, DroppedHistory, OpenSession, session_not_found};
pub use turn::{Reservation, ResponseNotes, Turn, TurnIdentity, TurnTools};
