//! Stop strings: text is released only when it can no longer be the start of one.

/// The text that a push releases.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Released {
    pub(crate) text: String,
    /// A stop string was completed: nothing may follow.
    pub(crate) stopped: bool,
}

/// Holds back the end of the text while it may belong to a stop string.
#[derive(Debug)]
pub(crate) struct StopHolder {
    stops: Vec<String>,
    held: String,
}

impl StopHolder {
    /// Empty stop strings are ignored.
    pub(crate) fn new(stops: &[String]) -> Self {
        Self {
            stops: stops.iter().filter(|s| !s.is_empty()).cloned().collect(),
            held: String::new(),
        }
    }

    /// Adds text and returns the part that is safe to send. The stop string itself is never released.
    pub(crate) fn push(&mut self, text: &str) -> Released {
        self.held.push_str(text);
        let first = self.stops.iter().filter_map(|s| self.held.find(s)).min();
        if let Some(at) = first {
            let mut text = std::mem::take(&mut self.held);
            text.truncate(at);
            return Released {
                text,
                stopped: true,
            };
        }
        let keep = self
            .stops
            .iter()
            .map(|stop| overlap(&self.held, stop))
            .max()
            .unwrap_or(0);
        let tail = self.held.split_off(self.held.len() - keep);
        Released {
            text: std::mem::replace(&mut self.held, tail),
            stopped: false,
        }
    }

    /// Releases the held text at the end of an answer without a stop string.
    pub(crate) fn finish(&mut self) -> String {
        std::mem::take(&mut self.held)
    }
}

/// The number of bytes at the end of `text` that are the start of `pattern`.
pub(crate) fn overlap(text: &str, pattern: &str) -> usize {
    pattern
        .char_indices()
        .map(|(at, _)| at)
        .rev()
        .find(|at| {
            pattern
                .get(..*at)
                .is_some_and(|begin| text.ends_with(begin))
        })
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holder(stops: &[&str]) -> StopHolder {
        StopHolder::new(&stops.iter().map(ToString::to_string).collect::<Vec<_>>())
    }

    fn released(text: &str, stopped: bool) -> Released {
        Released {
            text: text.into(),
            stopped,
        }
    }

    #[test]
    fn without_stop_strings_nothing_is_held() {
        let mut holder = holder(&[]);
        assert_eq!(holder.push("abc"), released("abc", false));
        assert_eq!(holder.finish(), "");
    }

    #[test]
    fn a_partial_stop_string_is_held_and_released_when_it_does_not_complete() {
        let mut holder = holder(&["END"]);
        assert_eq!(holder.push("the E"), released("the ", false));
        assert_eq!(holder.push("N"), released("", false));
        assert_eq!(holder.push("emy"), released("ENemy", false));
    }

    #[test]
    fn a_stop_string_over_several_tokens_ends_the_text_before_it() {
        let mut holder = holder(&["\n\n", "END"]);
        assert_eq!(holder.push("a\n"), released("a", false));
        assert_eq!(holder.push("b E"), released("\nb ", false));
        assert_eq!(holder.push("ND and more"), released("", true));
    }

    #[test]
    fn the_earliest_of_several_wins() {
        assert_eq!(holder(&["cd", "b"]).push("abcd"), released("a", true));
    }

    #[test]
    fn held_text_is_released_at_the_end() {
        let mut holder = holder(&["END"]);
        holder.push("xEN");
        assert_eq!(holder.finish(), "EN");
    }

    #[test]
    fn characters_of_several_bytes_are_never_cut() {
        let mut holder = holder(&["é!"]);
        assert_eq!(holder.push("caf"), released("caf", false));
        assert_eq!(holder.push("é"), released("", false));
        assert_eq!(holder.push("é?"), released("éé?", false));
    }

    #[test]
    fn a_repeated_beginning_keeps_only_the_longest_end() {
        let mut holder = holder(&["aab"]);
        assert_eq!(holder.push("aaaa"), released("aa", false));
        assert_eq!(holder.push("b"), released("", true));
    }
}
