//! Message encoding for OpenAI-compatible servers. Messages are sent unchanged, except for members
//! that the provider's profile excludes. Nothing is copied if nothing changes.

use std::borrow::Cow;

use clawless_core::chat::Content;
use clawless_core::json::Json;
use clawless_core::members::Members;
use clawless_core::{Message, Role};
use serde::{Deserialize, Serialize};

use super::{cache_lifetime, turns};
use crate::call_id_map::{self, CallIdMap};
use crate::chat_form;
use crate::error::LlmError;
use crate::profile::{Media, MessageRules, Profile};

/// Members of assistant messages and their tool calls that only some providers accept.
const PROVIDER_MEMBERS: [&str; 5] = [
    "reasoning_content",
    "reasoning",
    "reasoning_details",
    "extra_content",
    "thinking_blocks",
];

/// Substrings that identify these members in a raw message.
const MARKS: [&str; 3] = ["\"reasoning", "\"extra_content\"", "\"thinking_blocks\""];

/// The members that the wire defines.
const WIRE_MEMBERS: [&str; 8] = [
    "role",
    "content",
    "name",
    "tool_calls",
    "tool_call_id",
    "function_call",
    "audio",
    "prefix",
];

/// The members of a tool call, and of its function or custom tool, that the wire defines.
const CALL_MEMBERS: [&str; 4] = ["id", "type", "function", "custom"];
const FUNCTION_MEMBERS: [&str; 3] = ["name", "arguments", "input"];

/// Prompt cache marks.
const CACHE_MARK: &str = "cache_control";

/// The member of a part that is an image, as JSON.
const IMAGE: &str = "\"image_url\"";

/// The two names of reasoning text: of `DeepSeek` and most servers, and of `OpenRouter` and Groq.
const REASONING: [&str; 2] = ["reasoning_content", "reasoning"];

/// State shared by all messages of one conversation.
struct Rewriter<'a> {
    rules: &'a MessageRules,
    drops_names: bool,
    /// For each message, whether its provider-specific members are replayed.
    replayed: Vec<bool>,
    /// Whether messages with tool calls need `reasoning_content`.
    fills_reasoning: bool,
    /// The id map, if ids of calls change.
    ids: Option<CallIdMap>,
}

/// The messages in the provider's form. Usually borrowed because nothing changes. `thinks` is whether
/// the model may think.
///
/// # Errors
/// A message contains media that the provider does not support.
pub(crate) fn convert<'a>(
    messages: &'a [Message],
    profile: &Profile,
    thinks: bool,
) -> Result<Cow<'a, [Message]>, LlmError> {
    match chat_form::of(messages)? {
        Cow::Borrowed(messages) => adapt(messages, profile, thinks),
        Cow::Owned(messages) => Ok(Cow::Owned(adapt(&messages, profile, thinks)?.into_owned())),
    }
}

/// Adapts messages in the format of chat completions.
fn adapt<'a>(
    messages: &'a [Message],
    profile: &Profile,
    thinks: bool,
) -> Result<Cow<'a, [Message]>, LlmError> {
    let rules = &profile.messages;
    check_media(messages, rules.media)?;
    let drops_names = profile.drops.contains(&"messages[].name");
    let mut rewriter = Rewriter {
        rules,
        drops_names,
        replayed: turns::replayed(messages, rules.replay_when),
        fills_reasoning: rules.requires_reasoning && thinks,
        ids: must_change_ids(messages, rules).then(|| CallIdMap::new(rules.call_ids)),
    };
    let system = rules.one_system && must_merge_system(messages);
    if !system && !messages.iter().any(|it| rewriter.needs_rewrite(it)) {
        return Ok(Cow::Borrowed(messages));
    }
    let mut converted = Vec::with_capacity(messages.len());
    if system {
        converted.push(merged_system(messages)?);
    }
    for (at, message) in messages.iter().enumerate() {
        if system && is_system(message) {
            continue;
        }
        converted.push(if rewriter.needs_rewrite(message) {
            rewriter.rewrite(at, message)?
        } else {
            message.clone()
        });
    }
    Ok(Cow::Owned(converted))
}

