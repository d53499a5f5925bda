//! The admin API's answers as tables.

use serde_json::Value;

use crate::operator::{Column, is_absent, moment, number, table, text};

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

/// What was said, a line a message. It comes from strangers: what a terminal would obey is escaped.
pub(super) fn messages(list: &Value) -> String {
    let lines = list.as_array().into_iter().flatten().map(|message| {
        let (turn, role) = (number(message, "turn"), text(message, "role"));
        let said = message.get("message").unwrap_or(&Value::Null);
        format!("{turn} {role}: {}", text(said, "content"))
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// One record, a line a member; what takes its default is left out.
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
            format!("{name:<16}{value}")
        })
        .collect();
    lines.join("\n")
}

const SUMS: [Column<'static>; 5] = [
    ("MESSAGES", &|row| number(row, "messages")),
    ("TOKENS IN", &|row| number(row, "tokens_in")),
    ("TOKENS OUT", &|row| number(row, "tokens_out")),
    ("TOKENS", &|row| number(row, "tokens")),
    ("MICRO-DOLLARS", &|row| number(row, "micro_dollars")),
];

pub(super) fn usage_of_one(report: &Value) -> String {
    let mut columns: Vec<Column<'_>> = vec![
        ("DAY", &|row| text(row, "day")),
        ("MODEL", &|row| text(row, "model")),
        ("KEY", &|row| text(row, "key_id")),
    ];
    columns.extend(SUMS);
    let (from, to) = (moment(report, "from"), moment(report, "to"));
    let rows = table(report.get("data").unwrap_or(&Value::Null), &columns);
    format!("From {from} to {to} (UTC)\n{rows}")
}

pub(super) fn usage_of_all(list: &Value) -> String {
    let mut columns: Vec<Column<'_>> = vec![("TENANT", &|row| text(row, "tenant_id"))];
    columns.extend(SUMS);
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

pub(super) fn new_token(minted: &Value) -> String {
    let (id, token) = (text(minted, "id"), text(minted, "token"));
    format!("{id}\n{token}\nKeep it now: it is not shown again.")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_tenant_shows_what_was_set() {
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
    fn what_was_said_cannot_speak_to_the_terminal() {
        let said =
            |content: Value| json!({"turn": 1, "role": "user", "message": {"content": content}});
        let list = json!([
            said(json!("a\u{1b}[31m\nb")),
            said(json!([{"text": "\u{9b}31m"}]))
        ]);
        assert_eq!(
            messages(&list),
            "1 user: a\\u{1b}[31m\\nb\n1 user: [{\"text\":\"\\u{9b}31m\"}]"
        );
    }

    #[test]
    fn usage_is_a_table_of_sums() {
        let line = json!({"day": "2026-01-31", "model": "m", "key_id": "key_1", "messages": 2,
                          "tokens_in": 1000, "tokens_out": 5, "tokens": 1005, "micro_dollars": 0});
        let shown = usage_of_one(&json!({"from": 0, "to": 60, "data": [line]}));
        assert!(
            shown.contains("2026-01-31  m      key_1  2         1,000"),
            "{shown}"
        );
    }
}
