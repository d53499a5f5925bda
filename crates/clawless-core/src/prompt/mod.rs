//! System prompts as templates: `{{name}}` stands for the value of a variable.
//!
//! Values are inserted as text: braces in a value have no meaning. A backslash before the braces makes
//! them literal.

mod scan;
mod values;
mod variable;

use std::borrow::Cow;

use thiserror::Error;

pub use values::{PromptValues, SessionValues};
pub use variable::Variable;

use scan::Opening;

/// The longest prompt with the values of its variables, in bytes: four times the longest template.
pub const MAX_RENDERED_BYTES: usize = 256 * 1024;

/// The longest part of a template that an error quotes, in characters.
const MAX_QUOTED_CHARS: usize = 80;

/// A template that cannot be stored.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum InvalidTemplate {
    /// The braces contain no known variable.
    #[error(
        "`{{{{{name}}}}}` is not a variable. The variables are {}; write `\\{{{{` for literal braces",
        variable::list()
    )]
    UnknownVariable {
        /// What the braces contain.
        name: String,
    },
    /// The braces are not closed.
    #[error(
        "`{{{{{after}` has no closing `}}}}`. Write `\\{{{{` for literal braces; the variables are {}",
        variable::list()
    )]
    Unclosed {
        /// The text after the braces.
        after: String,
    },
}

/// A prompt is too long with the values of its variables.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error(
    "The system prompt has more than {MAX_RENDERED_BYTES} bytes with the values of its variables."
)]
pub struct PromptTooLong;

/// Checks a template before it is stored: every `{{` that is not escaped begins a known variable.
///
/// # Errors
/// The first part that is no variable.
pub fn check(template: &str) -> Result<(), InvalidTemplate> {
    let mut rest = template;
    while let Some(opening) = Opening::find(rest) {
        rest = if opening.is_escaped() {
            opening.after
        } else if let Some((_, tail)) = opening.variable() {
            tail
        } else {
            return Err(match opening.content() {
                Some(name) => InvalidTemplate::UnknownVariable { name: quoted(name) },
                None => InvalidTemplate::Unclosed {
                    after: quoted(opening.after),
                },
            });
        };
    }
    Ok(())
}

/// Renders a template. What is no variable stays as it is: prompts that were stored before they were
/// templates may contain it.
///
/// # Errors
/// If the result is longer than [`MAX_RENDERED_BYTES`].
pub fn render<'t>(
    template: &'t str,
    values: &PromptValues<'_>,
) -> Result<Cow<'t, str>, PromptTooLong> {
    if !template.contains("{{") {
        return Ok(Cow::Borrowed(template));
    }
    let mut rendered = String::with_capacity(template.len());
    let mut rest = template;
    while let Some(opening) = Opening::find(rest) {
        rendered.push_str(opening.text);
        if opening.is_escaped() {
            rendered.push_str(opening.half_of_backslashes());
            rendered.push_str(opening.braces);
            rest = opening.after;
        } else if let Some((variable, tail)) = opening.variable() {
            rendered.push_str(opening.half_of_backslashes());
            rendered.push_str(opening.outer_braces());
            values.write(variable, &mut rendered);
            rest = tail;
        } else {
            rendered.push_str(opening.backslashes);
            rendered.push_str(opening.braces);
            rest = opening.after;
        }
        if rendered.len() > MAX_RENDERED_BYTES {
            return Err(PromptTooLong);
        }
    }
    rendered.push_str(rest);
    if rendered.len() > MAX_RENDERED_BYTES {
        return Err(PromptTooLong);
    }
    Ok(Cow::Owned(rendered))
}

fn quoted(text: &str) -> String {
    text.chars().take(MAX_QUOTED_CHARS).collect()
}

#[cfg(test)]
mod tests;
