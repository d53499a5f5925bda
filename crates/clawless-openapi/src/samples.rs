//! The examples of `docs/api/examples`, which tests run: samples of the operations of their names.

use std::fs;
use std::path::Path;

use serde_json::{Map, Value, json};

/// The languages, by the extension of a file.
const LANGUAGES: [(&str, &str, &str); 3] = [
    ("sh", "Shell", "curl"),
    ("py", "Python", "Python"),
    ("mjs", "JavaScript", "Node"),
];

/// Adds the samples of an operation, if it has any.
pub(crate) fn add(operation: &mut Map<String, Value>, folder: &Path) {
    let id = operation.get("operationId").and_then(Value::as_str);
    let id = id.unwrap_or_default().to_owned();
    let samples = LANGUAGES.iter().filter_map(|(extension, lang, label)| {
        let text = fs::read_to_string(folder.join(format!("{id}.{extension}"))).ok()?;
        // The first line names the route.
        let (_, source) = text.split_once('\n')?;
        Some(json!({ "lang": lang, "label": label, "source": source }))
    });
    let samples: Vec<Value> = samples.collect();
    if !samples.is_empty() {
        operation.insert("x-codeSamples".to_owned(), samples.into());
    }
}
