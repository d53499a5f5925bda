//! The build stamp: which version and commit run, for health reports and logs.

use std::fmt;

use serde::Serialize;
use worker::Env;

/// The variable with the deployed commit. `cargo xtask deploy` sets it.
const BUILD_COMMIT: &str = "BUILD_COMMIT";

/// The version and the commit of a Worker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Build {
    /// The version.
    version: &'static str,
    /// The first digits of the commit; `None` if the Worker was not deployed by `cargo xtask deploy`.
    commit: Option<String>,
}

impl Build {
    /// The build of this Worker.
    pub fn of(env: &Env) -> Self {
        Self::new(env.var(BUILD_COMMIT).ok().map(|commit| commit.to_string()))
    }

    fn new(commit: Option<String>) -> Self {
        Self {
            version: env!("CARGO_PKG_VERSION"),
            commit: commit.filter(|commit| !commit.is_empty()),
        }
    }
}

impl fmt::Display for Build {
    /// The form of semantic versions: `0.1.0+1a2b3c4d5e6f`.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.version)?;
        match &self.commit {
            Some(commit) => write!(out, "+{commit}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_build_is_shown_as_a_semantic_version() {
        let version = env!("CARGO_PKG_VERSION");
        let deployed = Build::new(Some("1a2b3c4d5e6f".to_owned()));
        assert_eq!(deployed.to_string(), format!("{version}+1a2b3c4d5e6f"));
        assert_eq!(Build::new(Some(String::new())).to_string(), version);
    }
}
