//! Lifetimes of prompt cache marks. A lifetime other than the default has a price of its own, so it is
//! never sent.

use clawless_core::Message;
use clawless_core::json::Json;
use clawless_core::members::Members;
use clawless_core::tool::Tool;

/// The member that marks the end of a prefix to cache, and the lifetime in it.
const MARK: &str = "cache_control";
const LIFETIME: &str = "ttl";

/// Whether a message sets a lifetime.
pub(super) fn is_set(message: &Message) -> bool {
    message.raw().as_str().contains("\"cache_control\"") && removed(message.raw()).is_some()
}

/// Whether a tool's mark sets a lifetime.
pub(super) fn is_set_in_tool(tool: &Tool) -> bool {
    let mark = tool.cache_mark().and_then(|mark| mark.read().ok());
    mark.is_some_and(|mark: Members| mark.get(LIFETIME).is_some())
}

/// The input of a tool, which is a value of its own: marks are beside it.
const INPUT: &str = "input";

/// A value without the lifetimes of its marks, at any depth but in the input of a tool; `None` if it has
/// none.
pub(crate) fn removed(value: &Json) -> Option<Json> {
    if !value.as_str().contains("\"ttl\"") {
        return None;
    }
    let mut is_changed = false;
    let mut replace = |value: &mut Json, changed: Option<Json>| {
        if let Some(changed) = changed {
            *value = changed;
            is_changed = true;
        }
    };
    let changed = if let Ok(mut items) = value.read::<Vec<Json>>() {
        for item in &mut items {
            let changed = removed(item);
            replace(item, changed);
        }
        Json::from_value(&items)
    } else {
        let mut members: Members = value.read().ok()?;
        for (name, value) in &mut members.0 {
            let changed = match name.as_str() {
                MARK => without_lifetime(value),
                INPUT => None,
                _ => removed(value),
            };
            replace(value, changed);
        }
        Json::from_value(&members)
    };
    changed.ok().filter(|_| is_changed)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lifetimes_are_removed_from_marks_and_never_from_the_input_of_a_tool() {
        let removed = |text: &str| {
            let json = removed(&Json::parse(text.to_owned()).expect("JSON"))?;
            Some(json.as_str().to_owned())
        };
        let call = r#"{"type":"tool_use","input":{"cache_control":{"ttl":"1h"}}}"#;
        assert_eq!(removed(call), None);
        assert_eq!(removed(&format!("[{call}]")), None);
        let marked = call.replace(
            "}}}",
            r#"}},"cache_control":{"type":"ephemeral","ttl":"1h"}}"#,
        );
        let bare = call.replace("}}}", r#"}},"cache_control":{"type":"ephemeral"}}"#);
        assert_eq!(removed(&format!("[{marked}]")), Some(format!("[{bare}]")));
        assert_eq!(removed(r#"{"ttl":5}"#), None);
    }
}
