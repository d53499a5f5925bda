//! The profiles of servers that an operator runs, and of servers without a profile of their own.

use clawless_core::llm::ProviderKind::OpenAi;

use super::rules::{ANY_TOOLS, IMAGES, LABELS, LENIENT, SLOW_START, TEMPLATE, UNKNOWN};
use super::types::{MessageRules, OutputLimit, Profile, Replay, StreamUsage};

pub(super) const VLLM: Profile = Profile {
    name: "vllm",
    title: "vLLM",
    kind: OpenAi,
    hosts: &[],
    output_limit: OutputLimit::MaxTokens,
    stream_usage: StreamUsage::Requested,
    // Its versions read one of the two names.
    messages: MessageRules {
        replay: &["reasoning_content", "reasoning"],
        ..TEMPLATE
    },
    tools: ANY_TOOLS,
    passes: &[
        "top_k",
        "min_p",
        "repetition_penalty",
        "length_penalty",
        "stop_token_ids",
        "include_stop_str_in_output",
        "min_tokens",
        "skip_special_tokens",
        "spaces_between_special_tokens",
        "bad_words",
        "allowed_token_ids",
        "guided_json",
        "guided_regex",
        "guided_choice",
        "guided_grammar",
        "structured_outputs",
        "chat_template_kwargs",
        "add_generation_prompt",
        "continue_final_message",
        "include_reasoning",
    ],
    drops: &["service_tier", "store", "metadata"],
    renames: &[],
    hidden_reasoning: false,
    timeout_factors: SLOW_START,
};

pub(super) const LLAMA_CPP: Profile = Profile {
    name: "llama.cpp",
    title: "llama.cpp",
    kind: OpenAi,
    hosts: &[],
    output_limit: OutputLimit::MaxTokens,
    stream_usage: StreamUsage::Requested,
    messages: TEMPLATE,
    tools: ANY_TOOLS,
    passes: &[
        "top_k",
        "min_p",
        "typical_p",
        "repeat_penalty",
        "repeat_last_n",
        "dry_multiplier",
        "dry_base",
        "dry_allowed_length",
        "xtc_probability",
        "xtc_threshold",
        "mirostat",
        "mirostat_tau",
        "mirostat_eta",
        "grammar",
        "json_schema",
        "chat_template_kwargs",
        "reasoning_format",
    ],
    drops: &["service_tier", "store", "metadata"],
    renames: &[],
    hidden_reasoning: false,
    timeout_factors: SLOW_START,
};

pub(super) const OLLAMA: Profile = Profile {
    name: "ollama",
    title: "Ollama",
    kind: OpenAi,
    hosts: &[],
    output_limit: OutputLimit::MaxTokens,
    stream_usage: StreamUsage::Requested,
    messages: MessageRules {
        one_system: false,
        replay: &["reasoning"],
        media: IMAGES,
        ..TEMPLATE
    },
    tools: ANY_TOOLS,
    passes: &["reasoning"],
    drops: LABELS,
    renames: &[],
    hidden_reasoning: false,
    timeout_factors: SLOW_START,
};

pub(super) const LM_STUDIO: Profile = Profile {
    name: "lmstudio",
    title: "LM Studio",
    kind: OpenAi,
    hosts: &[],
    output_limit: OutputLimit::MaxTokens,
    stream_usage: StreamUsage::Requested,
    messages: MessageRules {
        media: IMAGES,
        replay: &["reasoning_content", "reasoning"],
        ..TEMPLATE
    },
    tools: ANY_TOOLS,
    passes: &["top_k", "min_p", "repeat_penalty"],
    drops: LABELS,
    renames: &[],
    hidden_reasoning: false,
    timeout_factors: SLOW_START,
};

/// Nothing is added or removed unless the client requests it.
pub(super) const DEFAULT: Profile = Profile {
    name: "default",
    title: "any other OpenAI-compatible server",
    kind: OpenAi,
    hosts: &[],
    output_limit: OutputLimit::AsSent,
    stream_usage: StreamUsage::Requested,
    messages: MessageRules {
        replay_when: Replay::WithCalls,
        ..LENIENT
    },
    tools: ANY_TOOLS,
    passes: &[
        "top_k",
        "min_p",
        "top_a",
        "typical_p",
        "repetition_penalty",
        "repeat_penalty",
        "length_penalty",
        "stop_token_ids",
        "min_tokens",
        "skip_special_tokens",
        "guided_json",
        "guided_regex",
        "guided_choice",
        "guided_grammar",
        "structured_outputs",
        "chat_template_kwargs",
        "enable_thinking",
        "thinking",
        "thinking_budget",
        "reasoning",
        "include_reasoning",
        "reasoning_format",
    ],
    drops: &[],
    renames: &[],
    hidden_reasoning: false,
    timeout_factors: UNKNOWN,
};
