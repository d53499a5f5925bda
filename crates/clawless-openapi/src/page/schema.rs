//! Schemas as lists of members. A member that is an object of its own links to it.

use std::fmt::Write;

use serde_json::{Map, Value};

use super::html::{escape, inline, paragraphs};

/// The path of components.
const COMPONENTS: &str = "#/components/schemas/";

/// The members that readers look for first, whatever their names.
const FIRST: [&str; 4] = ["id", "object", "type", "role"];

/// The deepest nesting of lists.
const MAX_DEPTH: usize = 4;

/// The schemas of a document.
pub(crate) struct Schemas<'a>(pub(crate) &'a Map<String, Value>);

impl Schemas<'_> {
    /// The body of a request or response: the members of an object, or a line that names the type.
    pub(crate) fn body(&self, schema: &Value) -> String {
        match self.resolve(schema) {
            Some((name, target)) => {
                let link = format!("<p class=\"type\">{}</p>", link(name));
                link + &self.members(target, 0)
            }
            None => format!(
                "<p class=\"type\">{}</p>{}",
                self.kind(schema),
                self.members(schema, 0)
            ),
        }
    }

    /// The section of all schemas.
    pub(crate) fn section(&self) -> String {
        let mut html = String::new();
        for (name, schema) in self.0 {
            let text = text_of(schema, "description");
            let _ = write!(
                html,
                "<section class=\"schema\" id=\"schema-{0}\"><h3><a href=\"#schema-{0}\">{0}</a></h3>{1}",
                escape(name),
                paragraphs(text)
            );
            let members = self.members(schema, 0);
            if members.is_empty() {
                let _ = write!(html, "<p class=\"type\">{}</p>", self.kind(schema));
            }
            html.push_str(&members);
            html.push_str("</section>");
        }
        html
    }

    /// The component that a schema refers to.
    fn resolve<'s>(&'s self, schema: &'s Value) -> Option<(&'s str, &'s Value)> {
        let name = schema.get("$ref")?.as_str()?.strip_prefix(COMPONENTS)?;
        Some((name, self.0.get(name)?))
    }

    /// The list of an object's members; empty for other schemas.
    fn members(&self, schema: &Value, depth: usize) -> String {
        let mut html = String::new();
        if let Some(members) = schema.get("properties").and_then(Value::as_object) {
            let required = names(schema, "required");
            let mut sorted: Vec<_> = members.iter().collect();
            sorted.sort_by_key(|(name, _)| {
                let first = FIRST.iter().position(|first| first == name);
                (
                    first.unwrap_or(FIRST.len()),
                    !required.contains(&name.as_str()),
                )
            });
            html.push_str("<dl>");
            for (name, member) in sorted {
                html.push_str(&self.member(name, member, required.contains(&name.as_str()), depth));
            }
            html.push_str("</dl>");
        }
        let choices = ["anyOf", "oneOf"]
            .into_iter()
            .filter_map(|name| schema.get(name)?.as_array());
        for choice in choices
            .flatten()
            .filter(|choice| choice.get("properties").is_some())
        {
            let title = text_of(choice, "title");
            let title = if title.is_empty() { "Or" } else { title };
            let _ = write!(
                html,
                "<details><summary>{}</summary>{}{}</details>",
                escape(title),
                paragraphs(text_of(choice, "description")),
                if depth < MAX_DEPTH {
                    self.members(choice, depth + 1)
                } else {
                    String::new()
                }
            );
        }
        html
    }

    fn member(&self, name: &str, schema: &Value, is_required: bool, depth: usize) -> String {
        let mut html = format!(
            "<div><dt><code>{}</code> <span>{}</span>",
            escape(name),
            self.kind(schema)
        );
        if is_required {
            html.push_str(" <em>required</em>");
        }
        html.push_str("</dt><dd>");
        let text = text_of(schema, "description");
        if !text.is_empty() {
            html.push_str(&paragraphs(text));
        }
        html.push_str(&rules(schema));
        let item = schema.get("items").unwrap_or(schema);
        if depth < MAX_DEPTH && item.get("properties").is_some() {
            let members = self.members(item, depth + 1);
            let _ = write!(
                html,
                "<details><summary>Members</summary>{members}</details>"
            );
        }
        html + "</dd></div>"
    }

    /// The type of a schema in words, with links to components.
    pub(crate) fn kind(&self, schema: &Value) -> String {
        if let Some((name, target)) = self.resolve(schema) {
            // A list of values is shown in place.
            return match target.get("enum") {
                Some(_) => values(target).unwrap_or_else(|| link(name)),
                None => link(name),
            };
        }
        if let Some(values) = values(schema) {
            return values;
        }
        for choice in ["anyOf", "oneOf"] {
            if let Some(choices) = schema.get(choice).and_then(Value::as_array) {
                let mut kinds: Vec<String> = choices.iter().map(|it| self.kind(it)).collect();
                kinds.dedup();
                return kinds.join(" or ");
            }
        }
        let kinds = match schema.get("type") {
            Some(Value::Array(kinds)) => kinds.iter().filter_map(Value::as_str).collect(),
            Some(Value::String(kind)) => vec![kind.as_str()],
            _ => return "any value".to_owned(),
        };
        let kinds = kinds.iter().map(|kind| match *kind {
            "array" => {
                let items = schema.get("items").map(|items| self.kind(items));
                format!(
                    "list of {}",
                    items.unwrap_or_else(|| "any value".to_owned())
                )
            }
            other => other.to_owned(),
        });
        kinds.collect::<Vec<_>>().join(" or ")
    }
}

