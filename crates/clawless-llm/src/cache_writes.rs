//! How much of a request a provider may write to its prompt cache. Whether it reads the cache instead is
//! unknown without its report.

use clawless_core::Message;
use clawless_core::llm::{LlmRequest, ProviderKind};

use crate::anthropic;
use crate::profile::Profile;

/// The messages up to the last mark (`cache_control`) that the provider gets; none if there is no mark. The
/// tools precede them.
pub(crate) fn marked<'a>(request: &'a LlmRequest, profile: &Profile) -> Option<&'a [Message]> {
    if !profile.messages.cache_marks {
        return None;
    }
    let messages = &request.messages;
    let mut tools = request.options.tools.iter().flatten();
    let last = messages
        .iter()
        .rposition(|message| message.raw().as_str().contains("\"cache_control\""));
    let count = match last {
        Some(last) => last + 1,
        None if tools.any(|tool| tool.cache_mark().is_some()) => 0,
        None if profile.kind == ProviderKind::Anthropic && anthropic::is_prefix_marked(request) => {
            messages.len()
        }
        None => return None,
    };
    messages.get(..count)
}
