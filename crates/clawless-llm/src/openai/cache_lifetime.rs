//! Lifetimes of prompt cache marks. A lifetime other than the default has a price of its own, so it is
//! never sent.

use clawless_core::Message;
use clawless_core::json::Json;
use clawless_core::members::Members;
use clawless_core::tool::Tool;

/// The member that marks the end of a prefix to cache, and the lifetime in it.
const MARK: &str = "cache_control";
const LIFETIME: &str = "ttl";

/// Whether a message may set a lifetime. Searches its text only.
pub(super) fn is_set(message: &Message) -> bool {
    let text = message.raw().as_str();
    text.contains("\"ttl\"") && text.contains("\"cache_control\"")
}

/// Whether a tool's mark sets a lifetime.
pub(super) fn is_set_in_tool(tool: &Tool) -> bool {
    let mark = tool.cache_mark().and_then(|mark| mark.read().ok());
    mark.is_some_and(|mark: Members| mark.get(LIFETIME).is_some())
}

/// A value without the lifetimes of its marks, at any depth; `None` if it has none.
pub(crate) fn removed(value: &Json) -> Option<Json> {
    if !value.as_str().contains("\"ttl\"") {
        return None;
    }
    if let Ok(items) = value.read::<Vec<Json>>() {
        let items: Vec<Json> = items
            .into_iter()
            .map(|item| removed(&item).unwrap_or(item))
            .collect();
        return Json::from_value(&items).ok();
    }
    let mut members: Members = value.read().ok()?;
    for (name, value) in &mut members.0 {
        let changed = if name == MARK {
            without_lifetime(value)
        } else {
            removed(value)
        };
        if let Some(changed) = changed {
            *value = changed;
        }
    }
    Json::from_value(&members).ok()
}

/// Removes the lifetimes from a tool's marks.
pub(super) fn remove_from_tool(tool: &mut Tool) {
    let of_function = tool.function.as_mut().map(|it| &mut it.cache_control);
    for mark in [Some(&mut tool.cache_control), of_function]
        .into_iter()
        .flatten()
    {
        if let Some(changed) = mark.as_ref().and_then(without_lifetime) {
            *mark = Some(changed);
        }
    }
    if let Some(changed) = tool.custom.as_ref().and_then(removed) {
        tool.custom = Some(changed);
    }
}

fn without_lifetime(mark: &Json) -> Option<Json> {
    let mark: Members = mark.read().ok()?;
    mark.get(LIFETIME)?;
    Json::from_value(&mark.without(&[LIFETIME])).ok()
}
