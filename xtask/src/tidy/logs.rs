//! The log messages of the product's code, which `docs/logs.md` lists.

use std::collections::{BTreeMap, BTreeSet};

use proc_macro2::{TokenStream, TokenTree};
use syn::{
    Macro,
    visit::{self, Visit},
};

use super::source_file::SourceFile;

/// The document.
pub(crate) const DOCUMENT: &str = "docs/logs.md";

/// Where the product's code is.
const PRODUCT: [&str; 6] = [
    "crates/clawless-api/src/",
    "crates/clawless-core/src/",
    "crates/clawless-edge/src/",
    "crates/clawless-llm/src/",
    "crates/clawless-store/src/",
    "workers/",
];

/// The scripts around the Workers' modules, which log too.
const SCRIPTS: &str = "workers/entry/";

const LEVELS: [&str; 5] = ["error", "warn", "info", "debug", "trace"];

/// A message at a level, with all fields that any place logs with it, in their order.
type Messages = BTreeMap<(String, String), Vec<String>>;

/// Messages that the document lacks or describes incorrectly, and messages that no code logs.
pub(super) fn unlisted(files: &[SourceFile]) -> Vec<String> {
    let (messages, mut breaches) = messages(files);
    let Some(document) = files.iter().find(|file| file.path == DOCUMENT) else {
        breaches.push(format!("{DOCUMENT} is missing: run `cargo xtask logs`"));
        return breaches;
    };
    let listed: Vec<Row> = document.text.lines().filter_map(row).collect();
    let wanted: BTreeSet<String> = messages
        .iter()
        .map(|((message, level), fields)| cells(message, level, fields))
        .collect();
    let found: BTreeSet<String> = listed.iter().map(|row| row.cells.clone()).collect();
    breaches.extend(
        wanted
            .difference(&found)
            .map(|row| format!("{DOCUMENT} lacks the row {row} … |")),
    );
    breaches.extend(
        found
            .difference(&wanted)
            .map(|row| format!("{DOCUMENT} has a row that no code logs: {row}")),
    );
    let incomplete = listed.iter().filter(|row| row.when.is_empty());
    breaches.extend(
        incomplete.map(|row| format!("{DOCUMENT}: the last cell is empty: {} |", row.cells)),
    );
    breaches
}

/// Fields of messages that the document does not describe, and descriptions of fields that no message
/// has.
pub(super) fn undescribed_fields(files: &[SourceFile]) -> Vec<String> {
    let (messages, _) = messages(files);
    let used: BTreeSet<&str> = messages.values().flatten().map(String::as_str).collect();
    let document = files.iter().find(|file| file.path == DOCUMENT);
    let lines = document.into_iter().flat_map(|file| file.text.lines());
    let described: BTreeSet<&str> = lines.filter_map(described_field).collect();
    let lacking = used.difference(&described);
    let lacking = lacking.map(|name| format!("{DOCUMENT} does not describe the field `{name}`"));
    let unused = described.difference(&used);
    let unused = unused.map(|name| format!("{DOCUMENT}: no message has the field `{name}`"));
    lacking.chain(unused).collect()
}

/// The name in a row of the table of fields, which has two cells.
fn described_field(line: &str) -> Option<&str> {
    let inner = line.strip_prefix("| `")?.strip_suffix(" |")?;
    let (name, meaning) = inner.split_once("` | ")?;
    (!meaning.contains(" | ")).then_some(name)
}

/// The rows that the document should have, with the last cells that it has.
pub(crate) fn rows(files: &[SourceFile]) -> Vec<String> {
    let document = files.iter().find(|file| file.path == DOCUMENT);
    let listed: Vec<Row> = document
        .into_iter()
        .flat_map(|file| file.text.lines().filter_map(row))
        .collect();
    let (messages, _) = messages(files);
    messages
        .iter()
        .map(|((message, level), fields)| {
            let same = |row: &&Row| row.message == *message && row.level == *level;
            let when = listed.iter().find(same).map_or("", |row| &row.when);
            format!("{} {when} |", cells(message, level, fields))
        })
        .collect()
}

/// A row of the document.
struct Row {
    message: String,
    level: String,
    when: String,
    /// All cells but the last.
    cells: String,
}

