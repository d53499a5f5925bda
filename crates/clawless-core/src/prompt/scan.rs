//! Finds the places of a template that may be variables.

use super::variable::Variable;

/// Two or more opening braces in a template. Of more than two, the last two open a variable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Opening<'t> {
    /// The text before, without the backslashes.
    pub(super) text: &'t str,
    /// The backslashes directly before the braces. Two of them are one literal backslash; one that is
    /// left over makes the braces literal.
    pub(super) backslashes: &'t str,
    /// The braces.
    pub(super) braces: &'t str,
    /// The text after the braces.
    pub(super) after: &'t str,
}

impl<'t> Opening<'t> {
    /// The first one.
    pub(super) fn find(text: &'t str) -> Option<Self> {
        let (before, _) = text.split_once("{{")?;
        let (before, from) = text.split_at(before.len());
        let (text, backslashes) = before.split_at(before.trim_end_matches('\\').len());
        let after = from.trim_start_matches('{');
        let (braces, after) = from.split_at(from.len() - after.len());
        Some(Self {
            text,
            backslashes,
            braces,
            after,
        })
    }

    /// Whether the braces are literal.
    pub(super) const fn is_escaped(&self) -> bool {
        self.backslashes.len() % 2 == 1
    }

    /// The backslashes that remain if they are read in pairs.
    pub(super) fn half_of_backslashes(&self) -> &'t str {
        self.backslashes.split_at(self.backslashes.len() / 2).0
    }

    /// The braces before the two that open a variable.
    pub(super) fn outer_braces(&self) -> &'t str {
        self.braces.split_at(self.braces.len() - 2).0
    }

    /// The text up to the closing braces, if there are any.
    pub(super) fn content(&self) -> Option<&'t str> {
        self.after.split_once("}}").map(|(name, _)| name.trim())
    }

    /// The variable, and the text after its closing braces.
    pub(super) fn variable(&self) -> Option<(Variable<'t>, &'t str)> {
        let (name, tail) = self.after.split_once("}}")?;
        Some((Variable::parse(name.trim())?, tail))
    }
}
