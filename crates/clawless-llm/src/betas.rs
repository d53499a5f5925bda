//! Beta features of Anthropic's API, which a client names in the header `anthropic-beta`. Only those
//! that do not change the price of a call are passed on: the context window of a million tokens, longer
//! cache lifetimes and the fast mode have prices of their own.

use std::borrow::Cow;

use clawless_core::chat::ChatOptions;
use clawless_core::llm::ProviderKind;

use crate::profile::Profile;

/// The features that do not change the price of a call.
const PASSED: [&str; 7] = [
    "effort-2025-11-24",
    "fine-grained-tool-streaming-2025-05-14",
    "interleaved-thinking-2025-05-14",
    "output-128k-2025-02-19",
    "pdfs-2024-09-25",
    "prompt-caching-2024-07-31",
    "token-efficient-tools-2025-02-19",
];

/// The features of a request that an Anthropic provider gets.
pub(crate) fn passed(options: &ChatOptions) -> Vec<&str> {
    let betas = options.betas.iter().map(String::as_str);
    betas.filter(|name| PASSED.contains(name)).collect()
}

/// The features of a request that a provider does not get, as the client reads them.
pub(crate) fn dropped(options: &ChatOptions, profile: &Profile) -> Vec<Cow<'static, str>> {
    let is_passed = |name: &str| profile.kind == ProviderKind::Anthropic && PASSED.contains(&name);
    let betas = options.betas.iter().filter(|name| !is_passed(name));
    betas
        .map(|name| Cow::Owned(format!("anthropic-beta:{name}")))
        .collect()
}
