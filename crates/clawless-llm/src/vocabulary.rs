//! Token estimates for context-window checks, by provider.
//!
//! More precise than [`crate::tokens`], because a window must not be exceeded. For texts in 12
//! languages, code, JSON and ids (`tests/estimates`), the true count is at most 25 % above the
//! estimate and at least half of it. Reference vocabularies are `SmolLM2`'s (49,152 tokens) for
//! [`Vocabulary::Small`] and `Qwen2.5`'s (151,936) for [`Vocabulary::Large`].

use clawless_core::llm::{LlmProvider, ProviderKind};
use clawless_core::{Message, Tokens};

use crate::tokens::message;

/// The unit of weights: fractions of a token.
const EIGHTHS: u64 = 8;

/// The base URL of `OpenAI`'s own API.
const OPENAI: &str = "https://api.openai.com/";

/// The size of a model's vocabulary, by its provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Vocabulary {
    /// Over 100,000 multilingual tokens: `OpenAI`, Anthropic.
    Large,
    /// Possibly under 50,000 tokens, mostly English: all other servers.
    Small,
}

impl Vocabulary {
    /// The vocabulary of a provider's models.
    pub fn of(provider: &LlmProvider) -> Self {
        match provider.kind {
            ProviderKind::Anthropic => Self::Large,
            ProviderKind::OpenAi if provider.base_url.starts_with(OPENAI) => Self::Large,
            ProviderKind::OpenAi | ProviderKind::WorkersAi => Self::Small,
        }
    }

    /// The tokens of a text.
    pub fn of_text(self, text: &str) -> Tokens {
        Tokens::new(self.eighths(text).div_ceil(EIGHTHS))
    }

    /// The tokens of messages.
    pub fn of_messages(self, messages: &[Message]) -> Tokens {
        let weight = |text: &str| self.eighths(text);
        let messages = messages.iter().map(|it| message(it, EIGHTHS, weight));
        Tokens::new(messages.sum::<u64>().div_ceil(EIGHTHS))
    }

    fn eighths(self, text: &str) -> u64 {
        text.chars().map(|c| self.weight(c)).sum()
    }

    const fn weight(self, c: char) -> u64 {
        let is_small = matches!(self, Self::Small);
        let (large, small) = match c {
            'a'..='z' | ' ' => (2, 3),
            'A'..='Z' => (4, 5),
            '0'..='9' => (8, 8),
            '\0'..='\x7f' => (4, 4),
            // Latin letters beyond ASCII, Greek.
            ..='\u{3ff}' | '\u{1e00}'..='\u{1fff}' => (8, 8),
            // Cyrillic.
            ..='\u{52f}' => (4, 8),
            // Armenian, Hebrew, Arabic.
            ..='\u{8ff}' => (4, 9),
            '\u{1100}'..='\u{11ff}' | '\u{ac00}'..='\u{d7ff}' => (8, 20),
            // The scripts of India.
            ..='\u{dff}' => (8, 12),
            // Thai to Mongolian.
            ..='\u{17ff}' => (6, 16),
            // Symbols, kana, CJK.
            ..='\u{ffff}' => (8, 16),
            _ => (16, 24),
        };
        if is_small { small } else { large }
    }
}
