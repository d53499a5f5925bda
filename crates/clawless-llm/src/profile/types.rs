//! The parts of a profile.

use clawless_core::llm::ProviderKind;

/// The wire of one provider.
#[derive(Debug, PartialEq, Eq)]
pub struct Profile {
    /// The name in the configuration.
    pub name: &'static str,
    /// The provider's own name.
    pub title: &'static str,
    /// The wire that it speaks.
    pub kind: ProviderKind,
    /// Hosts that select it. One that begins with a dot matches every host that ends so.
    pub hosts: &'static [&'static str],
    /// The name of the longest answer.
    pub output_limit: OutputLimit,
    /// Whether the usage of a stream must be requested.
    pub stream_usage: StreamUsage,
    /// What a conversation may hold.
    pub messages: MessageRules,
    /// What a request may offer.
    pub tools: ToolRules,
    /// Parameters beyond `OpenAI`'s that are passed through. None changes price, model,
    /// destination or the number of answers.
    pub passes: &'static [&'static str],
    /// Parameters that the provider refuses, and that do no harm where they are left out.
    pub drops: &'static [&'static str],
    /// Whether models may think without a word of it in the answer.
    pub hidden_reasoning: bool,
    /// How patient a caller must be.
    pub patience: Patience,
}

/// The parameter that holds the longest answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutputLimit {
    /// The client's own choice of the two names.
    AsSent,
    /// `max_tokens`.
    MaxTokens,
    /// `max_completion_tokens`.
    MaxCompletionTokens,
}

/// How a stream reports its usage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StreamUsage {
    /// On request: `stream_options.include_usage`.
    Requested,
    /// Always. `stream_options` may be unknown and is not sent.
    Always,
}

/// What a conversation may hold.
#[derive(Debug, PartialEq, Eq)]
pub struct MessageRules {
    /// Whether the conversation has one system message at most, at its front.
    pub one_system: bool,
    /// Whether the role `developer` is known; else it is sent as `system`.
    pub developer: bool,
    /// Whether members that the wire does not define are refused.
    pub strict: bool,
    /// Members of assistant messages, and of tool calls in them, that go back to the provider.
    pub replay: &'static [&'static str],
    /// When they go back.
    pub replay_when: Replay,
    /// What ids of tool calls may look like.
    pub call_ids: CallIdRule,
    /// Media that a message may hold.
    pub media: Media,
}

/// When a provider takes its own members back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replay {
    /// Within the chain of tool calls since the last user message.
    InChain,
    /// In the whole conversation.
    Always,
}

/// What ids of tool calls may look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CallIdRule {
    /// The shortest and the longest id, in characters; any length where absent.
    pub length: Option<(usize, usize)>,
    /// The characters beside ASCII letters and digits; any character where absent.
    pub beside_alphanumeric: Option<&'static str>,
    /// Whether an id may be used once in a conversation only.
    pub unique: bool,
}

impl CallIdRule {
    /// Any text, any number of times.
    pub const ANY: Self = Self {
        length: None,
        beside_alphanumeric: None,
        unique: false,
    };
}

/// Media that a message may hold. The bytes of every medium are the provider's to check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools, reason = "one for each medium")]
pub struct Media {
    /// `image_url`.
    pub images: bool,
    /// `input_audio`.
    pub audio: bool,
    /// `file`.
    pub files: bool,
    /// `video_url` and `audio_url`.
    pub video: bool,
}

/// What a request may offer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ToolRules {
    /// The most tools; any number where absent.
    pub max: Option<usize>,
    /// The names of tools; any where absent.
    pub names: Option<NameRule>,
}

/// What the name of a tool may look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NameRule {
    /// The longest name, in characters.
    pub max: usize,
    /// The characters beside ASCII letters and digits.
    pub beside_alphanumeric: &'static str,
}

impl NameRule {
    /// Whether a tool may have this name.
    pub fn allows(self, name: &str) -> bool {
        (1..=self.max).contains(&name.len())
            && name
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || self.beside_alphanumeric.contains(c))
    }
}

/// How many times longer than the deployment's timeouts a provider may be silent. A model that
/// thinks is waited for longer still ([`Profile::patience`]).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// Before the first event.
    pub first_byte: u32,
    /// Between two events.
    pub idle: u32,
}
