//! The section of one operation: text on the left, samples on the right.

use std::fmt::Write;

use serde_json::{Map, Value};

use super::html::{escape, inline, json, paragraphs};
use super::schema::{Schemas, rules};

/// An operation of a document.
pub(crate) struct Operation<'a> {
    pub(crate) method: &'a str,
    pub(crate) path: &'a str,
    pub(crate) value: &'a Map<String, Value>,
}

impl Operation<'_> {
    /// The id, which links name.
    pub(crate) fn id(&self) -> &str {
        self.text("operationId")
    }

    /// The title.
    pub(crate) fn summary(&self) -> &str {
        self.text("summary")
    }

    /// The group.
    pub(crate) fn tag(&self) -> &str {
        let tag = self.value.get("tags").and_then(|tags| tags.get(0));
        tag.and_then(Value::as_str).unwrap_or_default()
    }

    /// The section.
    pub(crate) fn section(&self, schemas: &Schemas<'_>) -> String {
        let (id, summary) = (escape(self.id()), escape(self.summary()));
        let mut html = format!(
            "<section class=\"op\" id=\"{id}\" aria-labelledby=\"{id}-h\"><div class=\"text\">\
             <h3 id=\"{id}-h\"><a href=\"#{id}\">{summary}</a></h3>\
             <p class=\"route\">{} <code>{}</code></p>{}{}",
            badge(self.method),
            escape(self.path),
            paragraphs(self.text("description")),
            self.permission()
        );
        html.push_str(&self.parameters(schemas));
        if let Some(schema) = self.value.get("requestBody").and_then(schema_of) {
            let _ = write!(html, "<h4>Request body</h4>{}", schemas.body(schema));
        }
        html.push_str(&self.responses(schemas));
        let _ = write!(
            html,
            "</div><div class=\"code\">{}{}</div></section>",
            self.samples(),
            self.examples()
        );
        html
    }

    fn text(&self, name: &str) -> &str {
        self.value
            .get(name)
            .and_then(Value::as_str)
            .unwrap_or_default()
    }

    /// What the caller needs.
    fn permission(&self) -> String {
        let requirement = self.value.get("security").and_then(|all| all.get(0));
        let Some(requirement) = requirement.and_then(Value::as_object) else {
            return "<p class=\"needs\">Public: no token.</p>".to_owned();
        };
        let mut html = String::new();
        for (scheme, permissions) in requirement {
            let permissions = permissions
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(Value::as_str);
            let permissions: Vec<_> = permissions.map(|it| format!("`{it}`")).collect();
            let (token, permission) = match scheme.as_str() {
                "ApiKey" => ("an API key", "the scope"),
                _ => ("an admin token", "the role"),
            };
            let text = if permissions.is_empty() {
                format!("Needs {token}.")
            } else {
                format!(
                    "Needs {token} with {permission} {}.",
                    permissions.join(" or ")
                )
            };
            let _ = write!(html, "<p class=\"needs\">{}</p>", inline(&text));
        }
        html
    }

    fn parameters(&self, schemas: &Schemas<'_>) -> String {
        let all = self.value.get("parameters").and_then(Value::as_array);
        let all: Vec<&Value> = all.into_iter().flatten().collect();
        let mut html = String::new();
        for (place, title) in [("path", "Path"), ("query", "Query"), ("header", "Headers")] {
            let here = all
                .iter()
                .filter(|it| it.get("in").and_then(Value::as_str) == Some(place));
            let rows: String = here.map(|parameter| row(parameter, schemas)).collect();
            if !rows.is_empty() {
                let _ = write!(html, "<h4>{title}</h4><dl>{rows}</dl>");
            }
        }
        html
    }

    fn responses(&self, schemas: &Schemas<'_>) -> String {
        let mut html = "<h4>Responses</h4>".to_owned();
        let responses = self.value.get("responses").and_then(Value::as_object);
        for (status, response) in responses.into_iter().flatten() {
            let is_error = !status.starts_with('2');
            let description = response
                .get("description")
                .and_then(Value::as_str)
                .unwrap_or_default();
            let summary = if is_error {
                codes(response)
            } else {
                inline(description)
            };
            let _ = write!(
                html,
                "<details class=\"response\"{}><summary><b class=\"s{}\">{status}</b> {summary}</summary>",
                if status == "200" || status == "201" {
                    " open"
                } else {
                    ""
                },
                status.get(..1).unwrap_or_default(),
            );
            if is_error {
                html.push_str(&paragraphs(description));
            } else {
                html.push_str(&bodies(response, schemas));
            }
            html.push_str(&header_names(response));
            html.push_str("</details>");
        }
        html
    }

    fn samples(&self) -> String {
        let samples = self.value.get("x-codeSamples").and_then(Value::as_array);
        let id = escape(self.id());
        let (mut tabs, mut panes) = (String::new(), String::new());
        for (at, sample) in samples.into_iter().flatten().enumerate() {
            let text = |name: &str| sample.get(name).and_then(Value::as_str).unwrap_or_default();
            let (language, checked) =
                (escape(text("label")), if at == 0 { " checked" } else { "" });
            let _ = write!(
                tabs,
                "<input type=\"radio\" name=\"{id}-tab\" id=\"{id}-{at}\" value=\"{language}\"{checked}>\
                 <label for=\"{id}-{at}\">{language}</label>"
            );
            let code = escape(text("source").trim_end());
            let _ = write!(panes, "<pre tabindex=\"0\"><code>{code}</code></pre>");
        }
        if tabs.is_empty() {
            return tabs;
        }
        format!("<fieldset class=\"tabs\"><legend>Request</legend>{tabs}{panes}</fieldset>")
    }

    fn examples(&self) -> String {
        let responses = self.value.get("responses").and_then(Value::as_object);
        let mut html = String::new();
        let good = responses
            .into_iter()
            .flatten()
            .filter(|(status, _)| matches!(&***status, "200" | "201"));
        for (status, response) in good {
            let content = response.get("content").and_then(Value::as_object);
            for (kind, media) in content.into_iter().flatten() {
                let example = match media.get("example") {
                    Some(Value::String(text)) => escape(text.trim_end()),
                    Some(value) => json(&pretty(value)),
                    None => continue,
                };
                let _ = write!(
                    html,
                    "<figure><figcaption><b class=\"s2\">{status}</b> {}</figcaption><pre tabindex=\"0\"><code>{example}</code></pre></figure>",
                    escape(kind)
                );
            }
        }
        html
    }
}

