//! Accuracy and confusion matrix of the request classifier on labelled requests.

use anyhow::{Context, Result};
use clawless_core::json::Json;
use clawless_core::routing::classify;
use clawless_core::{Message, Role};
use serde_json::{Map, Value, json};

const LABELLED: &str = include_str!("../../crates/clawless-core/data/queries.tsv");
const INDEPENDENT: &str = include_str!("../../crates/clawless-core/data/queries-independent.tsv");

/// Size, accuracy in percent and confusion matrix of each data set.
pub(crate) fn accuracy() -> Result<Value> {
    let labelled = rows(LABELLED);
    let half = |which| labelled.clone().skip(which).step_by(2);
    Ok(json!({
        "tuning": measure(half(0))?,
        "held out": measure(half(1))?,
        "independent": measure(rows(INDEPENDENT))?,
    }))
}

/// The rows of a table: label, language, text.
fn rows(table: &'static str) -> impl Iterator<Item = &'static str> + Clone {
    table
        .lines()
        .filter(|line| !line.starts_with('#') && !line.is_empty())
}

fn measure(rows: impl Iterator<Item = &'static str>) -> Result<Value> {
    let mut confusion = Map::new();
    let (mut correct, mut count) = (0_u32, 0_u32);
    for row in rows {
        let mut fields = row.splitn(3, '\t');
        let (label, text) = fields
            .next()
            .zip(fields.nth(1))
            .context("expected label, language and text")?;
        let class = classify(&[message(text)?]).as_str();
        correct += u32::from(class == label);
        count += 1;
        let counts = confusion.entry(label).or_insert_with(|| json!({}));
        let counts = counts.as_object_mut().context("counts are an object")?;
        let before = counts.get(class).and_then(Value::as_u64).unwrap_or(0);
        counts.insert(class.to_owned(), json!(before + 1));
    }
    let percent = f64::from(correct) * 100.0 / f64::from(count);
    Ok(json!({ "count": count, "percent": percent, "confusion": confusion }))
}

/// The tables mark a request that contains an image with the prefix `[image]`.
fn message(text: &str) -> Result<Message> {
    let Some(text) = text.strip_prefix("[image] ") else {
        return Message::text(Role::User, text).context("invalid text message");
    };
    let parts = json!({ "role": "user", "content": [
        { "type": "image_url", "image_url": { "url": "https://x/y.png" } },
        { "type": "text", "text": text },
    ] });
    Message::parse(Json::from_value(&parts)?)
        .ok()
        .context("invalid image message")
}
