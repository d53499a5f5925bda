//! JSON rows as text tables.

use chrono::DateTime;
use serde_json::Value;

use crate::visible::{self, escape};

/// A column: its title, and its cell for a row.
pub(crate) type Column<'a> = (&'a str, &'a dyn Fn(&Value) -> String);

/// Renders rows, each column as wide as its widest cell.
pub(crate) fn table(rows: &Value, columns: &[Column<'_>]) -> String {
    let rows = rows.as_array().map(Vec::as_slice).unwrap_or_default();
    if rows.is_empty() {
        return "(none)".to_owned();
    }
    let title = columns
        .iter()
        .map(|(title, _)| (*title).to_owned())
        .collect();
    let mut lines: Vec<Vec<String>> = vec![title];
    lines.extend(
        rows.iter()
            .map(|row| columns.iter().map(|(_, show)| show(row)).collect()),
    );
    let widths: Vec<usize> = (0..columns.len())
        .map(|at| {
            let cells = lines.iter().filter_map(|line| line.get(at));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        })
        .collect();
    let show = |line: &Vec<String>| {
        let cells = line.iter().zip(&widths);
        let padded: Vec<String> = cells
            .map(|(cell, width)| format!("{cell:<width$}"))
            .collect();
        padded.join("  ").trim_end().to_owned()
    };
    lines.iter().map(show).collect::<Vec<_>>().join("\n")
}

/// Whether a member is absent or null.
pub(crate) fn is_absent(row: &Value, member: &str) -> bool {
    row.get(member).is_none_or(Value::is_null)
}

/// A member as text, or `-`. Members are untrusted, so they are escaped.
pub(crate) fn text(row: &Value, member: &str) -> String {
    match row.get(member) {
        Some(Value::String(text)) => escape(text),
        Some(Value::Null) | None => "-".to_owned(),
        Some(other) => visible::json(other),
    }
}

/// A list of strings.
pub(crate) fn words(row: &Value, member: &str) -> String {
    let words = row.get(member).and_then(Value::as_array);
    let words: Vec<&str> = words
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    if words.is_empty() {
        "-".to_owned()
    } else {
        escape(&words.join(" "))
    }
}

/// A count with thousands separators.
pub(crate) fn number(row: &Value, member: &str) -> String {
    let Some(count) = row.get(member).and_then(Value::as_u64) else {
        return "-".to_owned();
    };
    let digits = count.to_string();
    let mut grouped = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// A Unix timestamp as date and time, in UTC.
pub(crate) fn moment(row: &Value, member: &str) -> String {
    let seconds = row.get(member).and_then(Value::as_i64);
    let moment = seconds.and_then(|seconds| DateTime::from_timestamp(seconds, 0));
    moment.map_or_else(
        || "-".to_owned(),
        |moment| moment.format("%Y-%m-%d %H:%M").to_string(),
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let rows = json!([{"a": "long word", "c": 0}, {"a": null, "c": null}]);
        let columns: [Column<'_>; 2] = [
            ("A", &|row| text(row, "a")),
            ("AT", &|row| moment(row, "c")),
        ];
        assert_eq!(
            table(&rows, &columns),
            "A          AT\nlong word  1970-01-01 00:00\n-          -"
        );
        assert_eq!(table(&json!([]), &[]), "(none)");
    }

    #[test]
    fn thousands_are_separated() {
        let row = json!({"a": 0, "b": 999, "c": 1_234_567});
        let shown = ["a", "b", "c", "d"].map(|member| number(&row, member));
        assert_eq!(shown, ["0", "999", "1,234,567", "-"]);
    }

    #[test]
    fn control_characters_in_names_are_escaped() {
        assert_eq!(text(&json!({"a": "x\u{1b}[31m\n"}), "a"), "x\\u{1b}[31m\\n");
        assert_eq!(
            words(&json!({"a": ["x\u{202e}", "y"]}), "a"),
            "x\\u{202e} y"
        );
    }
}
