//! Blocks of types that have no meaning here, such as the calls and results of the provider's own tools.

use clawless_core::json::Json;
use clawless_core::members::Members;

use super::wire::Delta;

/// A block whose deltas are merged as their names say.
#[derive(Debug)]
pub(super) struct Opaque {
    start: Json,
    /// Texts that deltas appended to members.
    texts: Vec<(&'static str, String)>,
    /// The JSON text of `input`.
    input: String,
    citations: Vec<Json>,
}

impl Opaque {
    /// A block that starts with these members.
    pub(super) const fn new(start: Json) -> Self {
        Self {
            start,
            texts: Vec::new(),
            input: String::new(),
            citations: Vec::new(),
        }
    }

    /// Appends a delta.
    pub(super) fn add(&mut self, delta: Delta) {
        let texts = [
            ("text", delta.text),
            ("thinking", delta.thinking),
            ("signature", delta.signature),
            ("content", delta.content.and_then(|it| it.read().ok())),
        ];
        for (name, more) in texts {
            let Some(more) = more else { continue };
            match self.texts.iter_mut().find(|(known, _)| *known == name) {
                Some((_, text)) => text.push_str(&more),
                None => self.texts.push((name, more)),
            }
        }
        self.input
            .push_str(delta.partial_json.as_deref().unwrap_or_default());
        self.citations.extend(delta.citation);
    }

    /// The block with all of its deltas.
    pub(super) fn whole(&self) -> Json {
        self.merged().unwrap_or_else(|| self.start.clone())
    }

    /// `None` if there is nothing to merge.
    fn merged(&self) -> Option<Json> {
        if self.texts.is_empty() && self.input.is_empty() && self.citations.is_empty() {
            return None;
        }
        let mut members: Members = self.start.read().ok()?;
        for (name, more) in &self.texts {
            let text = members.get(name).and_then(|it| it.read::<String>().ok());
            let text = text.unwrap_or_default() + more;
            set(&mut members, name, Json::from_value(&text).ok()?);
        }
        if let Ok(input) = Json::parse(self.input.clone()) {
            set(&mut members, "input", input);
        }
        if !self.citations.is_empty() {
            let known = members.get("citations").and_then(|it| it.read().ok());
            let mut citations: Vec<Json> = known.unwrap_or_default();
            citations.extend(self.citations.iter().cloned());
            set(
                &mut members,
                "citations",
                Json::from_value(&citations).ok()?,
            );
        }
        Json::from_value(&members).ok()
    }
}

fn set(members: &mut Members, name: &str, value: Json) {
    match members.0.iter_mut().find(|(known, _)| known == name) {
        Some((_, known)) => *known = value,
        None => members.0.push((name.to_owned(), value)),
    }
}
