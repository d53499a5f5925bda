//! The npm lockfile: usable with every registry and on every platform.

use serde_json::{Map, Value};

/// Addresses in the lockfile, and packages of other platforms that it lacks.
///
/// Where a registry does not have the packages of all platforms, npm leaves them out of the lockfile
/// that it writes, and then `npm ci` refuses that lockfile: add the entry with version, os and cpu.
pub(super) fn breaches(lockfile: &Value) -> Vec<String> {
    let Some(packages) = lockfile.get("packages").and_then(Value::as_object) else {
        return vec!["there is no list of packages".to_owned()];
    };
    let addresses = packages
        .iter()
        .filter(|(_, package)| package.get("resolved").is_some())
        .map(|(path, _)| format!("{path} has an address: npm config set omit-lockfile-registry-resolved true, and lock anew"));
    addresses.chain(missing(packages)).collect()
}

fn missing(packages: &Map<String, Value>) -> impl Iterator<Item = String> {
    packages.iter().flat_map(move |(path, package)| {
        let wanted = package.get("optionalDependencies").and_then(Value::as_object).into_iter().flatten();
        wanted.filter(move |(name, _)| !is_locked(packages, path, name)).map(move |(name, version)| {
            format!("{name} {version} of {path} has no entry, so `npm ci` fails: add one with version, os and cpu")
        })
    })
}

/// npm looks beside the package first, then further out.
fn is_locked(packages: &Map<String, Value>, path: &str, name: &str) -> bool {
    packages.contains_key(&format!("{path}/node_modules/{name}"))
        || packages.contains_key(&format!("node_modules/{name}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn address_is_a_breach() {
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
