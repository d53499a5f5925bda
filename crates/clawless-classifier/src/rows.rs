//! Labelled requests: `class <tab> language <tab> text`, or text only.

use std::{fs, path::Path};

use anyhow::{Context, Result, bail};
use clawless_core::routing::{
    Classification, ClassifierRules, QueryClass, RequestText, classify_text,
};
use serde::Deserialize;

/// Marks a request that has an image before its text.
const IMAGE: &str = "[image] ";

/// A request, with its label if it has one.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    /// The class that a person gave it, and its language.
    pub(crate) label: Option<(QueryClass, String)>,
    /// The last user message.
    pub(crate) text: String,
    has_image: bool,
    context: RequestContext,
}

/// The optional fourth field of a row, as JSON: what surrounds the last user message.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct RequestContext {
    system: String,
    earlier: usize,
    tools: bool,
}

impl Row {
    /// A line of a file. `\n` and `\t` in the text are a line break and a tab.
    fn parse(line: &str) -> Result<Self> {
        let fields: Vec<&str> = line.split('\t').collect();
        let (label, text, context) = match *fields.as_slice() {
            [text] => (None, text, None),
            [class, language, text] => (Some((class, language)), text, None),
            [class, language, text, context] => (Some((class, language)), text, Some(context)),
            _ => bail!("expected `text`, or `class<TAB>language<TAB>text`"),
        };
        let label = label.map(|(class, language)| {
            let class = QueryClass::from_name(class).with_context(|| {
                format!("unknown class {class:?}: expected simple, complex, code or vision")
            })?;
            Ok::<_, anyhow::Error>((class, language.to_owned()))
        });
        let (has_image, text) = match text.strip_prefix(IMAGE) {
            Some(text) => (true, text),
            None => (false, text),
        };
        Ok(Self {
            label: label.transpose()?,
            text: text.replace("\\n", "\n").replace("\\t", "\t"),
            has_image,
            context: context.map_or_else(|| Ok(RequestContext::default()), serde_json::from_str)?,
        })
    }

    /// What the classifier reads of the row.
    pub(crate) fn request(&self) -> RequestText<'_> {
        RequestText {
            text: &self.text,
            system: &self.context.system,
            earlier_messages: self.context.earlier,
            has_tools: self.context.tools,
        }
    }

    /// The classifier's result.
    pub(crate) fn classify(&self, rules: ClassifierRules<'_>) -> Classification {
        if self.has_image {
            return Classification {
                class: QueryClass::Vision,
                probability: 1.0,
            };
        }
        classify_text(&self.request(), rules)
    }

    /// The index of the label among the model's outputs. `None` without a label, or if an image
    /// decides.
    pub(crate) fn output(&self) -> Option<usize> {
        let (class, _) = self.label.as_ref()?;
        QueryClass::TEXT.iter().position(|it| it == class)
    }
}

/// Reads a file. Empty lines and lines that start with `#` and a space are skipped.
pub(crate) fn read(path: &Path) -> Result<Vec<Row>> {
    let text =
        fs::read_to_string(path).with_context(|| format!("can't read {}", path.display()))?;
    let lines = text.lines().enumerate();
    let lines = lines.filter(|(_, line)| !line.trim().is_empty() && !line.starts_with("# "));
    lines
        .map(|(number, line)| {
            Row::parse(line).with_context(|| format!("{}, line {}", path.display(), number + 1))
        })
        .collect()
}

/// Reads all `.tsv` files of a folder, in the order of their names.
pub(crate) fn read_folder(folder: &Path) -> Result<Vec<Row>> {
    let entries =
        fs::read_dir(folder).with_context(|| format!("can't read {}", folder.display()))?;
    let mut files = entries
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<std::io::Result<Vec<_>>>()?;
    files.retain(|path| path.extension().is_some_and(|it| it == "tsv"));
    files.sort();
    let rows = files.iter().map(|path| read(path));
    Ok(rows.collect::<Result<Vec<_>>>()?.concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_with_and_without_labels() {
        let row = Row::parse("code\tde\tWarum?\\nfn x()").expect("a row");
        assert_eq!(row.label, Some((QueryClass::Code, "de".to_owned())));
        assert_eq!(
            (row.text.as_str(), row.output()),
            ("Warum?\nfn x()", Some(2))
        );
        let row = Row::parse("Why is the sky blue?").expect("a row");
        assert_eq!((row.label.is_none(), row.output()), (true, None));
        let row = Row::parse("vision\ten\t[image] What is this?").expect("a row");
        assert_eq!(
            row.classify(ClassifierRules::default()).class,
            QueryClass::Vision
        );
        let row = Row::parse("simple\ten\tTitle?\t{\"tools\":true,\"earlier\":2}").expect("a row");
        assert!(row.request().has_tools);
    }

    #[test]
    fn an_invalid_row_is_an_error_that_names_the_class() {
        let error = Row::parse("hard\ten\ttext").expect_err("unknown class");
        assert!(error.to_string().contains("\"hard\""), "{error}");
        assert!(Row::parse("a\tb").is_err());
    }
}
