//! Structured logging: one JSON line per event on the Workers console.
//!
//! The fields of a span are added to every event inside it, so that a line names its request and its
//! tenant although the code that logs does not know them. [`work_span`] makes every span; tasks and
//! streams that outlive a handler keep it. JSON escapes line breaks and control characters in values.

use std::fmt::{self, Write};

use clawless_core::time::Clock;
use clawless_core::{RequestId, TenantId};
use serde_json::Value;
use tracing::field::{Empty, Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Span, Subscriber};
use tracing_subscriber::layer::{Context, SubscriberExt};
use tracing_subscriber::registry::{LookupSpan, Scope};
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, Registry};
use worker::Env;

use crate::build_stamp::Build;
use crate::time::EdgeTime;

/// Starts logging at the level of the variable `LOG_LEVEL` (`error`, `warn`, `info`, `debug`,
/// `trace`; anything else means `info`). Only the first call in an isolate has an effect.
pub fn start(env: &Env) {
    if tracing::dispatcher::has_been_set() {
        return;
    }
    let level = env.var("LOG_LEVEL").map(|level| level.to_string());
    let level = level.ok().and_then(|level| level.parse().ok());
    let layer = ConsoleLayer {
        build: Build::of(env).to_string(),
    };
    let layer = layer.with_filter(level.unwrap_or(LevelFilter::INFO));
    // Fails only if a subscriber is already set.
    let _ = Registry::default().with(layer).try_init();
}

/// The name of the span field with a request's id.
const REQUEST_ID: &str = "request_id";
/// The name of the span field with the tenant.
const TENANT: &str = "tenant";

/// The span of one piece of work: a request, a queue message, an alarm. Unknown fields can be set later
/// with [`set_request_id`] and [`set_tenant`]. Its level is that of errors, so that `LOG_LEVEL` never
/// removes the fields.
pub fn work_span(request_id: Option<&RequestId>, tenant: Option<&TenantId>) -> Span {
    let (request_id, tenant) = (
        request_id.map(RequestId::as_str),
        tenant.map(TenantId::as_str),
    );
    tracing::error_span!("work", request_id, tenant, send = Empty)
}

/// Sets the request of the current work.
pub fn set_request_id(id: &RequestId) {
    Span::current().record(REQUEST_ID, id.as_str());
}

/// Sets the tenant of the current work.
pub fn set_tenant(tenant: &TenantId) {
    Span::current().record(TENANT, tenant.as_str());
}

/// The request of the current work, for calls of other objects and Workers.
pub fn current_request_id() -> Option<RequestId> {
    let find = |(id, dispatch): (&Id, &tracing::Dispatch)| {
        let registry = dispatch.downcast_ref::<Registry>()?;
        registry.span(id)?.scope().find_map(|span| {
            let extensions = span.extensions();
            let value = extensions.get::<Fields>()?.get(REQUEST_ID)?;
            value.as_str()?.parse().ok()
        })
    };
    Span::current().with_subscriber(find).flatten()
}

/// Writes events as JSON lines.
struct ConsoleLayer {
    /// Version and commit, in every line: during a gradual deployment two versions log.
    build: String,
}

/// The fields of an event, or of a span in its extensions. A line has few, so a list is faster than a map.
#[derive(Default)]
struct Fields(Vec<(&'static str, Value)>);

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
        line.put("build", self.build.as_str().into());
        for span in context
            .event_scope(event)
            .into_iter()
            .flat_map(Scope::from_root)
        {
            if let Some(fields) = span.extensions().get::<Fields>() {
                for (name, value) in &fields.0 {
                    line.put(name, value.clone());
                }
            }
        }
        event.record(&mut line);
        let text = escape_controls(line.to_json());
        match *event.metadata().level() {
            Level::ERROR => worker::console_error!("{text}"),
            Level::WARN => worker::console_warn!("{text}"),
            _ => worker::console_log!("{text}"),
        }
    }
}

/// Escapes terminal control sequences. JSON escapes only control characters below U+0020; terminals and
/// log viewers also interpret DEL, the control characters from U+0080, and separators and direction
/// marks such as U+2028. These occur only within strings, where an escape is valid.
fn escape_controls(json: String) -> String {
    // Nearly every line is plain ASCII; serde_json has escaped the control characters of that but DEL.
    if json.bytes().all(|byte| byte.is_ascii() && byte != 0x7f) {
        return json;
    }
    let mut escaped = String::with_capacity(json.len());
    for letter in json.chars() {
        let is_mark = matches!(letter, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        if letter.is_control() || is_mark {
            // Writing to a string cannot fail.
            let _ = write!(escaped, "\\u{:04x}", u32::from(letter));
        } else {
            escaped.push(letter);
        }
    }
    escaped
}

impl Fields {
    /// Sets a field. A field of an event replaces that of its span.
    fn put(&mut self, name: &'static str, value: Value) {
        match self.0.iter_mut().find(|(other, _)| *other == name) {
            Some((_, field)) => *field = value,
            None => self.0.push((name, value)),
        }
    }

    fn get(&self, name: &str) -> Option<&Value> {
        let found = self.0.iter().find(|(other, _)| *other == name);
        found.map(|(_, value)| value)
    }

    /// The fields as one JSON object.
    fn to_json(&self) -> String {
        let mut json = String::with_capacity(512);
        for (name, value) in &self.0 {
            json.push(if json.is_empty() { '{' } else { ',' });
            // Names are identifiers, which need no escapes. Writing to a string cannot fail.
            let _ = write!(json, "\"{name}\":{value}");
        }
        json.push('}');
        json
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
    use tracing::Instrument;

    use super::*;

    #[test]
    fn the_request_of_the_current_work_is_known_at_every_level() {
        let layer = ConsoleLayer {
            build: String::new(),
        };
        let layer = layer.with_filter(LevelFilter::ERROR);
        tracing::subscriber::with_default(Registry::default().with(layer), || {
            assert_eq!(current_request_id(), None);
            let id: RequestId = "req_01ARZ3NDEKTSV4RRFFQ69G5FAV".parse().expect("an id");
            let unknown = work_span(None, None);
            unknown.in_scope(|| {
                assert_eq!(current_request_id(), None);
                set_request_id(&id);
                assert_eq!(current_request_id(), Some(id.clone()));
            });
            assert_eq!(current_request_id(), None);
            let span = work_span(Some(&id), None);
            let task = span.in_scope(|| async { current_request_id() }.in_current_span());
            let known = futures_util::FutureExt::now_or_never(task).expect("ready");
            assert_eq!(known, Some(id));
        });
    }

    #[test]
    fn attack_56_terminal_control_sequences_are_escaped_and_parse_back() {
        let hostile = "a\r\nb\u{1b}[31m\u{7f}\u{9b}2J\u{2028}\u{202e}\u{2066}\u{e4}\u{1f600}\"\\";
        let line = escape_controls(Value::from(hostile).to_string());
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
