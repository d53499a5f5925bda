//! The parts of a profile.

use clawless_core::llm::ProviderKind;

/// The wire of one provider.
#[derive(Debug, PartialEq, Eq)]
pub struct Profile {
    /// The name in the configuration.
    pub name: &'static str,
    /// The provider's display name.
    pub title: &'static str,
    /// Its wire.
    pub kind: ProviderKind,
    /// Hosts that select it. A leading dot is a suffix match.
    pub hosts: &'static [&'static str],
    /// The parameter for the output limit.
    pub output_limit: OutputLimit,
    /// Whether the usage of a stream must be requested.
    pub stream_usage: StreamUsage,
    /// Message rules.
    pub messages: MessageRules,
    /// Tool rules.
    pub tools: ToolRules,
    /// Parameters beyond `OpenAI`'s that are passed through. None changes price, model,
    /// destination or the number of answers.
    pub passes: &'static [&'static str],
    /// Parameters that the provider rejects and that can be omitted safely.
    pub drops: &'static [&'static str],
    /// Parameters of `OpenAI`'s that the provider knows under another name, which `passes` has, too.
    pub renames: &'static [(&'static str, &'static str)],
    /// Whether models may reason without returning reasoning text.
    pub hidden_reasoning: bool,
    /// Multipliers of the timeouts.
    pub timeout_factors: TimeoutFactors,
}

/// The parameter for the output limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutputLimit {
    /// The name that the client used.
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

/// Message rules.
#[derive(Debug, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools, reason = "independent rules")]
pub struct MessageRules {
    /// Whether the conversation may have only one system message, at its start.
    pub one_system: bool,
    /// Whether the role `developer` is supported; else it is sent as `system`.
    pub developer: bool,
    /// Whether members that the wire does not define are rejected.
    pub strict: bool,
    /// Members of assistant messages and their tool calls that are replayed to the provider.
    pub replay: &'static [&'static str],
    /// When they are replayed.
    pub replay_when: Replay,
    /// Whether an assistant message with tool calls is rejected without `reasoning_content` while the
    /// model thinks. An empty one is added then.
    pub requires_reasoning: bool,
    /// The format of tool call ids.
    pub call_ids: CallIdRule,
    /// Supported media.
    pub media: Media,
    /// Whether models return reasoning without a signature, and get it back as they sent it.
    pub unsigned_thinking: bool,
    /// Whether prompt cache marks (`cache_control`) are understood or ignored; else they are removed.
    pub cache_marks: bool,
}

/// When provider-specific members are replayed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replay {
    /// Within the chain of tool calls since the last user message.
    InChain,
    /// In the chain, and in all earlier turns with tool calls.
    WithCalls,
    /// In the whole conversation.
    Always,
}

/// The format of tool call ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CallIdRule {
    /// Minimum and maximum length in characters; any length if absent.
    pub length: Option<(usize, usize)>,
    /// Allowed characters besides ASCII letters and digits; any character if absent.
    pub beside_alphanumeric: Option<&'static str>,
    /// Whether an id must be unique in a conversation.
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

/// Supported media. The provider validates the content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools, reason = "one for each medium")]
pub struct Media {
    /// `image_url`.
    pub images: bool,
    /// `input_audio`.
    pub audio: bool,
    /// `file`.
    pub files: bool,
    /// `document_url`.
    pub documents: bool,
    /// `video_url`, `audio_url` and parts of types that are not known here.
    pub video: bool,
}

/// Tool rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ToolRules {
    /// The maximum number of tools; unlimited if absent.
    pub max: Option<usize>,
    /// The format of tool names; any if absent.
    pub names: Option<NameRule>,
}

/// The format of tool names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NameRule {
    /// The maximum length in characters.
    pub max: usize,
    /// Allowed characters besides ASCII letters and digits.
    pub beside_alphanumeric: &'static str,
}

impl NameRule {
    /// Whether a tool name is valid.
    pub fn allows(self, name: &str) -> bool {
        (1..=self.max).contains(&name.len())
            && name
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || self.beside_alphanumeric.contains(c))
    }
}

/// Multipliers of the deployment's timeouts. Reasoning models extend them further
/// ([`Profile::timeout_factors`]).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeoutFactors {
    /// Until the first event.
    pub first_byte: u32,
    /// Between two events.
    pub idle: u32,
}
