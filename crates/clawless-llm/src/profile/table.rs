//! The profiles, a row each. Sources are the providers' own API references and the bug reports of
//! `docs/providers.md`, which is written from this table.

use clawless_core::llm::ProviderKind::{Anthropic, OpenAi, WorkersAi};

use super::{
    CallIdRule, Media, MessageRules, NameRule, OutputLimit, Patience, Profile, Replay, StreamUsage,
    ToolRules,
};

/// `OpenAI`'s names of tools.
const PLAIN_NAMES: NameRule = NameRule {
    max: 64,
    beside_alphanumeric: "_-",
};

const TEXT: Media = Media {
    images: false,
    audio: false,
    files: false,
    video: false,
};
const IMAGES: Media = Media {
    images: true,
    ..TEXT
};
const AUDIO: Media = Media {
    audio: true,
    ..IMAGES
};
const FILES: Media = Media {
    files: true,
    ..AUDIO
};
const ALL: Media = Media {
    video: true,
    ..FILES
};

const ANY_TOOLS: ToolRules = ToolRules {
    max: None,
    names: None,
};
const PLAIN_TOOLS: ToolRules = ToolRules {
    max: Some(128),
    names: Some(PLAIN_NAMES),
};

/// Servers that answer at once.
const PROMPT: Patience = Patience {
    first_byte: 1,
    idle: 1,
};
/// Servers that queue a request, or load the model for it.
const SLOW_START: Patience = Patience {
    first_byte: 10,
    idle: 4,
};

/// Members that carry a model's thoughts, under all names.
const THOUGHTS: &[&str] = &[
    "reasoning_content",
    "reasoning",
    "reasoning_details",
    "extra_content",
];

/// A server that takes `OpenAI`'s messages and ignores what it does not know.
const LENIENT: MessageRules = MessageRules {
    one_system: false,
    developer: true,
    strict: false,
    replay: THOUGHTS,
    replay_when: Replay::InChain,
    call_ids: CallIdRule::ANY,
    media: ALL,
};

/// A server that renders messages by the model's own template, which mostly has one system message.
const TEMPLATE: MessageRules = MessageRules {
    one_system: true,
    developer: false,
    replay: &["reasoning_content", "reasoning"],
    ..LENIENT
};

