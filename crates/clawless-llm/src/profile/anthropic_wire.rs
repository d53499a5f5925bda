//! The profiles of servers with Anthropic's Messages API.

use clawless_core::llm::ProviderKind::Anthropic;

use super::rules::{IMAGES, PROMPT, UNKNOWN};
use super::types::{
    CallIdRule, MessageRules, NameRule, OutputLimit, Profile, Replay, StreamUsage, ToolRules,
};

/// Anthropic itself, and servers in front of it.
pub(super) const ANTHROPIC: Profile = Profile {
    name: "anthropic",
    title: "Anthropic",
    kind: Anthropic,
    hosts: &["api.anthropic.com"],
    output_limit: OutputLimit::MaxTokens,
    stream_usage: StreamUsage::Always,
    messages: MessageRules {
        one_system: true,
        developer: false,
        strict: true,
        replay: &["thinking_blocks"],
        replay_when: Replay::InChain,
        requires_reasoning: false,
        call_ids: CallIdRule {
            length: Some((1, 64)),
            beside_alphanumeric: Some("_-"),
            unique: true,
        },
        media: IMAGES,
        unsigned_thinking: false,
        cache_marks: true,
    },
    tools: ToolRules {
        max: None,
        names: Some(NameRule {
            max: 128,
            beside_alphanumeric: "_-",
        }),
    },
    passes: &["top_k"],
    drops: &[
        "verbosity",
        "service_tier",
        "prediction",
        "store",
        "metadata",
        "prompt_cache_key",
    ],
    renames: &[],
    hidden_reasoning: true,
    timeout_factors: PROMPT,
};

/// Models of others with this API. They do not sign their reasoning, and need it back.
pub(super) const COMPATIBLE: Profile = Profile {
    name: "anthropic-compatible",
    title: "Anthropic's API with other models",
    hosts: &[
        "api.deepseek.com",
        "api.kimi.com",
        "api.minimax.io",
        "api.minimaxi.com",
        "api.moonshot.ai",
        "api.moonshot.cn",
        "api.z.ai",
        "dashscope.aliyuncs.com",
        "dashscope-intl.aliyuncs.com",
        "open.bigmodel.cn",
    ],
    messages: MessageRules {
        unsigned_thinking: true,
        replay_when: Replay::Always,
        ..ANTHROPIC.messages
    },
    timeout_factors: UNKNOWN,
    ..ANTHROPIC
};
