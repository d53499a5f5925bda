//! The admin API's responses as tables.

use serde_json::{Value, json};

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
    let usage = format!("From {from} to {to} (UTC)\n{rows}");
    if is_absent(report, "storage") {
        return usage;
    }
    format!("{usage}\n\n{}", storage(report))
}

/// What a tenant has stored, with its limits.
fn storage(report: &Value) -> String {
    let amount = |of: &str, kind: &str| report.pointer(&format!("/storage/{of}/{kind}"));
    let rows = ["sessions", "messages", "bytes"].map(|kind| {
        let [used, reserved, limit] = ["used", "reserved", "limits"].map(|of| amount(of, kind));
        let percent = share(used, limit);
        json!({"kind": kind, "used": used, "reserved": reserved, "limit": limit, "percent": percent})
    });
    let limit = |row: &Value| match row.get("limit") {
        Some(Value::Null) | None => "unlimited".to_owned(),
        Some(_) => number(row, "limit"),
    };
    let columns: [Column<'_>; 5] = [
        ("STORED", &|row| text(row, "kind")),
        ("USED", &|row| number(row, "used")),
        ("RESERVED", &|row| number(row, "reserved")),
        ("LIMIT", &limit),
        ("USED %", &|row| number(row, "percent")),
    ];
    table(&Value::from(rows.to_vec()), &columns)
}

/// The used percentage of a limit, rounded down.
fn share(used: Option<&Value>, limit: Option<&Value>) -> Option<u64> {
    let (used, limit) = (used?.as_u64()?, limit?.as_u64()?);
    u64::try_from(u128::from(used) * 100 / u128::from(limit.max(1))).ok()
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
    fn storage_is_shown_with_its_limits() {
        let storage = json!({
            "used": {"sessions": 81, "messages": 2500, "bytes": 7},
            "reserved": {"sessions": 1, "messages": 2, "bytes": 0},
            "limits": {"sessions": 100, "messages": null, "bytes": 0},
        });
        let shown = tenant_usage(&json!({"from": 0, "to": 60, "data": [], "storage": storage}));
        assert_eq!(
            shown,
            "From 1970-01-01 00:00 to 1970-01-01 00:01 (UTC)\n\
             (none)\n\n\
             STORED    USED   RESERVED  LIMIT      USED %\n\
             sessions  81     1         100        81\n\
             messages  2,500  2         unlimited  -\n\
             bytes     7      0         0          700"
        );
        let unknown = json!({"from": 0, "to": 60, "data": [], "storage": null});
        assert!(!tenant_usage(&unknown).contains("STORED"));
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