/// `OpenAI` itself.
const OPENAI_MESSAGES: MessageRules = MessageRules {
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
const LABELS: &[&str] = &[
    "verbosity",
    "service_tier",
    "prediction",
    "store",
    "metadata",
    "safety_identifier",
    "prompt_cache_key",
];

/// Any other server of `OpenAI`'s wire: nothing is added or removed that was not asked for.
pub static DEFAULT: Profile = DEFAULT_ROW;

const DEFAULT_ROW: Profile = Profile {
    name: "default",
    title: "any other OpenAI-compatible server",
    kind: OpenAi,
    hosts: &[],
    output_limit: OutputLimit::AsSent,
    stream_usage: StreamUsage::Requested,
    messages: LENIENT,
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
    hidden_reasoning: false,
    patience: PROMPT,
};

/// All profiles.
pub static PROFILES: [Profile; 22] = [
    Profile {
        name: "openai",
        title: "OpenAI",
        kind: OpenAi,
        hosts: &["api.openai.com", "eu.api.openai.com", "us.api.openai.com"],
        output_limit: OutputLimit::MaxCompletionTokens,
        stream_usage: StreamUsage::Requested,
        messages: OPENAI_MESSAGES,
        tools: PLAIN_TOOLS,
        passes: &[],
        drops: &[],
        hidden_reasoning: true,
        patience: PROMPT,
    },
    Profile {
        name: "azure",
        title: "Azure OpenAI",
        kind: OpenAi,
        hosts: &[
            ".openai.azure.com",
            ".cognitiveservices.azure.com",
            ".services.ai.azure.com",
        ],
        output_limit: OutputLimit::MaxCompletionTokens,
        stream_usage: StreamUsage::Requested,
        messages: OPENAI_MESSAGES,
        tools: PLAIN_TOOLS,
        passes: &[],
        drops: &["service_tier", "safety_identifier", "verbosity"],
        hidden_reasoning: true,
        patience: PROMPT,
    },
    Profile {
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
            call_ids: CallIdRule {
                length: Some((1, 64)),
                beside_alphanumeric: Some("_-"),
                unique: true,
            },
            media: IMAGES,
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
        hidden_reasoning: true,
        patience: PROMPT,
    },
    Profile {
        name: "workers-ai",
        title: "Workers AI",
        kind: WorkersAi,
        hosts: &[],
        output_limit: OutputLimit::AsSent,
        stream_usage: StreamUsage::Requested,
        messages: MessageRules {
            replay: &[],
            ..TEMPLATE
        },
        tools: ANY_TOOLS,
        passes: &["top_k", "repetition_penalty"],
        drops: &[
            "verbosity",
            "service_tier",
            "prediction",
            "store",
            "metadata",
            "user",
            "safety_identifier",
            "prompt_cache_key",
        ],
        hidden_reasoning: false,
        patience: PROMPT,
    },
    Profile {
        name: "mistral",
        title: "Mistral",
        kind: OpenAi,
        hosts: &["api.mistral.ai", "codestral.mistral.ai"],
        output_limit: OutputLimit::MaxTokens,
        stream_usage: StreamUsage::Always,
        messages: MessageRules {
            one_system: false,
            developer: false,
            strict: true,
            replay: &[],
            replay_when: Replay::InChain,
            call_ids: CallIdRule {
                length: Some((9, 9)),
                beside_alphanumeric: Some(""),
                unique: true,
            },
            media: AUDIO,
        },
        tools: ToolRules {
            max: Some(128),
            names: Some(PLAIN_NAMES),
        },
        passes: &["safe_prompt", "prompt_mode", "random_seed"],
        drops: &[
            "verbosity",
            "service_tier",
            "store",
            "metadata",
            "user",
            "safety_identifier",
            "prompt_cache_key",
            "logit_bias",
            "messages[].name",
        ],
        hidden_reasoning: false,
        patience: PROMPT,
    },
    Profile {
        name: "deepseek",
        title: "DeepSeek",
        kind: OpenAi,
        hosts: &["api.deepseek.com"],
        output_limit: OutputLimit::MaxTokens,
        stream_usage: StreamUsage::Requested,
        messages: MessageRules {
            developer: false,
            replay: &["reasoning_content"],
            media: TEXT,
            ..LENIENT
        },
        tools: PLAIN_TOOLS,
        passes: &["thinking"],
        drops: LABELS,
        hidden_reasoning: false,
        patience: SLOW_START,
    },
    Profile {
        name: "gemini",
        title: "Gemini (OpenAI endpoint)",
        kind: OpenAi,
        hosts: &["generativelanguage.googleapis.com"],
        output_limit: OutputLimit::MaxCompletionTokens,
        stream_usage: StreamUsage::Requested,
        messages: MessageRules {
            one_system: false,
            developer: true,
            strict: true,
            replay: &["extra_content"],
            replay_when: Replay::Always,
            call_ids: CallIdRule::ANY,
            media: AUDIO,
        },
        tools: ToolRules {
            max: None,
            names: Some(NameRule {
                max: 64,
                beside_alphanumeric: "_-.:",
            }),
        },
        passes: &[],
        drops: &[
            "verbosity",
            "service_tier",
            "prediction",
            "store",
            "metadata",
            "user",
            "safety_identifier",
            "prompt_cache_key",
            "logit_bias",
        ],
        hidden_reasoning: true,
        patience: PROMPT,
    },
    Profile {
        name: "openrouter",
        title: "OpenRouter",
        kind: OpenAi,
        hosts: &["openrouter.ai"],
        output_limit: OutputLimit::MaxTokens,
        stream_usage: StreamUsage::Requested,
        messages: MessageRules {
            replay: &["reasoning_details", "reasoning"],
            replay_when: Replay::Always,
            ..LENIENT
        },
        tools: ANY_TOOLS,
        passes: &[
            "top_k",
            "min_p",
            "top_a",
            "repetition_penalty",
            "reasoning",
            "include_reasoning",
            "structured_outputs",
        ],
        drops: &["service_tier", "store"],
        hidden_reasoning: true,
        patience: SLOW_START,
    },
    Profile {
        name: "groq",
        title: "Groq",
        kind: OpenAi,
        hosts: &["api.groq.com"],
        output_limit: OutputLimit::MaxCompletionTokens,
        stream_usage: StreamUsage::Requested,
        messages: MessageRules {
            strict: true,
            replay: &["reasoning"],
            media: IMAGES,
            ..LENIENT
        },
        tools: PLAIN_TOOLS,
        passes: &["reasoning_format", "include_reasoning"],
        drops: &[
            "verbosity",
            "service_tier",
            "prediction",
            "store",
            "safety_identifier",
            "prompt_cache_key",
            "logprobs",
            "top_logprobs",
            "logit_bias",
            "messages[].name",
        ],
        hidden_reasoning: false,
        patience: PROMPT,
    },
    Profile {
        name: "xai",
        title: "xAI",
        kind: OpenAi,
        hosts: &["api.x.ai"],
        output_limit: OutputLimit::MaxCompletionTokens,
        stream_usage: StreamUsage::Requested,
        messages: MessageRules {
            replay: &["reasoning_content"],
            media: IMAGES,
            ..LENIENT
        },
        tools: ToolRules {
            max: Some(200),
            names: Some(PLAIN_NAMES),
        },
        passes: &[],
        drops: &[
            "service_tier",
            "store",
            "prediction",
            "verbosity",
            "logit_bias",
        ],
        hidden_reasoning: true,
        patience: PROMPT,
    },
    Profile {
        name: "moonshot",
        title: "Moonshot",
        kind: OpenAi,
        hosts: &["api.moonshot.ai", "api.moonshot.cn", "api.kimi.com"],
        output_limit: OutputLimit::MaxTokens,
        stream_usage: StreamUsage::Requested,
        messages: MessageRules {
            developer: false,
            replay: &["reasoning_content"],
            ..LENIENT
        },
        tools: PLAIN_TOOLS,
        passes: &["thinking"],
        drops: &[
            "verbosity",
            "service_tier",
            "prediction",
            "store",
            "metadata",
        ],
        hidden_reasoning: false,
        patience: PROMPT,
    },
    Profile {
        name: "minimax",
        title: "MiniMax",
        kind: OpenAi,
        hosts: &["api.minimax.io", "api.minimaxi.com", "api.minimax.chat"],
        output_limit: OutputLimit::MaxTokens,
        stream_usage: StreamUsage::Requested,
        messages: MessageRules {
            one_system: true,
            developer: false,
            replay: &["reasoning_details", "reasoning_content"],
            replay_when: Replay::Always,
            media: IMAGES,
            ..LENIENT
        },
        tools: ANY_TOOLS,
        passes: &["reasoning_split", "top_k"],
        drops: LABELS,
        hidden_reasoning: false,
        patience: PROMPT,
    },
    Profile {
        name: "zai",
        title: "Z.ai",
        kind: OpenAi,
        hosts: &["api.z.ai", "open.bigmodel.cn"],
        output_limit: OutputLimit::MaxTokens,
        stream_usage: StreamUsage::Always,
        messages: MessageRules {
            developer: false,
            replay: &["reasoning_content"],
            ..LENIENT
        },
        tools: PLAIN_TOOLS,
        passes: &["thinking", "tool_stream", "do_sample"],
        drops: LABELS,
        hidden_reasoning: false,
        patience: PROMPT,
    },
    Profile {
        name: "qwen",
        title: "Qwen / DashScope",
        kind: OpenAi,
        hosts: &[
            "dashscope.aliyuncs.com",
            "dashscope-intl.aliyuncs.com",
            "dashscope-us.aliyuncs.com",
        ],
        output_limit: OutputLimit::MaxTokens,
        stream_usage: StreamUsage::Requested,
        messages: TEMPLATE,
        tools: PLAIN_TOOLS,
        passes: &[
            "enable_thinking",
            "thinking_budget",
            "top_k",
            "repetition_penalty",
        ],
        drops: LABELS,
        hidden_reasoning: false,
        patience: PROMPT,
    },
    Profile {
        name: "together",
        title: "Together",
        kind: OpenAi,
        hosts: &["api.together.xyz", "api.together.ai"],
        output_limit: OutputLimit::MaxTokens,
        stream_usage: StreamUsage::Requested,
        messages: TEMPLATE,
        tools: ANY_TOOLS,
        passes: &[
            "top_k",
            "min_p",
            "repetition_penalty",
            "chat_template_kwargs",
        ],
        drops: LABELS,
        hidden_reasoning: false,
        patience: PROMPT,
    },
    Profile {
        name: "fireworks",
        title: "Fireworks",
        kind: OpenAi,
        hosts: &["api.fireworks.ai"],
        output_limit: OutputLimit::MaxTokens,
        stream_usage: StreamUsage::Requested,
        messages: TEMPLATE,
        tools: ANY_TOOLS,
        passes: &[
            "top_k",
            "min_p",
            "typical_p",
            "repetition_penalty",
            "thinking",
        ],
        drops: LABELS,
        hidden_reasoning: false,
        patience: PROMPT,
    },
    Profile {
        name: "cerebras",
        title: "Cerebras",
        kind: OpenAi,
        hosts: &["api.cerebras.ai"],
        output_limit: OutputLimit::MaxCompletionTokens,
        stream_usage: StreamUsage::Requested,
        messages: MessageRules {
            strict: true,
            replay: &["reasoning"],
            media: IMAGES,
            ..LENIENT
        },
        tools: PLAIN_TOOLS,
        passes: &["reasoning_format", "disable_reasoning", "clear_thinking"],
        drops: &[
            "verbosity",
            "service_tier",
            "store",
            "metadata",
            "safety_identifier",
            "prompt_cache_key",
            "frequency_penalty",
            "presence_penalty",
            "logit_bias",
        ],
        hidden_reasoning: false,
        patience: PROMPT,
    },
    Profile {
        name: "vllm",
        title: "vLLM",
        kind: OpenAi,
        hosts: &[],
        output_limit: OutputLimit::MaxTokens,
        stream_usage: StreamUsage::Requested,
        messages: TEMPLATE,
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
        hidden_reasoning: false,
        patience: SLOW_START,
    },
    Profile {
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
        hidden_reasoning: false,
        patience: SLOW_START,
    },
    Profile {
        name: "ollama",
        title: "Ollama",
        kind: OpenAi,
        hosts: &[],
        output_limit: OutputLimit::MaxTokens,
        stream_usage: StreamUsage::Requested,
        messages: MessageRules {
            one_system: false,
            media: IMAGES,
            ..TEMPLATE
        },
        tools: ANY_TOOLS,
        passes: &["reasoning"],
        drops: LABELS,
        hidden_reasoning: false,
        patience: SLOW_START,
    },
    Profile {
        name: "lmstudio",
        title: "LM Studio",
        kind: OpenAi,
        hosts: &[],
        output_limit: OutputLimit::MaxTokens,
        stream_usage: StreamUsage::Requested,
        messages: MessageRules {
            media: IMAGES,
            ..TEMPLATE
        },
        tools: ANY_TOOLS,
        passes: &["top_k", "min_p", "repeat_penalty"],
        drops: LABELS,
        hidden_reasoning: false,
        patience: SLOW_START,
    },
    DEFAULT_ROW,
];
