//! The versions of the widget.

use std::str::FromStr;

/// A version in a path: `v1.2.3`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Version {
    pub(crate) major: u32,
    minor: u32,
    patch: u32,
}

/// A text is not a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct InvalidVersion;

impl FromStr for Version {
    type Err = InvalidVersion;

    fn from_str(text: &str) -> Result<Self, InvalidVersion> {
        let mut numbers = text.strip_prefix('v').ok_or(InvalidVersion)?.split('.');
        let mut number = || numbers.next().and_then(number_of).ok_or(InvalidVersion);
        let version = Self {
            major: number()?,
            minor: number()?,
            patch: number()?,
        };
        match numbers.next() {
            None => Ok(version),
            Some(_) => Err(InvalidVersion),
        }
    }
}

/// A number without a sign or leading zeros, which would be aliases.
fn number_of(text: &str) -> Option<u32> {
    let number: u32 = text.parse().ok()?;
    (number.to_string() == text).then_some(number)
}

/// The major version of a path such as `v1`, which stands for the newest release of it.
pub(crate) fn major(text: &str) -> Option<u32> {
    number_of(text.strip_prefix('v')?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_ordered_by_their_numbers() {
        let version = |text: &str| text.parse::<Version>();
        assert!(version("v1.10.0").ok() > version("v1.9.9").ok());
        assert!(version("v2.0.0").ok() > version("v1.99.99").ok());
        for bad in [
            "1.0.0", "v1", "v1.0", "v1.0.0.0", "v01.0.0", "v1.0.+1", "v1.0.0-a", "v",
        ] {
            assert_eq!(version(bad), Err(InvalidVersion), "{bad}");
        }
        assert_eq!(
            (major("v1"), major("v01"), major("v1.0.0")),
            (Some(1), None, None)
        );
    }
}
