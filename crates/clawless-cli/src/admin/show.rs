//! The admin API's responses as tables.

use serde_json::Value;

use crate::{
    table::{Column, is_absent, moment, number, table, text},
    visible::escape,
};

pub(super) fn tenants(list: &Value) -> String {
    table(
        list,
        &[
            ("ID", &|row| text(row, "id")),
            ("NAME", &|row| text(row, "name")),
            ("TIER", &|row| text(row, "tier")),
            ("STATUS", &|row| text(row, "status")),
            ("CREATED", &|row| moment(row, "created_at")),
            ("CHANGED", &|row| moment(row, "updated_at")),
        ],
    )
}

pub(super) fn sessions(list: &Value) -> String {
    table(
        list,
        &[
            ("ID", &|row| text(row, "id")),
            ("TITLE", &|row| text(row, "title")),
            ("TOKENS", &|row| number(row, "token_total")),
            ("CREATED", &|row| moment(row, "created_at")),
            ("CHANGED", &|row| moment(row, "updated_at")),
        ],
    )
}

/// Messages, one per line. They are untrusted: terminal control sequences are escaped.
pub(super) fn messages(list: &Value) -> String {
    let lines = list.as_array().into_iter().flatten().map(|message| {
        let (turn, role) = (number(message, "turn"), text(message, "role"));
        let body = message.get("message").unwrap_or(&Value::Null);
        format!("{turn} {role}: {}", text(body, "content"))
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// One record, one member per line, without members that have their default.
pub(super) fn members(record: &Value) -> String {
    let members = record.as_object().into_iter().flatten();
    let is_default = |value: &Value| match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.is_empty(),
        _ => false,
    };
    let shown = members.filter(|(name, value)| *name != "object" && !is_default(value));
    let lines: Vec<String> = shown
        .map(|(name, _)| {
            let value = if name.ends_with("_at") {
                moment(record, name)
            } else {
                text(record, name)
            };
            format!("{:<15} {value}", escape(name))
        })
        .collect();
    lines.join("\n")
}

const TOTALS: [Column<'static>; 5] = [
    ("MESSAGES", &|row| number(row, "messages")),
    ("TOKENS IN", &|row| number(row, "tokens_in")),
    ("TOKENS OUT", &|row| number(row, "tokens_out")),
    ("TOKENS", &|row| number(row, "tokens")),
    ("MICRO-DOLLARS", &|row| number(row, "micro_dollars")),
];

pub(super) fn tenant_usage(report: &Value) -> String {
    let mut columns: Vec<Column<'_>> = vec![
        ("DAY", &|row| text(row, "day")),
        ("MODEL", &|row| text(row, "model")),
        ("KEY", &|row| text(row, "key_id")),
    ];
    columns.extend(TOTALS);
    let (from, to) = (moment(report, "from"), moment(report, "to"));
    let rows = table(report.get("data").unwrap_or(&Value::Null), &columns);
    format!("From {from} to {to} (UTC)\n{rows}")
}

pub(super) fn all_usage(list: &Value) -> String {
    let mut columns: Vec<Column<'_>> = vec![("TENANT", &|row| text(row, "tenant_id"))];
    columns.extend(TOTALS);
    table(list, &columns)
}

pub(super) fn audit(log: &Value) -> String {
    table(
        log,
        &[
            ("AT", &|row| moment(row, "at")),
            ("WHO", &|row| text(row, "actor")),
            ("WHAT", &|row| text(row, "action")),
            ("TO", &|row| text(row, "target")),
            ("REQUEST", &|row| text(row, "request_id")),
        ],
    )
}

pub(super) fn tokens(list: &Value) -> String {
    table(
        list,
        &[
            ("ID", &|row| text(row, "id")),
            ("NAME", &|row| text(row, "name")),
            ("ROLE", &role),
            ("CREATED", &|row| moment(row, "created_at")),
            ("ENDS", &|row| {
                if is_absent(row, "revoked_at") {
                    moment(row, "expires_at")
                } else {
                    format!("revoked {}", moment(row, "revoked_at"))
                }
            }),
        ],
    )
}

/// A token's role, with the tenant that it is bound to.
pub(super) fn role(token: &Value) -> String {
    let role = text(token, "role");
    if is_absent(token, "tenant_id") {
        return role;
    }
    format!("{role} of {}", text(token, "tenant_id"))
}

pub(super) fn new_token(minted: &Value) -> String {
    let (id, token) = (text(minted, "id"), text(minted, "token"));
    format!("{id}\n{token}\nStore it now: it is not shown again.")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_tenant_shows_its_settings() {
        let shown = members(&json!({
            "object": "tenant", "id": "ten_1", "name": "A", "limits": {"burst": 5}, "quotas": {},
            "tools": [], "system_prompt": null, "created_at": 0,
        }));
        assert_eq!(
            shown,
            "created_at      1970-01-01 00:00\n\
             id              ten_1\n\
             limits          {\"burst\":5}\n\
             name            A"
        );
    }

    #[test]
    fn terminal_control_sequences_in_messages_are_escaped() {
        let message =
            |content: Value| json!({"turn": 1, "role": "user", "message": {"content": content}});
        let list = json!([
            message(json!("a\u{1b}[31m\nb")),
            message(json!([{"text": "\u{9b}31m"}]))
        ]);
        assert_eq!(
            messages(&list),
            "1 user: a\\u{1b}[31m\\nb\n1 user: [{\"text\":\"\\u009b31m\"}]"
        );
    }

    #[test]
    fn usage_is_a_table_of_totals() {
        let line = json!({"day": "2026-01-31", "model": "m", "key_id": "key_1", "messages": 2,
                          "tokens_in": 1000, "tokens_out": 5, "tokens": 1005, "micro_dollars": 0});
        let shown = tenant_usage(&json!({"from": 0, "to": 60, "data": [line]}));
        assert!(
            shown.contains("2026-01-31  m      key_1  2         1,000"),
            "{shown}"
        );
    }
}
