//! SQL as data. A statement can only be made from a listed text, so a test can check every one.

use super::value::Value;

/// The SQL of a statement. Only the macro `statements!` makes one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SqlText(&'static str);

impl SqlText {
    /// Wraps a text that the macro `statements!` has put on a repository's list. A test checks
    /// that nothing else calls this.
    pub(crate) const fn listed(text: &'static str) -> Self {
        Self(text)
    }

    /// The SQL.
    pub const fn as_str(self) -> &'static str {
        self.0
    }

    /// The statement with its parameters, `?1` first.
    pub(crate) fn with<const N: usize>(self, params: [Value; N]) -> Statement {
        self.with_all(params.into())
    }

    /// The statement with parameters whose number is known only at run time.
    pub(crate) fn with_all(self, params: Vec<Value>) -> Statement {
        Statement {
            sql: self.0,
            params,
        }
    }
}

/// A statement that is ready to run. Only repositories can build one.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Statement {
    /// The SQL, with numbered parameters.
    pub sql: &'static str,
    /// The parameters, `?1` first.
    pub params: Vec<Value>,
}