impl Rewriter<'_> {
    /// Whether a message may have to change. Searches the raw text only.
    fn needs_rewrite(&self, message: &Message) -> bool {
        let text = message.raw().as_str();
        if cache_lifetime::is_set(message) {
            return true;
        }
        let is_named = self.drops_names && text.contains("\"name\"");
        if !self.rules.cache_marks && has_cache_mark(message) {
            return true;
        }
        match message.role() {
            Role::Developer => !self.rules.developer,
            Role::Assistant => {
                self.rules.strict
                    || self.ids.is_some()
                    || is_named
                    || (self.fills_reasoning && turns::has_calls(message))
                    || has_null(text)
                    || MARKS.iter().any(|mark| text.contains(mark))
            }
            Role::Tool => self.ids.is_some() || self.rules.strict,
            Role::System | Role::User => is_named || self.rules.strict || has_bare_image(text),
            Role::Function => false,
        }
    }

    fn is_replayed(&self, at: usize, name: &str) -> bool {
        self.rules.replay.contains(&name) && self.replayed.get(at) == Some(&true)
    }

    fn rewrite(&mut self, at: usize, message: &Message) -> Result<Message, LlmError> {
        let role = match message.role() {
            Role::Developer if !self.rules.developer => Role::System,
            role => role,
        };
        let mut members: Members = message.raw().read().map_err(unreadable)?;
        let is_assistant = role == Role::Assistant;
        if is_assistant {
            self.rename_reasoning(&mut members);
        }
        if !self.rules.cache_marks {
            members = members.without(&[CACHE_MARK]);
        }
        members.0.retain(|(name, value)| {
            let name = name.as_str();
            let is_null = is_assistant && name != "content" && value.as_str() == "null";
            let is_unknown = self.rules.strict && !WIRE_MEMBERS.contains(&name);
            let is_label = self.drops_names && name == "name" && role != Role::Function;
            let is_providers = is_assistant && PROVIDER_MEMBERS.contains(&name);
            if is_providers || is_unknown {
                return is_assistant && !is_null && self.is_replayed(at, name);
            }
            !is_null && !is_label
        });
        let must_fill = self.fills_reasoning && turns::has_calls(message);
        if must_fill && members.get(REASONING[0]).is_none() {
            let none = Json::from_value("").map_err(unreadable)?;
            members.0.push((REASONING[0].to_owned(), none));
        }
        for (name, value) in &mut members.0 {
            match name.as_str() {
                "role" => *value = Json::from_value(&role).map_err(unreadable)?,
                "content" => {
                    if !self.rules.cache_marks
                        && let Some(parts) = without_cache_marks(value)
                    {
                        *value = parts;
                    }
                    if let Some(parts) = with_image_objects(value) {
                        *value = parts;
                    }
                }
                "tool_calls" if is_assistant => *value = self.calls(at, value)?,
                "tool_call_id" => {
                    if let (Some(ids), Ok(id)) = (&mut self.ids, value.read::<String>()) {
                        *value = Json::from_value(&ids.of_result(&id)).map_err(unreadable)?;
                    }
                }
                _ => {}
            }
        }
        let raw = Json::from_value(&members).map_err(unreadable)?;
        let raw = cache_lifetime::removed(&raw).unwrap_or(raw);
        Ok(Message::from_stored(role, raw))
    }

    /// Gives the reasoning of an assistant message the names that the provider reads. Clients get it as
    /// `reasoning_content` from every provider.
    fn rename_reasoning(&self, members: &mut Members) {
        let is_present = |value: &Json| !matches!(value.as_str(), "null" | "\"\"");
        let mut values = REASONING.iter().filter_map(|name| members.get(name));
        let Some(reasoning) = values.find(|value| is_present(value)).cloned() else {
            return;
        };
        for name in REASONING {
            let known = members.0.iter_mut().find(|(known, _)| known == name);
            match known {
                Some((_, value)) if !is_present(value) => *value = reasoning.clone(),
                None if self.rules.replay.contains(&name) => {
                    members.0.push((name.to_owned(), reasoning.clone()));
                }
                _ => {}
            }
        }
    }

    /// Removes the members of a call that the provider rejects.
    fn filter_call(&self, at: usize, call: &mut Members) -> Result<(), LlmError> {
        let (rules, replays) = (self.rules, |name: &str| self.is_replayed(at, name));
        call.0.retain(|(name, _)| {
            let name = name.as_str();
            let is_opaque =
                PROVIDER_MEMBERS.contains(&name) || (rules.strict && !CALL_MEMBERS.contains(&name));
            let is_mark = name == CACHE_MARK && !rules.cache_marks;
            replays(name) || (!is_opaque && !is_mark)
        });
        if !rules.strict {
            return Ok(());
        }
        let functions = call.0.iter_mut();
        for (_, value) in
            functions.filter(|(name, _)| matches!(name.as_str(), "function" | "custom"))
        {
            if let Ok(mut function) = value.read::<Members>() {
                function
                    .0
                    .retain(|(name, _)| FUNCTION_MEMBERS.contains(&name.as_str()) || replays(name));
                *value = Json::from_value(&function).map_err(unreadable)?;
            }
        }
        Ok(())
    }

    /// The tool calls of an assistant message.
    fn calls(&mut self, at: usize, calls: &Json) -> Result<Json, LlmError> {
        let Ok(mut calls) = calls.read::<Vec<Members>>() else {
            return Ok(calls.clone());
        };
        for call in &mut calls {
            self.filter_call(at, call)?;
            for (name, value) in &mut call.0 {
                if let (Some(ids), "id", Ok(id)) =
                    (&mut self.ids, name.as_str(), value.read::<String>())
                {
                    *value = Json::from_value(&ids.of_call(at, &id)).map_err(unreadable)?;
                }
            }
        }
        Json::from_value(&calls).map_err(unreadable)
    }
}

