//! The request classifier: a small learned model, deterministic and in microseconds.
//!
//! A multinomial logistic regression over hashed n-grams and structural signals. `clawless-classifier`
//! trains it from `data/requests/` and writes `data/classifier.bin`. A wrong class selects a more or
//! less capable model, with no other effect.

mod features;
mod signals;
mod split;
mod weights;

pub use features::{BUCKETS, RequestText, extract};
pub use weights::{CLASSES, HEADER_BYTES, TABLE_BYTES};

use super::query_class::QueryClass;
use crate::chat::{Content, Message, MessageView, Part, Role};

/// Probability from which a request counts as simple. Above one half, since a hard request on the
/// small model is the worse mistake. Chosen by cross-validation on the training rows (docs/models.md).
pub const SIMPLE_THRESHOLD: f32 = 0.5;

/// The class of a request and the model's probability for it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Classification {
    /// The class.
    pub class: QueryClass,
    /// Its probability, from 0 to 1. 1 for [`QueryClass::Vision`], which is not estimated.
    pub probability: f32,
}

/// A tenant's rules for the classifier.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ClassifierRules<'a> {
    /// Probability from which a request counts as simple, from 0 to 1.
    pub simple_threshold: f32,
    /// Classes that are not used. Their requests get the most probable other class.
    pub off: &'a [QueryClass],
}

impl Default for ClassifierRules<'_> {
    fn default() -> Self {
        Self {
            simple_threshold: SIMPLE_THRESHOLD,
            off: &[],
        }
    }
}

/// The probability of each text class, in the order of [`QueryClass::TEXT`].
pub fn probabilities(request: &RequestText<'_>) -> [f32; CLASSES] {
    let mut scores = weights::Scores::new();
    extract(request, &mut |bucket, value| scores.add(bucket, value));
    scores.probabilities()
}

/// Classifies a request without images.
pub fn classify_text(request: &RequestText<'_>, rules: ClassifierRules<'_>) -> Classification {
    decide(probabilities(request), rules)
}

/// The class for these probabilities: simple from the threshold on, else the more probable hard class.
pub fn decide(probabilities: [f32; CLASSES], rules: ClassifierRules<'_>) -> Classification {
    let all = QueryClass::TEXT.into_iter().zip(probabilities);
    let mut simple = None;
    let mut hard: Option<Classification> = None;
    for (class, probability) in all.filter(|(class, _)| !rules.off.contains(class)) {
        let found = Classification { class, probability };
        if class == QueryClass::Simple {
            simple = Some(found);
        } else if hard.is_none_or(|best| best.probability < probability) {
            hard = Some(found);
        }
    }
    match (simple, hard) {
        (Some(simple), Some(_)) if simple.probability >= rules.simple_threshold => simple,
        (_, Some(hard)) => hard,
        (Some(simple), None) => simple,
        (None, None) => Classification {
            class: QueryClass::Complex,
            probability: 1.0,
        },
    }
}

/// Classifies a conversation by its last user message and its context. A message with an image is
/// [`QueryClass::Vision`] unless that class is off.
pub fn classify(
    messages: &[Message],
    has_tools: bool,
    rules: ClassifierRules<'_>,
) -> Classification {
    let at = messages.iter().rposition(|it| it.role() == Role::User);
    let view = at.and_then(|at| messages.get(at)?.view().ok());
    let Some((at, view)) = at.zip(view) else {
        return classify_text(&RequestText::default(), rules);
    };
    if has_image(&view) && !rules.off.contains(&QueryClass::Vision) {
        return Classification {
            class: QueryClass::Vision,
            probability: 1.0,
        };
    }
    let is_system = |it: &&Message| matches!(it.role(), Role::System | Role::Developer);
    let system = messages.iter().find(is_system);
    let system = system.and_then(|message| message.view().ok());
    let system = system.as_ref().map(text_of).unwrap_or_default();
    let earlier = messages.iter().take(at).filter(|it| !is_system(it));
    let request = RequestText {
        text: &text_of(&view),
        system: &system,
        earlier_messages: earlier.count(),
        has_tools,
    };
    classify_text(&request, rules)
}

fn text_of(view: &MessageView) -> String {
    let texts: Vec<&str> = view.content.iter().flat_map(Content::texts).collect();
    texts.join("\n")
}

fn has_image(view: &MessageView) -> bool {
    match &view.content {
        Some(Content::Parts(parts)) => parts.iter().any(|it| matches!(it, Part::Image(_))),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hard_request_needs_less_evidence_than_a_simple_one() {
        let rules = ClassifierRules {
            simple_threshold: 0.7,
            off: &[],
        };
        let class = |probabilities| decide(probabilities, rules).class;
        assert_eq!(class([0.8, 0.1, 0.1]), QueryClass::Simple);
        assert_eq!(class([0.6, 0.3, 0.1]), QueryClass::Complex);
        assert_eq!(class([0.6, 0.1, 0.3]), QueryClass::Code);
    }

    #[test]
    fn a_class_that_is_off_is_never_the_result() {
        let class = |off: &[QueryClass], probabilities| {
            let rules = ClassifierRules {
                off,
                ..ClassifierRules::default()
            };
            decide(probabilities, rules).class
        };
        assert_eq!(
            class(&[QueryClass::Simple], [0.9, 0.0, 0.1]),
            QueryClass::Code
        );
        assert_eq!(
            class(&[QueryClass::Code], [0.1, 0.2, 0.7]),
            QueryClass::Complex
        );
        let hard = [QueryClass::Complex, QueryClass::Code];
        assert_eq!(class(&hard, [0.1, 0.2, 0.7]), QueryClass::Simple);
        assert_eq!(
            class(&QueryClass::TEXT, [0.1, 0.2, 0.7]),
            QueryClass::Complex
        );
    }

    #[test]
    fn every_text_has_a_class_and_probabilities_that_sum_to_one() {
        let long = "\u{6f22}".repeat(10_000);
        for text in ["", " ", "\u{0}", "?", &"x".repeat(1 << 20), &long] {
            let request = RequestText {
                text,
                ..RequestText::default()
            };
            let sum: f32 = probabilities(&request).iter().sum();
            assert!((sum - 1.0).abs() < 1e-5, "{sum}");
        }
        assert!(classify(&[], false, ClassifierRules::default()).probability > 0.0);
    }
}
