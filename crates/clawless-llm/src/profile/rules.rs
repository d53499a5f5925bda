//! Rules that several profiles share.

use super::types::{CallIdRule, Media, MessageRules, NameRule, Replay, TimeoutFactors, ToolRules};

/// `OpenAI`'s rule for tool names.
pub(super) const PLAIN_NAMES: NameRule = NameRule {
    max: 64,
    beside_alphanumeric: "_-",
};

pub(super) const TEXT: Media = Media {
    images: false,
    audio: false,
    files: false,
    documents: false,
    video: false,
};
pub(super) const IMAGES: Media = Media {
    images: true,
    ..TEXT
};
pub(super) const AUDIO: Media = Media {
    audio: true,
    ..IMAGES
};
pub(super) const FILES: Media = Media {
    files: true,
    ..AUDIO
};
/// Mistral's media.
pub(super) const DOCUMENTS: Media = Media {
    documents: true,
    ..AUDIO
};
pub(super) const ALL: Media = Media {
    documents: true,
    video: true,
    ..FILES
};

pub(super) const ANY_TOOLS: ToolRules = ToolRules {
    max: None,
    names: None,
};
pub(super) const PLAIN_TOOLS: ToolRules = ToolRules {
    max: Some(128),
    names: Some(PLAIN_NAMES),
};

/// Servers that respond immediately.
pub(super) const PROMPT: TimeoutFactors = TimeoutFactors {
    first_byte: 1,
    idle: 1,
};
/// Servers of which nothing is known: their models may reason, or be loaded on demand.
pub(super) const UNKNOWN: TimeoutFactors = TimeoutFactors {
    first_byte: 4,
    idle: 4,
};
/// Servers that queue requests or load models on demand.
pub(super) const SLOW_START: TimeoutFactors = TimeoutFactors {
    first_byte: 10,
    idle: 4,
};

/// Reasoning members, under all names.
pub(super) const THOUGHTS: &[&str] = &[
    "reasoning_content",
    "reasoning",
    "reasoning_details",
    "extra_content",
];

/// A server that accepts `OpenAI`'s messages and ignores unknown members.
pub(super) const LENIENT: MessageRules = MessageRules {
    one_system: false,
    developer: true,
    strict: false,
    replay: THOUGHTS,
    replay_when: Replay::InChain,
    requires_reasoning: false,
    call_ids: CallIdRule::ANY,
    media: ALL,
    unsigned_thinking: false,
    cache_marks: true,
};

/// A server that uses the model's chat template, which usually allows one system message.
pub(super) const TEMPLATE: MessageRules = MessageRules {
    one_system: true,
    developer: false,
    replay: &["reasoning_content"],
    ..LENIENT
};

/// `OpenAI` itself.
pub(super) const OPENAI_MESSAGES: MessageRules = MessageRules {
    one_system: false,
    developer: true,
    strict: false,
    replay: &[],
    replay_when: Replay::InChain,
    requires_reasoning: false,
    call_ids: CallIdRule {
        length: Some((1, 40)),
        beside_alphanumeric: None,
        unique: false,
    },
    media: FILES,
    unsigned_thinking: false,
    cache_marks: false,
};

/// `OpenAI`'s labels and hints that other servers reject or ignore.
pub(super) const LABELS: &[&str] = &[
    "verbosity",
    "service_tier",
    "prediction",
    "store",
    "metadata",
    "safety_identifier",
    "prompt_cache_key",
];