fn link(name: &str) -> String {
    let name = escape(name);
    format!("<a href=\"#schema-{name}\">{name}</a>")
}

/// The allowed values of a schema.
fn values(schema: &Value) -> Option<String> {
    if let Some(value) = schema.get("const") {
        return Some(format!("<code>{}</code>", escape(&bare(value))));
    }
    let all = schema.get("enum")?.as_array()?;
    let shown = all
        .iter()
        .map(|value| format!("<code>{}</code>", escape(&bare(value))));
    Some(shown.collect::<Vec<_>>().join(" "))
}

/// A value without the quotation marks of a text.
fn bare(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}

/// The limits of a value in words.
pub(crate) fn rules(schema: &Value) -> String {
    let number = |name: &str| {
        let text = schema
            .get(name)
            .filter(|value| value.is_number())?
            .to_string();
        Some(text.strip_suffix(".0").map(str::to_owned).unwrap_or(text))
    };
    let mut rules = Vec::new();
    for (low, high, unit) in [
        ("minimum", "maximum", ""),
        ("minLength", "maxLength", " characters"),
        ("minItems", "maxItems", " items"),
        ("minProperties", "maxProperties", " members"),
    ] {
        match (number(low), number(high)) {
            (Some(low), Some(high)) => rules.push(format!("{low} to {high}{unit}")),
            (None, Some(high)) => rules.push(format!("at most {high}{unit}")),
            (Some(low), None) if low == "1" && !unit.is_empty() => {
                rules.push("not empty".to_owned());
            }
            (Some(low), None) if low != "0" => rules.push(format!("at least {low}{unit}")),
            _ => {}
        }
    }
    if let Some(value) = schema.get("default").filter(|value| !value.is_object()) {
        rules.push(format!("default `{}`", bare(value)));
    }
    if rules.is_empty() {
        return String::new();
    }
    format!("<p class=\"rules\">{}</p>", inline(&rules.join(" · ")))
}

fn names<'a>(schema: &'a Value, list: &str) -> Vec<&'a str> {
    let names = schema.get(list).and_then(Value::as_array);
    names
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect()
}

fn text_of<'a>(schema: &'a Value, name: &str) -> &'a str {
    schema.get(name).and_then(Value::as_str).unwrap_or_default()
}
