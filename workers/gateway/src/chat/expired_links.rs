//! Media by link in a session's history. If a link expires, the provider rejects every later turn and
//! cannot say which message of the session has the link: the error names it.

use clawless_core::{ApiError, ErrorCode};
use clawless_store::messages;

use super::model::call::CallFailure;
use super::model::turn::Turn;
use crate::platform::Platform;

/// Words of a provider's error about a link that it cannot read, in lower case.
const SIGNS: [&str; 6] = ["image", "url", "download", "fetch", "media", "file"];

/// The most messages that an error names.
const MAX_NAMED: usize = 3;

/// Adds to a provider's rejection the messages of the session whose links may have caused it. Other
/// failures stay as they are.
pub(super) async fn explain<P: Platform>(
    platform: &P,
    turn: &Turn,
    failure: CallFailure,
) -> CallFailure {
    match failure {
        CallFailure::Failed { error, spent } => {
            let error = explain_error(platform, turn, *error).await.into();
            CallFailure::Failed { error, spent }
        }
        left @ CallFailure::ClientLeft { .. } => left,
    }
}

async fn explain_error<P: Platform>(platform: &P, turn: &Turn, error: ApiError) -> ApiError {
    let Some(session) = turn.session.as_ref() else {
        return error;
    };
    if error.code != ErrorCode::InvalidValue {
        return error;
    }
    let tenant = &turn.identity.tenant;
    let mut named = Vec::new();
    for link in suspects(turn, &error.message) {
        let found = messages::containing(platform.sql(), tenant, &session.id, link).await;
        match found {
            Ok(Some(id)) if !named.contains(&id) => named.push(id),
            Ok(_) => {}
            Err(failure) => {
                tracing::warn!(internal = failure.internal(), "find linked message failed");
                break;
            }
        }
        if named.len() == MAX_NAMED {
            break;
        }
    }
    if named.is_empty() {
        return error;
    }
    let named: Vec<String> = named.iter().map(|id| format!("`{id}`")).collect();
    let message = format!(
        "{} The session's history has media by link in {}. If a link has expired, delete its message \
         with DELETE /v1/sessions/{}/messages/{{id}}, or send media inline as `data:` URLs.",
        error.message,
        named.join(", "),
        session.id.as_str(),
    );
    ApiError { message, ..error }.param("messages")
}

/// The links of the history that an error may be about: those that it contains; or all of them, if it
/// is about media.
fn suspects<'a>(turn: &'a Turn, message: &str) -> Vec<&'a str> {
    let all = turn.llm.messages.iter();
    let all = all.flat_map(|message| links(message.raw().as_str()));
    let sent: Vec<&str> = turn
        .input
        .iter()
        .flat_map(|message| links(message.raw().as_str()))
        .collect();
    let history: Vec<&str> = all.filter(|link| !sent.contains(link)).collect();
    let quoted = history.iter().filter(|link| message.contains(**link));
    let quoted: Vec<&str> = quoted.copied().collect();
    if !quoted.is_empty() {
        return quoted;
    }
    let lower = message.to_lowercase();
    if SIGNS.iter().any(|sign| lower.contains(sign)) {
        return history;
    }
    Vec::new()
}

/// The links of a message: its members `url` with a web address.
fn links(json: &str) -> impl Iterator<Item = &str> {
    let values = json.split("\"url\"").skip(1).filter_map(|rest| {
        let value = rest.trim_start().strip_prefix(':')?.trim_start();
        value.strip_prefix('"')?.split('"').next()
    });
    values.filter(|value| value.starts_with("http"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_members_with_a_web_address() {
        let json = r#"{"role":"user","content":[
            {"type":"image_url","image_url":{"url": "https://a.example/1.png?s=x"}},
            {"type":"video_url","video_url":{"url":"http://b.example/2"}},
            {"type":"image_url","image_url":{"url":"data:image/png;base64,AAAA"}},
            {"type":"text","text":"url: https://c.example"}]}"#;
        let found: Vec<&str> = links(json).collect();
        assert_eq!(found, ["https://a.example/1.png?s=x", "http://b.example/2"]);
    }
}
