//! SQL as data: each statement is a constant in its repository's list, so that a test can read
//! them all and nobody can run one that is not listed.

use crate::ports::Value;

/// The text of a statement. Made by [`statements!`] and by nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SqlText(&'static str);

impl SqlText {
    /// Puts a text on a list. Only [`statements!`] calls this; a test sees to it.
    pub(crate) const fn listed(text: &'static str) -> Self {
        Self(text)
    }

    /// The SQL itself.
    pub const fn as_str(self) -> &'static str {
        self.0
    }

    /// The statement with its parameters, `?1` first.
    pub(crate) fn with<const N: usize>(self, params: [Value; N]) -> Statement {
        self.with_all(params.into())
    }

    /// The statement with parameters whose number is known only when it runs.
    pub(crate) fn with_all(self, params: Vec<Value>) -> Statement {
        Statement {
            sql: self.0,
            params,
        }
    }
}

/// A statement that is ready to run. Only a repository can make one.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Statement {
    /// The SQL, with numbered parameters.
    pub sql: &'static str,
    /// The parameters, `?1` first.
    pub params: Vec<Value>,
}

/// Defines a repository's statements and lists them as `STATEMENTS`.
macro_rules! statements {
    ($($(#[$doc:meta])* $name:ident = $sql:expr;)*) => {
        $($(#[$doc])* const $name: $crate::SqlText = $crate::SqlText::listed($sql);)*

        /// Every statement of this repository, by name.
        pub(crate) const STATEMENTS: &[(&str, $crate::SqlText)] =
            &[$((stringify!($name), $name),)*];
    };
}
pub(crate) use statements;

/// Declares the repositories, and lists every statement that they can make: a repository without
/// a list of statements does not compile, and a list that is not declared here is dead code.
macro_rules! repositories {
    ($($(#[$doc:meta])* pub mod $name:ident;)*) => {
        $($(#[$doc])* pub mod $name;)*

        /// Every statement of the store, by repository and name.
        pub fn statements() -> Vec<(&'static str, &'static str, $crate::SqlText)> {
            let repositories: &[(&str, &[(&str, $crate::SqlText)])] =
                &[$((stringify!($name), $name::STATEMENTS),)*];
            repositories
                .iter()
                .flat_map(|(module, list)| list.iter().map(|(name, text)| (*module, *name, *text)))
                .collect()
        }
    };
}
pub(crate) use repositories;