/// The mark of a method.
pub(crate) fn badge(method: &str) -> String {
    format!(
        "<span class=\"m {}\">{}</span>",
        method.to_lowercase(),
        escape(method)
    )
}

fn row(parameter: &Value, schemas: &Schemas<'_>) -> String {
    let text = |name: &str| {
        parameter
            .get(name)
            .and_then(Value::as_str)
            .unwrap_or_default()
    };
    let schema = parameter.get("schema").unwrap_or(&Value::Null);
    let required = if parameter.get("required") == Some(&Value::Bool(true)) {
        " <em>required</em>"
    } else {
        ""
    };
    format!(
        "<div><dt><code>{}</code> <span>{}</span>{required}</dt><dd>{}{}</dd></div>",
        escape(text("name")),
        schemas.kind(schema),
        paragraphs(text("description")),
        rules(schema)
    )
}

/// The codes of an error response.
fn codes(response: &Value) -> String {
    let codes = response.get("x-error-codes").and_then(Value::as_array);
    let codes = codes.into_iter().flatten().filter_map(Value::as_str);
    let marked = codes.map(|code| format!("<code>{}</code>", escape(code)));
    marked.collect::<Vec<_>>().join(" ")
}

fn bodies(response: &Value, schemas: &Schemas<'_>) -> String {
    let mut html = String::new();
    let content = response.get("content").and_then(Value::as_object);
    for (kind, media) in content.into_iter().flatten() {
        let _ = write!(html, "<p class=\"kind\"><code>{}</code></p>", escape(kind));
        if let Some(schema) = media.get("x-event-schema") {
            let _ = write!(html, "<p>Each event: {}</p>", schemas.kind(schema));
        } else if let Some(schema) = media.get("schema") {
            html.push_str(&schemas.body(schema));
        }
    }
    html
}

fn header_names(response: &Value) -> String {
    let headers = response.get("headers").and_then(Value::as_object);
    let names: Vec<_> = headers
        .into_iter()
        .flatten()
        .map(|(name, _)| format!("<a href=\"#header-{0}\"><code>{0}</code></a>", escape(name)))
        .collect();
    if names.is_empty() {
        return String::new();
    }
    format!("<p class=\"headers\">Headers: {}</p>", names.join(" "))
}

fn schema_of(body: &Value) -> Option<&Value> {
    body.pointer("/content/application~1json/schema")
}

/// JSON on several lines.
fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default()
}
