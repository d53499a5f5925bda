//! Rules that several profiles share.

use super::types::{CallIdRule, Media, MessageRules, NameRule, Patience, Replay, ToolRules};

/// `OpenAI`'s names of tools.
pub(super) const PLAIN_NAMES: NameRule = NameRule {
    max: 64,
    beside_alphanumeric: "_-",
};

pub(super) const TEXT: Media = Media {
    images: false,
    audio: false,
    files: false,
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
pub(super) const ALL: Media = Media {
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

/// Servers that answer at once.
pub(super) const PROMPT: Patience = Patience {
    first_byte: 1,
    idle: 1,
};
/// Servers that queue a request, or load the model for it.
pub(super) const SLOW_START: Patience = Patience {
    first_byte: 10,
    idle: 4,
};

/// Members that carry a model's thoughts, under all names.
pub(super) const THOUGHTS: &[&str] = &[
    "reasoning_content",
    "reasoning",
    "reasoning_details",
    "extra_content",
];

/// A server that takes `OpenAI`'s messages and ignores what it does not know.
pub(super) const LENIENT: MessageRules = MessageRules {
    one_system: false,
    developer: true,
    strict: false,
    replay: THOUGHTS,
    replay_when: Replay::InChain,
    call_ids: CallIdRule::ANY,
    media: ALL,
};

/// A server that renders messages by the model's own template, which mostly has one system message.
pub(super) const TEMPLATE: MessageRules = MessageRules {
    one_system: true,
    developer: false,
    replay: &["reasoning_content", "reasoning"],
    ..LENIENT
};

/// `OpenAI` itself.
pub(super) const OPENAI_MESSAGES: MessageRules = MessageRules {
    one_system: false,
    developer: true,
    strict: false,
    replay: &[],
    replay_when: Replay::InChain,
    call_ids: CallIdRule {
        length: Some((1, 40)),
        beside_alphanumeric: None,
        unique: false,
    },
    media: FILES,
};

/// Labels and hints of `OpenAI` that other servers refuse or ignore.
pub(super) const LABELS: &[&str] = &[
    "verbosity",
    "service_tier",
    "prediction",
    "store",
    "metadata",
    "safety_identifier",
    "prompt_cache_key",
];