/// Whether a message may contain a prompt cache mark.
pub(super) fn has_cache_mark(message: &Message) -> bool {
    message.raw().as_str().contains("\"cache_control\"")
}

/// A list of parts without prompt cache marks; `None` if it has none.
fn without_cache_marks(content: &Json) -> Option<Json> {
    if !content.as_str().contains("\"cache_control\"") {
        return None;
    }
    let parts: Vec<Members> = content.read().ok()?;
    let parts = parts.into_iter().map(|part| part.without(&[CACHE_MARK]));
    let parts: Vec<Members> = parts.collect();
    Json::from_value(&parts).ok()
}

/// Whether a part may have its image as a text. Some clients send it so, and `OpenAI` takes an object.
fn has_bare_image(text: &str) -> bool {
    text.match_indices(IMAGE).any(|(at, _)| {
        let after = text.get(at + IMAGE.len()..).unwrap_or_default();
        let value = after.trim_start().strip_prefix(':').map(str::trim_start);
        value.is_some_and(|value| value.starts_with('"'))
    })
}

/// A list of parts in which images are objects; `None` if it is one already.
fn with_image_objects(content: &Json) -> Option<Json> {
    #[derive(Serialize)]
    struct ImageUrl {
        url: Json,
    }
    if !has_bare_image(content.as_str()) {
        return None;
    }
    let mut parts: Vec<Members> = content.read().ok()?;
    for part in &mut parts {
        for (name, value) in &mut part.0 {
            if name == "image_url" && value.as_str().starts_with('"') {
                let url = value.clone();
                *value = Json::from_value(&ImageUrl { url }).ok()?;
            }
        }
    }
    Json::from_value(&parts).ok()
}

