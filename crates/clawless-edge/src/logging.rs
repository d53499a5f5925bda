//! Structured logging: one JSON line an event on the Workers console.
//!
//! Spans give their fields to every event inside them, so that a line names its request without
//! the code that logs having to know it. Line breaks and control characters in values are escaped
//! by JSON.

use std::fmt::{self, Write};

use clawless_core::time::Clock;
use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::layer::{Context, SubscriberExt};
use tracing_subscriber::registry::{LookupSpan, Scope};
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, Registry};
use worker::Env;

use crate::time::EdgeTime;

/// Starts logging at the level of the variable `LOG_LEVEL` (`error`, `warn`, `info`, `debug`,
/// `trace`; anything else means `info`). Only the first call in an isolate has an effect.
pub fn start(env: &Env) {
    if tracing::dispatcher::has_been_set() {
        return;
    }
    let level = env.var("LOG_LEVEL").map(|level| level.to_string());
    let level = level.ok().and_then(|level| level.parse().ok());
    let layer = ConsoleLayer.with_filter(level.unwrap_or(LevelFilter::INFO));
    // Fails only where a subscriber is already set.
    let _ = Registry::default().with(layer).try_init();
}

/// Writes events as JSON lines.
struct ConsoleLayer;

/// The fields of a span, kept in its extensions.
#[derive(Default)]
struct Fields(Map<String, Value>);

impl<S: Subscriber + for<'span> LookupSpan<'span>> Layer<S> for ConsoleLayer {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        if let Some(span) = context.span(id) {
            let mut fields = Fields::default();
            attributes.record(&mut fields);
            span.extensions_mut().insert(fields);
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        if let Some(span) = context.span(id)
            && let Some(fields) = span.extensions_mut().get_mut::<Fields>()
        {
            values.record(fields);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut line = Fields::default();
        line.put("time", EdgeTime.now().as_millis().into());
        line.put("level", event.metadata().level().as_str().into());
        for span in context
            .event_scope(event)
            .into_iter()
            .flat_map(Scope::from_root)
        {
            if let Some(fields) = span.extensions().get::<Fields>() {
                line.0.extend(fields.0.clone());
            }
        }
        event.record(&mut line);
        let text = plain(&Value::Object(line.0).to_string());
        match *event.metadata().level() {
            Level::ERROR => worker::console_error!("{text}"),
            Level::WARN => worker::console_warn!("{text}"),
            _ => worker::console_log!("{text}"),
        }
    }
}

/// JSON escapes the controls below U+0020 only. Terminals and log viewers also obey DEL and the
/// controls from U+0080 on, and some break or turn lines at U+2028 and its like: these are escaped
/// here, as they can stand within texts only.
fn plain(json: &str) -> String {
    let mut plain = String::with_capacity(json.len());
    for letter in json.chars() {
        let turns = matches!(letter, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        if letter.is_control() || turns {
            // Writing to a string cannot fail.
            let _ = write!(plain, "\\u{:04x}", u32::from(letter));
        } else {
            plain.push(letter);
        }
    }
    plain
}

impl Fields {
    fn put(&mut self, name: &str, value: Value) {
        self.0.insert(name.to_owned(), value);
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field.name(), format!("{value:?}").into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field.name(), value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field.name(), value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field.name(), value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field.name(), value.into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attack_56_what_a_terminal_would_obey_is_escaped_and_reads_as_it_was() {
        let hostile = "a\r\nb\u{1b}[31m\u{7f}\u{9b}2J\u{2028}\u{202e}\u{2066}\u{e4}\u{1f600}\"\\";
        let line = plain(&Value::from(hostile).to_string());
        assert!(
            !line.contains(char::is_control)
                && !line.contains(['\u{2028}', '\u{202e}', '\u{2066}'])
        );
        assert!(line.contains("\u{e4}\u{1f600}"));
        assert_eq!(
            serde_json::from_str::<String>(&line).expect("JSON"),
            hostile
        );
    }
}
