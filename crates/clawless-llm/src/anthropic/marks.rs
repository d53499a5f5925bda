//! Places prompt cache marks: those of the client, else at the ends of long prefixes.

use clawless_core::chat::ChatOptions;
use clawless_core::json::Json;
use clawless_core::llm::LlmRequest;
use clawless_core::members::Members;

use super::cache::{self, CacheControl};
use super::content_block::{Block, WireMessage};
use super::tools::WireTool;

/// The parameter that asks for marks without a place: Anthropic's automatic caching. The member of
/// blocks has the same name.
pub(super) const PARAMETER: &str = "cache_control";

/// The maximum number of marks in one request. The API rejects more.
const MAX_MARKS: usize = 4;

/// The minimum length of a cached prefix, in bytes. The API does not cache prefixes below 1,024
/// tokens (4,096 for some models), and cache writes cost extra.
const MIN_CACHED_BYTES: usize = 16 * 1024;

/// The client's parameter [`PARAMETER`].
pub(super) fn of_request(options: &ChatOptions) -> Option<&Json> {
    let mut extensions = options.extensions.iter();
    let found = extensions.find(|(name, _)| name == PARAMETER);
    found
        .map(|(_, value)| value)
        .filter(|value| value.as_str() != "null")
}

/// Adds cache marks to prefixes that later requests are likely to repeat: tools with the system
/// prompt, and the conversation up to its last message. Marks that the client placed replace these.
pub(super) fn apply(
    tools: &mut [WireTool<'_>],
    system: &mut [Block],
    messages: &mut [WireMessage],
    request: &LlmRequest,
) {
    let is_marked = tools.iter().any(|tool| tool.cache_control.is_some())
        || request.messages.iter().any(cache::has_cache_mark);
    let is_requested = of_request(&request.options).is_some();
    if is_marked {
        limit(tools, system, messages);
    } else {
        let min = if is_requested { 0 } else { MIN_CACHED_BYTES };
        mark_prefixes(tools, system, messages, request, min);
    }
}

fn mark_prefixes(
    tools: &mut [WireTool<'_>],
    system: &mut [Block],
    messages: &mut [WireMessage],
    request: &LlmRequest,
    min_bytes: usize,
) {
    let (of_system, of_all) = prefix_bytes(request);
    if of_system >= min_bytes {
        if let Some(last) = system.last_mut() {
            last.mark();
        } else if let Some(last) = tools.last_mut() {
            last.cache_control = Some(CacheControl::EPHEMERAL);
        }
    }
    if of_all >= min_bytes && (messages.len() > 1 || min_bytes == 0) {
        let last = messages.last_mut();
        if let Some(last) = last.and_then(|message| message.content.last_mut()) {
            last.mark();
        }
    }
}

/// The bytes of the tools with the system prompt, and with all messages.
fn prefix_bytes(request: &LlmRequest) -> (usize, usize) {
    let schemas = request.options.tools.iter().flatten();
    let schemas = schemas.filter_map(|tool| tool.function.as_ref()?.parameters.as_ref());
    let of_tools: usize = schemas.map(|schema| schema.as_str().len()).sum();
    let (mut of_system, mut of_all) = (of_tools, of_tools);
    for message in &request.messages {
        let bytes = message.raw().as_str().len();
        of_all += bytes;
        if matches!(message.role().as_str(), "system" | "developer") {
            of_system += bytes;
        }
    }
    (of_system, of_all)
}

/// Whether a request without marks of the client gets marks: by the parameter, or by its length.
pub(crate) fn is_prefix_marked(request: &LlmRequest) -> bool {
    of_request(&request.options).is_some() || prefix_bytes(request).1 >= MIN_CACHED_BYTES
}

/// Removes marks beyond the maximum. A session keeps the marks of earlier turns, so the earliest
/// marks of messages are removed first, then those of tools and of the system prompt.
fn limit(tools: &mut [WireTool<'_>], system: &mut [Block], messages: &mut [WireMessage]) {
    let blocks = messages.iter_mut().flat_map(|it| it.content.iter_mut());
    let of_messages = blocks.filter_map(Mark::of);
    let tools = tools.iter_mut().map(|tool| &mut tool.cache_control);
    let of_tools = tools.filter(|mark| mark.is_some()).map(Mark::Placed);
    let of_system = system.iter_mut().filter_map(Mark::of);
    let marks: Vec<Mark<'_>> = of_messages.chain(of_tools).chain(of_system).collect();
    let surplus = marks.len().saturating_sub(MAX_MARKS);
    marks.into_iter().take(surplus).for_each(Mark::remove);
}

/// A mark that is set.
enum Mark<'a> {
    Placed(&'a mut Option<CacheControl>),
    /// In the JSON of a raw block.
    Raw(&'a mut Json),
}

impl<'a> Mark<'a> {
    /// The mark of a block, if it has one.
    fn of(block: &'a mut Block) -> Option<Self> {
        if let Block::Raw(raw) = block {
            let is_marked = raw.as_str().contains("\"cache_control\"")
                && raw
                    .read::<Members>()
                    .is_ok_and(|members| members.get(PARAMETER).is_some());
            return is_marked.then_some(Self::Raw(raw));
        }
        block
            .mark_mut()
            .filter(|mark| mark.is_some())
            .map(Self::Placed)
    }

    fn remove(self) {
        match self {
            Self::Placed(mark) => *mark = None,
            Self::Raw(raw) => {
                let members = raw.read::<Members>().map(|it| it.without(&[PARAMETER]));
                let unmarked = members.and_then(|members| Json::from_value(&members));
                if let Ok(unmarked) = unmarked {
                    *raw = unmarked;
                }
            }
        }
    }
}