fn row(line: &str) -> Option<Row> {
    let inner = line.strip_prefix("| `")?.strip_suffix('|')?;
    let (message, rest) = inner.split_once("` | ")?;
    let (level, rest) = rest.split_once(" | ")?;
    let (fields, when) = rest.split_once(" |")?;
    Some(Row {
        message: message.to_owned(),
        level: level.to_owned(),
        when: when.trim().to_owned(),
        cells: format!("| `{message}` | {level} | {fields} |"),
    })
}

fn cells(message: &str, level: &str, fields: &[String]) -> String {
    let fields: Vec<String> = fields.iter().map(|field| format!("`{field}`")).collect();
    format!("| `{message}` | {level} | {} |", fields.join(", "))
}

/// All messages, and the calls that have none to list.
fn messages(files: &[SourceFile]) -> (Messages, Vec<String>) {
    let mut found = Messages::new();
    let mut breaches = Vec::new();
    let is_product = |file: &&SourceFile| {
        let in_sources = PRODUCT.iter().any(|folder| file.path.starts_with(folder));
        file.is("rs") && in_sources && file.path.contains("/src/")
    };
    let is_script = |file: &&SourceFile| file.path.starts_with(SCRIPTS) && file.is("js");
    let in_rust = files
        .iter()
        .filter(is_product)
        .map(|file| (file, rust_events(file)));
    let in_scripts = files
        .iter()
        .filter(is_script)
        .map(|file| (file, script_events(&file.text)));
    for (file, events) in in_rust.chain(in_scripts) {
        for Event {
            level,
            message,
            fields,
        } in events
        {
            let Some(message) = message else {
                breaches.push(format!(
                    "{}: a log event of level {level} has no literal message",
                    file.path
                ));
                continue;
            };
            let known = found.entry((message, level)).or_default();
            for field in fields {
                if !known.contains(&field) {
                    known.push(field);
                }
            }
        }
    }
    (found, breaches)
}

/// The events that a Rust file logs.
fn rust_events(file: &SourceFile) -> Vec<Event> {
    // A file that can't be parsed is a breach of another rule.
    let Ok(production) = super::rust::production(&file.text) else {
        return Vec::new();
    };
    let mut events = Events(Vec::new());
    events.visit_file(&production.tree);
    events.0
}

/// The events that a script logs: each is one line of JSON with a level and a message.
fn script_events(text: &str) -> Vec<Event> {
    text.lines().filter_map(script_event).collect()
}

fn script_event(line: &str) -> Option<Event> {
    let (_, call) = line.split_once("console.")?;
    let (_, members) = call.split_once("JSON.stringify({")?;
    let (members, _) = members.split_once("})")?;
    let mut event = Event {
        level: String::new(),
        message: None,
        fields: Vec::new(),
    };
    for member in members.split(", ") {
        let (name, value) = member.split_once(": ").unwrap_or((member, ""));
        let literal = value.trim_matches('"');
        match name.trim() {
            "level" => event.level = literal.to_lowercase(),
            "message" => event.message = Some(literal.to_owned()),
            // Every line has them.
            "time" | "request_id" => {}
            field => event.fields.push(field.to_owned()),
        }
    }
    Some(event)
}

struct Event {
    level: String,
    message: Option<String>,
    fields: Vec<String>,
}

/// The events that code logs.
struct Events(Vec<Event>);

impl<'ast> Visit<'ast> for Events {
    fn visit_macro(&mut self, call: &'ast Macro) {
        let name = call.path.segments.last().map(|part| part.ident.to_string());
        let name = name.unwrap_or_default();
        self.call(&name, call.tokens.clone());
        visit::visit_macro(self, call);
    }
}

impl Events {
    fn call(&mut self, name: &str, tokens: TokenStream) {
        if LEVELS.contains(&name) {
            self.0.push(event(name, tokens));
        } else {
            self.scan(tokens);
        }
    }

    /// Calls among the tokens of another macro.
    fn scan(&mut self, tokens: TokenStream) {
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        for (index, token) in tokens.iter().enumerate() {
            let TokenTree::Group(group) = token else {
                continue;
            };
            let before = index
                .checked_sub(2)
                .and_then(|start| tokens.get(start..index));
            match before {
                Some([TokenTree::Ident(name), TokenTree::Punct(bang)]) if bang.as_char() == '!' => {
                    self.call(&name.to_string(), group.stream());
                }
                _ => self.scan(group.stream()),
            }
        }
    }
}

