//! The documents that the rows of the profile table were compared with. Most were read as excerpts or
//! as stored copies, so each row also lists the facts that no document confirms.

/// The date on which the documents were read.
pub const SEEN: &str = "2026-11-29";

/// What is known about the facts of one profile.
#[derive(Debug, PartialEq, Eq)]
pub struct Sources {
    /// The name of the profile.
    pub profile: &'static str,
    /// The documents, each with the facts that it confirms.
    pub documents: &'static [(&'static str, &'static str)],
    /// The facts that no document confirms.
    pub unverified: &'static str,
}

/// One entry for each profile, in the order of the table.
pub static SOURCES: [Sources; 23] = [
    Sources {
        profile: "openai",
        documents: &[(
            "npm package openai 7.57.0, resources/chat/completions",
            "`max_completion_tokens`, `stream_options`, `developer` messages, images, audio and files, names of tools",
        )],
        unverified: "hosts, number of tools, format of call ids, timeouts",
    },
    Sources {
        profile: "azure",
        documents: &[(
            "learn.microsoft.com, ChatChoice of @azure/openai",
            "content filter results beside the message",
        )],
        unverified: "hosts, dropped parameters, limits of tools and ids",
    },
    Sources {
        profile: "anthropic",
        documents: &[(
            "platform.claude.com, Create a Message",
            "`max_tokens` is required, one system prompt, `cache_control`, `top_k`, `metadata`",
        )],
        unverified: "format of call ids, number of tools, timeouts",
    },
    Sources {
        profile: "anthropic-compatible",
        documents: &[],
        unverified: "hosts, reasoning without signatures, images, limits of tools and ids",
    },
    Sources {
        profile: "workers-ai",
        documents: &[(
            "types of the AI binding (@cloudflare/workers-types)",
            "`max_tokens`, penalties, `seed`",
        )],
        unverified: "system messages, media, ids, timeouts",
    },
    Sources {
        profile: "mistral",
        documents: &[
            (
                "github.com/mistralai/client-python, docs/models/chatcompletionrequest.md",
                "`max_tokens`",
            ),
            (
                "docs.rs, mistral-openapi-client",
                "`random_seed` for `seed`",
            ),
            (
                "a public bug report",
                "unknown parameters are refused with 422",
            ),
        ],
        unverified: "length of call ids, number and names of tools, media, dropped parameters",
    },
    Sources {
        profile: "deepseek",
        documents: &[
            (
                "api-docs.deepseek.com, Thinking Mode",
                "`thinking`, `reasoning_effort`, `reasoning_content`",
            ),
            (
                "docs.rs, deepseek-sdk",
                "`max_tokens`, `stream_options`, cache hit and miss tokens",
            ),
        ],
        unverified: "number and names of tools, dropped labels, timeouts",
    },
    Sources {
        profile: "gemini",
        documents: &[
            (
                "ai.google.dev, OpenAI compatibility",
                "host, system messages",
            ),
            (
                "github.com/continuedev/continue, change 8865",
                "`extra_content.google.thought_signature` of calls goes back",
            ),
        ],
        unverified: "output limit, tool names, media, strictness, dropped parameters",
    },
    Sources {
        profile: "openrouter",
        documents: &[(
            "openrouter.ai, Reasoning Tokens",
            "`reasoning` as a parameter and as a member of messages",
        )],
        unverified: "output limit, dropped parameters, timeouts",
    },
    Sources {
        profile: "groq",
        documents: &[
            (
                "github.com/groq/groq-python, types of chat completions",
                "128 tools, names of 64 characters, `reasoning` in assistant messages, no `logprobs` or `logit_bias`",
            ),
            (
                "console.groq.com, API Reference",
                "`disable_tool_validation`, `citation_options`",
            ),
        ],
        unverified: "strictness, `messages[].name`, media, dropped labels",
    },
    Sources {
        profile: "xai",
        documents: &[(
            "a copy of docs.x.ai, Chat Completions (legacy)",
            "reasoning models refuse penalties and `stop`; it lists `max_tokens` only",
        )],
        unverified: "output limit, tools, media, replay of reasoning, dropped labels",
    },
    Sources {
        profile: "moonshot",
        documents: &[
            (
                "platform.moonshot.ai, Using thinking models",
                "`reasoning_content`, `thinking`",
            ),
            (
                "java.agentscope.io, Kimi",
                "`max_completion_tokens`; `reasoning_content` stays in the history",
            ),
        ],
        unverified: "number and names of tools, media, dropped labels",
    },
    Sources {
        profile: "minimax",
        documents: &[
            (
                "platform.minimax.io, OpenAI API compatible",
                "`reasoning_split`; the whole assistant message goes back",
            ),
            (
                "java.agentscope.io, MiniMax",
                "`max_completion_tokens` (`max_tokens` is deprecated), `thinking`",
            ),
        ],
        unverified: "one system message, media, dropped labels",
    },
    Sources {
        profile: "zai",
        documents: &[
            (
                "docs.z.ai, Thinking Mode",
                "`thinking`; reasoning goes back with tool results",
            ),
            (
                "java.agentscope.io, GLM",
                "`max_tokens` only, no `stream_options`, penalties or names; `tool_stream`",
            ),
        ],
        unverified: "number and names of tools, media, dropped labels",
    },
    Sources {
        profile: "qwen",
        documents: &[
            (
                "help.aliyun.com, Deep thinking",
                "`enable_thinking`, `stream_options.include_usage`",
            ),
            (
                "hexdocs.pm, ReqLLM.Providers.Alibaba",
                "`thinking_budget`, `top_k`, `repetition_penalty`",
            ),
        ],
        unverified: "one system message, tools, media, dropped labels",
    },
    Sources {
        profile: "together",
        documents: &[
            (
                "github.com/togethercomputer/together-python, types of chat completions",
                "`max_tokens`, `top_k`, `repetition_penalty`",
            ),
            (
                "docs.together.ai, GLM-5.2 quickstart",
                "reasoning is the member `reasoning`",
            ),
        ],
        unverified: "replay of reasoning, one system message, media, dropped labels",
    },
    Sources {
        profile: "fireworks",
        documents: &[(
            "docs.fireworks.ai, Reasoning",
            "reasoning is the member `reasoning_content`",
        )],
        unverified: "output limit, passed and dropped parameters, one system message, media",
    },
    Sources {
        profile: "cerebras",
        documents: &[
            (
                "pipedream.com, Create Chat Completion",
                "`max_completion_tokens`",
            ),
            (
                "docs.getbifrost.ai, Cerebras",
                "no `prompt_cache_key`, no `verbosity`",
            ),
            (
                "reference.langchain.com, langchain_cerebras",
                "`disable_reasoning`",
            ),
        ],
        unverified: "strictness, replay of `reasoning`, tools, media, penalties",
    },
    Sources {
        profile: "vllm",
        documents: &[(
            "github.com/vllm-project/vllm, entrypoints/openai/protocol.py",
            "both names of the output limit, `stream_options`, `include_reasoning`, other members are ignored",
        )],
        unverified: "one system message (depends on the model's template), timeouts",
    },
    Sources {
        profile: "llama.cpp",
        documents: &[(
            "github.com/ggml-org/llama.cpp, tools/server/README.md",
            "names of the sampling parameters, `reasoning_format`, `timings`",
        )],
        unverified: "one system message (depends on the model's template), timeouts",
    },
    Sources {
        profile: "ollama",
        documents: &[(
            "github.com/ollama/ollama, openai/openai.go",
            "`max_tokens` only, `stream_options`, `reasoning` in messages and requests, data URLs of images",
        )],
        unverified: "several system messages, timeouts",
    },
    Sources {
        profile: "lmstudio",
        documents: &[(
            "github.com/lmstudio-ai/docs, openai-compat/chat-completions.md",
            "`max_tokens`, `top_k`, `repeat_penalty`, `seed`, penalties",
        )],
        unverified: "`min_p`, `stream_options`, dropped labels, system messages, timeouts",
    },
    Sources {
        profile: "default",
        documents: &[],
        unverified: "nothing to verify: it describes no provider",
    },
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::PROFILES;

    #[test]
    fn each_profile_has_its_sources() {
        let of_sources: Vec<&str> = SOURCES.iter().map(|it| it.profile).collect();
        let of_profiles: Vec<&str> = PROFILES.iter().map(|it| it.name).collect();
        assert_eq!(of_sources, of_profiles);
        for sources in &SOURCES {
            assert!(!sources.unverified.is_empty(), "{}", sources.profile);
        }
    }
}
