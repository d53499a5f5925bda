//! How often the classifier of requests is right, and what it takes for what.

use anyhow::{Context, Result};
use clawless_core::json::Json;
use clawless_core::routing::classify;
use clawless_core::{Message, Role};
use serde_json::{Map, Value, json};

const LABELLED: &str = include_str!("../../clawless-core/data/queries.tsv");
const INDEPENDENT: &str = include_str!("../../clawless-core/data/queries-independent.tsv");

/// Every set: its size, how many percent are right, and for each label what was found how often.
pub(crate) fn all() -> Result<Value> {
    let labelled = rows(LABELLED);
    let half = |which| labelled.clone().skip(which).step_by(2);
    Ok(json!({
        "tuned on": measure(half(0))?,
        "held back": measure(half(1))?,
        "by somebody else": measure(rows(INDEPENDENT))?,
    }))
}

/// The lines of a table: label, language, text.
fn rows(table: &'static str) -> impl Iterator<Item = &'static str> + Clone {
    table
        .lines()
        .filter(|line| !line.starts_with('#') && !line.is_empty())
}

fn measure(rows: impl Iterator<Item = &'static str>) -> Result<Value> {
    let mut confusion = Map::new();
    let (mut right, mut all) = (0_u32, 0_u32);
    for row in rows {
        let mut fields = row.splitn(3, '\t');
        let (label, text) = fields
            .next()
            .zip(fields.nth(1))
            .context("a label, a language and a text")?;
        let found = classify(&[message(text)?]).as_str();
        right += u32::from(found == label);
        all += 1;
        let counts = confusion.entry(label).or_insert_with(|| json!({}));
        let counts = counts.as_object_mut().context("counts")?;
        let before = counts.get(found).and_then(Value::as_u64).unwrap_or(0);
        counts.insert(found.to_owned(), json!(before + 1));
    }
    let percent = f64::from(right) * 100.0 / f64::from(all);
    Ok(json!({ "count": all, "percent": percent, "confusion": confusion }))
}

/// The tables mark a request with an image by a word.
fn message(text: &str) -> Result<Message> {
    let Some(text) = text.strip_prefix("[image] ") else {
        return Message::text(Role::User, text).context("a message");
    };
    let parts = json!({ "role": "user", "content": [
        { "type": "image_url", "image_url": { "url": "https://x/y.png" } },
        { "type": "text", "text": text },
    ] });
    Message::parse(Json::of(&parts)?)
        .ok()
        .context("a message with an image")
}