fn event(level: &str, tokens: TokenStream) -> Event {
    let mut event = Event {
        level: level.to_owned(),
        message: None,
        fields: Vec::new(),
    };
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let is_comma =
        |token: &TokenTree| matches!(token, TokenTree::Punct(comma) if comma.as_char() == ',');
    for argument in tokens.split(is_comma) {
        match argument {
            // What follows the message are arguments of its format.
            _ if event.message.is_some() => break,
            [TokenTree::Literal(literal), ..] => {
                let text = syn::parse_str::<syn::LitStr>(&literal.to_string());
                event.message = text.ok().map(|text| text.value());
            }
            _ => event.fields.extend(field(argument)),
        }
    }
    event
}

/// The name of `name`, `name = value`, `%name`, `?a.name` and the like; none for `target: "…"`.
fn field(argument: &[TokenTree]) -> Option<String> {
    let mut name = String::new();
    for token in argument {
        match token {
            TokenTree::Ident(ident) => name += &ident.to_string(),
            TokenTree::Punct(punct) => match punct.as_char() {
                '.' => name.push('.'),
                '%' | '?' => {}
                ':' => return None,
                _ => break,
            },
            _ => break,
        }
    }
    Some(name).filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::{super::source_file::file, *};

    const CODE: &str = r#"
        fn f() {
            tracing::warn!(tenant = id.as_str(), %error, path, "store turn failed");
            select! { x => warn!(target: "t", a.code, "store turn failed") }
            tracing::info!("request {} served", 1);
            println!("no log");
        }
        #[cfg(test)]
        mod tests { fn g() { tracing::error!("test only"); } }
    "#;

    fn of(code: &str, document: &str) -> Vec<String> {
        unlisted(&[file("workers/a/src/lib.rs", code), file(DOCUMENT, document)])
    }

    #[test]
    fn a_document_with_every_message_is_complete() {
        let document = "| message | level | fields | when |\n|---|---|---|---|\n\
            | `request {} served` | info |  | always |\n\
            | `store turn failed` | warn | `tenant`, `error`, `path`, `a.code` | D1 fails |\n";
        assert_eq!(of(CODE, document), Vec::<String>::new());
        let lines: Vec<&str> = document.lines().skip(2).collect();
        let files = [file("workers/a/src/lib.rs", CODE), file(DOCUMENT, document)];
        assert_eq!(rows(&files), lines);
        for (was, is, breaches) in [
            ("served", "answered", 2),
            ("`error`, ", "", 2),
            ("| warn |", "| info |", 2),
            (" always", "", 1),
        ] {
            assert_eq!(of(CODE, &document.replace(was, is)).len(), breaches, "{is}");
        }
    }

    #[test]
    fn every_field_is_described_and_no_other() {
        let of = |document: &str| {
            undescribed_fields(&[file("workers/a/src/lib.rs", CODE), file(DOCUMENT, document)])
        };
        let document = "| `request {} served` | info |  | always |\n\n| field | meaning |\n|---|---|\n\
            | `tenant` | a |\n| `error` | b |\n| `path` | c |\n| `a.code` | d |\n";
        assert_eq!(of(document), Vec::<String>::new());
        assert_eq!(of(&document.replace("`path`", "`place`")).len(), 2);
    }

    #[test]
    fn a_message_of_an_entry_script_is_listed_too() {
        let code = r#"
            console.error(JSON.stringify({ time: Date.now(), level: "ERROR", message: "serve failed", request_id: id, internal: String(error) }));
        "#;
        let of = |document: &str| {
            unlisted(&[file("workers/entry/a.js", code), file(DOCUMENT, document)])
        };
        assert_eq!(of("").len(), 1);
        let listed = "| `serve failed` | error | `internal` | the instance panics |\n";
        assert_eq!(of(listed), Vec::<String>::new());
    }

    #[test]
    fn an_event_without_a_literal_message_is_a_breach() {
        assert_eq!(of("fn f() { tracing::info!(status, path); }", "").len(), 1);
    }
}