/// Whether a member other than the content may be null: SDKs return nulls for absent members, and
/// some servers reject them.
fn has_null(text: &str) -> bool {
    text.match_indices("null").any(|(at, _)| {
        let before = text.get(..at).unwrap_or_default().trim_end();
        let name = before.strip_suffix(':').map(str::trim_end);
        name.is_some_and(|name| !name.ends_with("\"content\""))
    })
}

fn is_system(message: &Message) -> bool {
    matches!(message.role(), Role::System | Role::Developer)
}

/// Whether there are several system messages, or one that is not first.
fn must_merge_system(messages: &[Message]) -> bool {
    messages.iter().skip(1).any(is_system)
}

/// Merges all system messages, in order.
fn merged_system(messages: &[Message]) -> Result<Message, LlmError> {
    let mut texts: Vec<String> = Vec::new();
    for message in messages.iter().filter(|it| is_system(it)) {
        let view = message.view().map_err(unreadable)?;
        for text in view.content.iter().flat_map(Content::texts) {
            // Clients of a session repeat their system prompt in every turn.
            if !text.is_empty() && !texts.iter().any(|it| it == text) {
                texts.push(text.to_owned());
            }
        }
    }
    Message::text(Role::System, &texts.join("\n\n")).map_err(unreadable)
}

/// Whether the provider would reject the id of a call.
fn must_change_ids(messages: &[Message], rules: &MessageRules) -> bool {
    let rule = rules.call_ids;
    if rule.length.is_none() && rule.beside_alphanumeric.is_none() && !rule.unique {
        return false;
    }
    let mut seen = Vec::new();
    let calls = messages
        .iter()
        .filter(|it| it.role() == Role::Assistant && it.raw().as_str().contains("\"tool_calls\""));
    for call in calls.filter_map(|it| it.view().ok()?.tool_calls).flatten() {
        if !call_id_map::fits(rule, &call.id) || (rule.unique && seen.contains(&call.id)) {
            return true;
        }
        seen.push(call.id);
    }
    false
}

/// Rejects media that the provider does not support, before the request is sent.
fn check_media(messages: &[Message], media: Media) -> Result<(), LlmError> {
    let takes = |kind: &str| match kind {
        "text" | "refusal" | "thinking" => true,
        "image_url" => media.images,
        "input_audio" => media.audio,
        "file" => media.files,
        "document_url" => media.documents,
        _ => media.video,
    };
    if media.images && media.audio && media.files && media.documents && media.video {
        return Ok(());
    }
    for (position, message) in messages.iter().enumerate() {
        let refused = kinds(message).into_iter().find(|kind| !takes(kind));
        if let Some(kind) = refused {
            return Err(LlmError::Unsupported {
                message: format!("This model does not take parts of type `{}`.", shown(&kind)),
                param: format!("messages[{position}].content"),
            });
        }
    }
    Ok(())
}

/// The name of a type in an error.
fn shown(kind: &str) -> String {
    const MAX_CHARS: usize = 64;
    kind.chars().take(MAX_CHARS).collect()
}

/// The part types of a user message. Messages of plain text are not parsed: quotes within a text
/// are escaped.
fn kinds(message: &Message) -> Vec<String> {
    #[derive(Deserialize)]
    struct Parts {
        content: Vec<Part>,
    }
    #[derive(Deserialize)]
    struct Part {
        r#type: String,
    }
    let raw = message.raw();
    if message.role() != Role::User || !raw.as_str().contains("\"type\"") {
        return Vec::new();
    }
    let parts = raw
        .read()
        .map_or_else(|_| Vec::new(), |it: Parts| it.content);
    parts.into_iter().map(|part| part.r#type).collect()
}

#[allow(clippy::needless_pass_by_value, reason = "an argument of map_err")]
fn unreadable(error: serde_json::Error) -> LlmError {
    LlmError::Malformed(error.to_string())
}
