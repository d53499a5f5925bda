//! Rewrites tool call ids to a provider's rules for length, characters and uniqueness. A result
//! keeps the id of its call.

use std::collections::{HashMap, HashSet, VecDeque};

use crate::profile::CallIdRule;

/// The alphabet of derived ids.
const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// The length of a derived id if the rule does not fix it.
const DERIVED_LENGTH: usize = 32;

/// The ids of one conversation, in order.
pub(crate) struct CallIdMap {
    rule: CallIdRule,
    /// The sent ids by original id, for the last message that used it.
    sent: HashMap<String, Sent>,
    used: HashSet<String>,
}

/// The ids of the calls of one message that share an original id.
struct Sent {
    message: usize,
    ids: VecDeque<String>,
}

impl CallIdMap {
    pub(crate) fn new(rule: CallIdRule) -> Self {
        Self {
            rule,
            sent: HashMap::new(),
            used: HashSet::new(),
        }
    }

    /// The id to send for a call of the message at this position.
    pub(crate) fn of_call(&mut self, message: usize, id: &str) -> String {
        let mut sent = if fits(self.rule, id) {
            id.to_owned()
        } else {
            replace(self.rule, id)
        };
        let mut number = 1;
        while self.rule.unique && self.used.contains(&sent) {
            sent = derive(self.rule, id, number);
            number += 1;
        }
        self.used.insert(sent.clone());
        let entry = self.sent.entry(id.to_owned()).or_insert_with(|| Sent {
            message,
            ids: VecDeque::new(),
        });
        if entry.message != message {
            entry.message = message;
            entry.ids.clear();
        }
        entry.ids.push_back(sent.clone());
        sent
    }

    /// The id to send for a result. Results of calls with the same original id are matched in the
    /// order of the calls.
    pub(crate) fn of_result(&mut self, id: &str) -> String {
        let sent = self.sent.get_mut(id).and_then(|sent| {
            let is_last = sent.ids.len() == 1;
            if is_last {
                sent.ids.front().cloned()
            } else {
                sent.ids.pop_front()
            }
        });
        match sent {
            Some(sent) => sent,
            None if fits(self.rule, id) => id.to_owned(),
            None => replace(self.rule, id),
        }
    }
}

/// Whether an id satisfies the rule.
pub(crate) fn fits(rule: CallIdRule, id: &str) -> bool {
    let is_long_enough = rule
        .length
        .is_none_or(|(min, max)| (min..=max).contains(&id.chars().count()));
    let is_plain = rule.beside_alphanumeric.is_none_or(|others| {
        id.chars()
            .all(|c| c.is_ascii_alphanumeric() || others.contains(c))
    });
    is_long_enough && is_plain
}

/// A replacement for an id that violates the rule: disallowed characters become `_` if that
/// suffices, so that logs stay readable.
fn replace(rule: CallIdRule, id: &str) -> String {
    let others = rule.beside_alphanumeric.unwrap_or_default();
    let plain: String = id
        .chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() || others.contains(c) {
                c
            } else {
                '_'
            }
        })
        .collect();
    if fits(rule, &plain) {
        plain
    } else {
        derive(rule, id, 0)
    }
}

/// Derives an id that satisfies the rule, deterministic for id and number.
fn derive(rule: CallIdRule, id: &str, number: u32) -> String {
    let max = rule.length.map_or(DERIVED_LENGTH, |(_, max)| max);
    let mut seed = fnv(format!("{number}:{id}").as_bytes());
    let mut derived = String::with_capacity(max.min(DERIVED_LENGTH));
    for _ in 0..max.min(DERIVED_LENGTH) {
        // SplitMix64, one step per character.
        seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = (seed ^ (seed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let digit = usize::try_from((mixed ^ (mixed >> 31)) % 62).unwrap_or(0);
        derived.push(char::from(DIGITS.get(digit).copied().unwrap_or(b'0')));
    }
    derived
}

fn fnv(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NINE: CallIdRule = CallIdRule {
        length: Some((9, 9)),
        beside_alphanumeric: Some(""),
        unique: true,
    };

    #[test]
    fn valid_ids_are_kept_and_others_are_derived_deterministically() {
        let mut ids = CallIdMap::new(NINE);
        assert_eq!(ids.of_call(0, "abcDEF123"), "abcDEF123");
        let derived = ids.of_call(0, "call_0123456789");
        assert!(fits(NINE, &derived), "{derived}");
        assert_eq!(ids.of_result("call_0123456789"), derived);
        assert_eq!(CallIdMap::new(NINE).of_call(0, "call_0123456789"), derived);
    }

    #[test]
    fn repeated_ids_are_made_unique_with_their_results() {
        let mut ids = CallIdMap::new(NINE);
        assert_eq!(ids.of_call(0, "abcDEF123"), "abcDEF123");
        assert_eq!(ids.of_result("abcDEF123"), "abcDEF123");
        let second = ids.of_call(2, "abcDEF123");
        let third = ids.of_call(2, "abcDEF123");
        assert!(second != "abcDEF123" && second != third);
        assert_eq!(ids.of_result("abcDEF123"), second);
        assert_eq!(ids.of_result("abcDEF123"), third);
    }

    #[test]
    fn without_a_rule_ids_are_unchanged() {
        let mut ids = CallIdMap::new(CallIdRule::ANY);
        for id in ["", "a b", &"x".repeat(100), "call_0", "call_0"] {
            assert_eq!(ids.of_call(0, id), id);
        }
    }
}
