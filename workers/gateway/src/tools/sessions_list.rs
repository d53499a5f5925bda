//! `sessions_list`: the tenant's sessions.

use std::collections::BTreeMap;

use clawless_core::civil::Civil;
use clawless_core::{Clock, Scope, Session, SessionId};
use clawless_store::sessions::{self, Filter, ListStart, MAX_PAGE_BYTES};
use garde::Validate;
use serde::{Deserialize, Serialize};

use super::tool::{Tool, ToolContext, ToolError, json, session_not_found};
use crate::platform::Platform;

/// The default number of sessions.
const DEFAULT_LIMIT: u32 = 20;
/// The most sessions of one list.
const MAX_LIMIT: u32 = 200;
/// The longest list, in bytes; a longer one is cut and has a `next`.
const MAX_BYTES: usize = 60 * 1024;

/// The tool.
#[derive(Debug)]
pub(super) struct SessionsList;

/// The arguments of `sessions_list`.
#[derive(Debug, Deserialize, Validate)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct Arguments {
    /// How many sessions, newest first: 1 to 200, 20 by default.
    #[garde(inner(range(min = 1, max = MAX_LIMIT)))]
    #[cfg_attr(test, schemars(range(min = 1, max = 200)))]
    limit: Option<u32>,
    /// Only sessions whose title contains this text.
    #[garde(inner(length(min = 1, max = 200)))]
    #[cfg_attr(test, schemars(length(min = 1, max = 200)))]
    title: Option<String>,
    /// Go on after this session: the `next` of an earlier list.
    #[garde(inner(length(max = 128)))]
    #[cfg_attr(test, schemars(length(max = 128)))]
    after: Option<String>,
}

#[derive(Serialize)]
struct List<'a> {
    sessions: Vec<Entry<'a>>,
    /// The value of `after` for the rest, if there is more.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<&'a str>,
}

#[derive(Serialize)]
struct Entry<'a> {
    id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<&'a str>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    metadata: &'a BTreeMap<String, String>,
    created_at: String,
    updated_at: String,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    this_session: bool,
}

impl Tool for SessionsList {
    const NAME: &'static str = "sessions_list";
    const DESCRIPTION: &'static str = "Lists the sessions (conversations) of this account, newest \
        first, with their ids, titles and times. Use it to find a session by what it is about.";
    const PERMISSION: Scope = Scope::SessionsRead;
    type Arguments = Arguments;

    async fn run<P: Platform>(
        context: &ToolContext<'_, P>,
        arguments: Arguments,
    ) -> Result<String, ToolError> {
        let platform = context.platform;
        let start = match &arguments.after {
            None => None,
            Some(id) => Some(start(context, id).await?),
        };
        let limit = arguments.limit.unwrap_or(DEFAULT_LIMIT);
        let filter = Filter {
            title: arguments.title,
            ..Filter::default()
        };
        let _held = context.hold(MAX_PAGE_BYTES)?;
        let found = sessions::page(
            platform.sql(),
            context.tenant,
            &filter,
            start.as_ref(),
            limit + 1,
            platform.time().now(),
        )
        .await?;
        list(&found, limit, context.session)
    }
}

/// As many of the sessions as fit a list.
fn list(found: &[Session], limit: u32, here: Option<&SessionId>) -> Result<String, ToolError> {
    let most = usize::try_from(limit).unwrap_or(usize::MAX);
    let mut bytes = 0;
    let mut sessions = Vec::new();
    for session in found.iter().take(most) {
        let entry = Entry {
            id: session.id.as_str(),
            title: session.title.as_deref(),
            metadata: &session.metadata,
            created_at: format!("{}Z", Civil::from_timestamp(session.created_at)),
            updated_at: format!("{}Z", Civil::from_timestamp(session.updated_at)),
            this_session: Some(&session.id) == here,
        };
        bytes += json(&entry)?.len() + 1;
        if bytes > MAX_BYTES && !sessions.is_empty() {
            break;
        }
        sessions.push(entry);
    }
    // A page of long settings may end early; another one may then be empty.
    let settings: u64 = found.iter().map(Session::settings_bytes).sum();
    let is_all = sessions.len() == found.len() && settings <= MAX_PAGE_BYTES / 2;
    let last = sessions.last().map(|entry| entry.id);
    json(&List {
        next: last.filter(|_| !is_all),
        sessions,
    })
}

/// The position after a session of the tenant.
async fn start<P: Platform>(
    context: &ToolContext<'_, P>,
    id: &str,
) -> Result<ListStart, ToolError> {
    let (sql, now) = (context.platform.sql(), context.platform.time().now());
    let found = match SessionId::from_stored(id) {
        Ok(id) => sessions::find(sql, context.tenant, &id, now).await?,
        Err(_) => None,
    };
    let found = found.ok_or_else(|| session_not_found(id))?;
    Ok(ListStart {
        created_at: found.created_at,
        id: found.id,
    })
}
