//! The npm lockfile must work with every registry and on every platform.

use serde_json::{Map, Value};

/// URLs in the lockfile, and missing packages of other platforms.
///
/// npm omits packages that the registry does not have, and `npm ci` then rejects the lockfile: add an
/// entry with version, os and cpu.
pub(super) fn breaches(lockfile: &Value) -> Vec<String> {
    let Some(packages) = lockfile.get("packages").and_then(Value::as_object) else {
        return vec!["it has no packages".to_owned()];
    };
    let urls = packages
        .iter()
        .filter(|(_, package)| package.get("resolved").is_some())
        .map(|(path, _)| format!("{path} has a URL: run `npm config set omit-lockfile-registry-resolved true` and lock again"));
    urls.chain(missing(packages)).collect()
}

fn missing(packages: &Map<String, Value>) -> impl Iterator<Item = String> {
    packages.iter().flat_map(move |(path, package)| {
        let dependencies = package.get("optionalDependencies").and_then(Value::as_object).into_iter().flatten();
        dependencies.filter(move |(name, _)| !is_locked(packages, path, name)).map(move |(name, version)| {
            format!("{name} {version} of {path} has no entry, so `npm ci` fails: add one with version, os and cpu")
        })
    })
}

/// npm searches the package's own folder first, then the root.
fn is_locked(packages: &Map<String, Value>, path: &str, name: &str) -> bool {
    packages.contains_key(&format!("{path}/node_modules/{name}"))
        || packages.contains_key(&format!("node_modules/{name}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn url_is_a_breach() {
        let lockfile = json!({"packages": {"node_modules/a": {"version": "1.0.0", "resolved": "https://example.com/a.tgz"}}});
        assert_eq!(breaches(&lockfile).len(), 1);
    }

    #[test]
    fn missing_package_of_another_platform_is_a_breach() {
        let mut lockfile = json!({"packages": {"node_modules/a": {"optionalDependencies": {"a-linux": "1", "a-mac": "1"}},
            "node_modules/a-linux": {}}});
        assert_eq!(breaches(&lockfile).len(), 1);
        lockfile["packages"]["node_modules/a-mac"] = json!({"os": ["darwin"]});
        assert!(breaches(&lockfile).is_empty());
    }
}
