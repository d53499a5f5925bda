//! A reference page of a document: one file with its style and script, which works without the script.

mod html;
mod operation;
mod schema;

use std::fmt::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use self::html::{escape, inline, paragraphs};
use self::operation::{Operation, badge};
use self::schema::Schemas;
use crate::surface::Surface;

const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("script.js");

/// A page, and the value of its header `content-security-policy`.
pub(crate) struct Page {
    pub(crate) html: String,
    pub(crate) policy: String,
}

/// The page of a document, with its operations in the order of the routes table.
pub(crate) fn render(document: &Value, surface: &Surface) -> Page {
    let none = Map::new();
    let part = |path: &str| {
        document
            .pointer(path)
            .and_then(Value::as_object)
            .unwrap_or(&none)
    };
    let text = |path: &str| {
        document
            .pointer(path)
            .and_then(Value::as_str)
            .unwrap_or_default()
    };
    let (style, script) = (minify(STYLE), minify(SCRIPT));
    let title = escape(text("/info/title"));
    let schemas = Schemas(part("/components/schemas"));
    let mut operations = operations(part("/paths"));
    operations.sort_by_key(|operation| surface.position(operation.method, operation.path));
    let source = surface.source;
    let tags: Vec<(&str, &str)> = document
        .pointer("/tags")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .map(|tag| {
            let text = |name| tag.get(name).and_then(Value::as_str).unwrap_or_default();
            (text("name"), text("description"))
        })
        .collect();
    let mut html = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>{title}</title>\
         <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\
         <meta name=\"color-scheme\" content=\"light dark\"><style>{style}</style></head><body>\n\
         <a class=\"skip\" href=\"#main\">Skip to the content</a>\
         <header><a class=\"menu\" href=\"#nav\">Menu</a><a class=\"brand\" href=\"#main\">{title}</a>\
         <span class=\"version\">{}</span><span class=\"actions\"><a href=\"{source}\">openapi.json</a></span></header>\n",
        escape(text("/info/version"))
    );
    html.push_str(&navigation(&tags, &operations));
    let _ = writeln!(
        html,
        "<main id=\"main\" tabindex=\"-1\"><section class=\"intro\"><h1>{title}</h1>{}</section>",
        paragraphs(text("/info/description"))
    );
    for (name, description) in &tags {
        let _ = writeln!(
            html,
            "<section class=\"tag\" id=\"tag-{0}\"><h2>{0}</h2><p>{1}</p></section>",
            escape(name),
            inline(description)
        );
        for operation in operations
            .iter()
            .filter(|operation| operation.tag() == *name)
        {
            html.push_str(&operation.section(&schemas));
            html.push('\n');
        }
    }
    let _ = write!(
        html,
        "<section class=\"tag\" id=\"headers\"><h2>Headers</h2><p>The headers of responses.</p>{}</section>\n\
         <section class=\"tag\" id=\"schemas\"><h2>Schemas</h2><p>The objects that requests and responses consist of.</p></section>\n{}\
         </main>\n<script>{script}</script></body></html>\n",
        headers(part("/components/headers"), &schemas),
        schemas.section()
    );
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{}'; script-src 'sha256-{}'; base-uri 'none'; \
         form-action 'none'; frame-ancestors 'none'",
        digest(&style),
        digest(&script)
    );
    Page { html, policy }
}

fn digest(text: &str) -> String {
    STANDARD.encode(Sha256::digest(text.as_bytes()))
}

fn operations(paths: &Map<String, Value>) -> Vec<Operation<'_>> {
    let mut operations = Vec::new();
    for (path, methods) in paths {
        for method in ["get", "post", "put", "patch", "delete"] {
            if let Some(value) = methods.get(method).and_then(Value::as_object) {
                let method = match method {
                    "get" => "GET",
                    "post" => "POST",
                    "put" => "PUT",
                    "patch" => "PATCH",
                    _ => "DELETE",
                };
                operations.push(Operation {
                    method,
                    path,
                    value,
                });
            }
        }
    }
    operations
}

fn navigation(tags: &[(&str, &str)], operations: &[Operation<'_>]) -> String {
    let mut html =
        "<nav id=\"nav\" aria-label=\"Operations\"><a class=\"close\" href=\"#main\">Close</a>"
            .to_owned();
    for (name, _) in tags {
        let name = escape(name);
        let _ = write!(html, "<p><a href=\"#tag-{name}\">{name}</a></p><ul>");
        for operation in operations.iter().filter(|it| it.tag() == name) {
            let _ = write!(
                html,
                "<li><a href=\"#{}\"><span>{}</span>{}</a></li>",
                escape(operation.id()),
                escape(operation.summary()),
                badge(operation.method)
            );
        }
        html.push_str("</ul>");
    }
    html + "<p><a href=\"#headers\">Headers</a></p><p><a href=\"#schemas\">Schemas</a></p></nav>\n"
}

fn headers(headers: &Map<String, Value>, schemas: &Schemas<'_>) -> String {
    let rows = headers.iter().map(|(name, header)| {
        let schema = header.get("schema").unwrap_or(&Value::Null);
        let text = header
            .get("description")
            .and_then(Value::as_str)
            .unwrap_or_default();
        format!(
            "<div id=\"header-{0}\"><dt><code>{0}</code> <span>{1}</span></dt><dd>{2}</dd></div>",
            escape(name),
            schemas.kind(schema),
            paragraphs(text)
        )
    });
    format!("<dl>{}</dl>", rows.collect::<String>())
}

/// Style or script without comments on lines of their own and without indentation.
fn minify(text: &str) -> String {
    let lines = text.lines().map(str::trim);
    let code =
        lines.filter(|line| !line.is_empty() && !line.starts_with("//") && !line.starts_with("/*"));
    code.collect::<Vec<_>>().join("\n")
}
