//! The macro that defines a repository's statements.

/// Defines statements as constants and lists them as `STATEMENTS`, so that a test can read them
/// all.
macro_rules! statements {
    ($($(#[$doc:meta])* $name:ident = $sql:expr;)*) => {
        $($(#[$doc])* pub(super) const $name: $crate::ports::SqlText =
            $crate::ports::SqlText::listed($sql);)*

        /// Every statement of this repository, by name.
        pub(crate) const STATEMENTS: &[(&str, $crate::ports::SqlText)] =
            &[$((stringify!($name), $name),)*];
    };
}
pub(crate) use statements;
