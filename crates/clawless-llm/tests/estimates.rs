//! The accuracy of token estimates, over texts in many languages, code and data.
//!
//! `estimates/counts.json` has the true counts: `small` for `SmolLM2`'s vocabulary, which the local
//! model's tests verify with its tokenizer, and `large` for `Qwen2.5`'s, counted once manually with
//! the `tokenizers` package and the vocabulary of a GGUF file.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "what is not as expected must stop the test"
)]

use std::collections::BTreeMap;
use std::path::Path;

use clawless_core::llm::LlmProvider;
use clawless_core::{Message, Role};
use clawless_llm::vocabulary::Vocabulary;

#[derive(serde::Deserialize)]
struct Counts {
    small: u64,
    large: u64,
}

/// Each text with its name and its true counts.
fn texts() -> Vec<(String, String, Counts)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/estimates");
    let read = |name: &str| std::fs::read_to_string(folder.join(name)).expect("a file");
    let counts: BTreeMap<String, Counts> =
        serde_json::from_str(&read("counts.json")).expect("counts");
    let texts = counts.into_iter().map(|(name, counts)| {
        let text = read(&name);
        (name, text, counts)
    });
    texts.collect()
}

#[test]
fn estimates_are_within_their_bounds() {
    let texts = texts();
    assert!(texts.len() >= 15);
    for (name, text, counts) in &texts {
        for (vocabulary, truth) in [
            (Vocabulary::Small, counts.small),
            (Vocabulary::Large, counts.large),
        ] {
            let estimate = vocabulary.of_text(text).get();
            assert!(
                4 * truth <= 5 * estimate && estimate <= 2 * truth,
                "{name}, {vocabulary:?}: {estimate} for {truth}"
            );
        }
    }
}

#[test]
fn a_message_counts_its_text_and_delimiters() {
    for (_, text, _) in texts() {
        let message = Message::text(Role::User, &text).expect("a message");
        let alone = Vocabulary::Large.of_text(&text).get();
        let whole = Vocabulary::Large.of_messages(&[message]).get();
        assert!((alone + 3..=alone + 5).contains(&whole), "{alone} {whole}");
    }
}

#[test]
fn only_known_providers_use_the_large_vocabulary() {
    let of = |kind: &str, base_url: &str| {
        let provider = format!(r#"{{"name":"it","kind":"{kind}","base_url":"{base_url}"}}"#);
        let provider: LlmProvider = serde_json::from_str(&provider).expect("a provider");
        Vocabulary::of(&provider)
    };
    let openai = "https://api.openai.com/v1";
    assert_eq!(of("openai", openai), Vocabulary::Large);
    let proxy = "https://anthropic.example/v1";
    assert_eq!(of("anthropic", proxy), Vocabulary::Large);
    for other in [
        "http://127.0.0.1:8790/v1",
        "https://api.openai.com.example/v1",
    ] {
        assert_eq!(of("openai", other), Vocabulary::Small);
    }
}
