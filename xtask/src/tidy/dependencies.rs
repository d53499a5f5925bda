//! Allowed dependencies between crates: core ← {api, llm, store} ← edge ← workers.

use serde_json::Value;

/// The crates of this repository that a crate may depend on.
fn allowed(package: &str) -> &'static [&'static str] {
    match package {
        "clawless-api" | "clawless-llm" | "clawless-store" => &["clawless-core"],
        "clawless-bench"
        | "clawless-classifier"
        | "clawless-edge"
        | "clawless-seed"
        | "clawless-testkit" => &[
            "clawless-core",
            "clawless-api",
            "clawless-llm",
            "clawless-store",
        ],
        "clawless-gateway" | "clawless-admin" | "clawless-widget-server" => &[
            "clawless-core",
            "clawless-api",
            "clawless-llm",
            "clawless-store",
            "clawless-edge",
        ],
        // It describes the Workers' routes tables and is part of none.
        "clawless-openapi" => &[
            "clawless-core",
            "clawless-api",
            "clawless-edge",
            "clawless-gateway",
            "clawless-admin",
        ],
        // xtask and the commands for operators use the product over HTTP and as programs.
        "xtask" => &["clawless-cli"],
        _ => &[],
    }
}

/// The crates that a crate's tests may also depend on. The tests of the model clients compare whole
/// exchanges: a client's request in, a client's response out.
fn allowed_in_tests(package: &str) -> &'static [&'static str] {
    match package {
        "clawless-llm" => &["clawless-api"],
        _ => &[],
    }
}

/// Crates of the Workers platform.
const PLATFORM: [&str; 5] = ["worker", "worker-sys", "wasm-bindgen", "js-sys", "web-sys"];

/// Crates that may depend on the platform.
const ON_PLATFORM: [&str; 4] = [
    "clawless-edge",
    "clawless-gateway",
    "clawless-admin",
    "clawless-widget-server",
];

/// Dependencies that point outward.
pub(super) fn directions(metadata: &Value) -> Vec<String> {
    let mut breaches = Vec::new();
    for package in list(metadata, "packages") {
        let from = text(package, "name");
        for dependency in list(package, "dependencies") {
            let to = text(dependency, "name");
            let is_dev = text(dependency, "kind") == "dev";
            let is_testkit = to == "clawless-testkit";
            let is_allowed =
                allowed(from).contains(&to) || is_dev && allowed_in_tests(from).contains(&to);
            if is_testkit && !is_dev {
                breaches.push(format!("{from} depends on {to} outside its tests"));
            } else if to.starts_with("clawless-") && !is_testkit && !is_allowed {
                breaches.push(format!("{from} must not depend on {to}"));
            } else if PLATFORM.contains(&to) && !ON_PLATFORM.contains(&from) {
                breaches.push(format!(
                    "{from} must not depend on {to}: only clawless-edge and the Workers may"
                ));
            }
        }
    }
    breaches
}

/// Features named `test…` that are enabled by default or by a dependent.
pub(super) fn test_features(metadata: &Value) -> Vec<String> {
    let mut breaches = Vec::new();
    let is_test = |feature: &str| {
        feature
            .rsplit('/')
            .next()
            .is_some_and(|name| name.starts_with("test"))
    };
    for package in list(metadata, "packages") {
        let name = text(package, "name");
        let defaults = package
            .pointer("/features/default")
            .and_then(Value::as_array);
        for feature in defaults
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .filter(|feature| is_test(feature))
        {
            breaches.push(format!("{name} enables {feature} by default"));
        }
        for dependency in list(package, "dependencies")
            .iter()
            .filter(|dependency| text(dependency, "kind") != "dev")
        {
            for feature in list(dependency, "features")
                .iter()
                .filter_map(Value::as_str)
                .filter(|feature| is_test(feature))
            {
                let to = text(dependency, "name");
                if to.starts_with("clawless-") {
                    breaches.push(format!("{name} enables {feature} of {to}"));
                }
            }
        }
    }
    breaches
}

fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value
        .get(key)
        .and_then(Value::as_array)
        .map(Vec::as_slice)
        .unwrap_or_default()
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn depends(from: &str, to: &str, kind: Option<&str>) -> Value {
        json!({"packages": [{"name": from, "dependencies": [{"name": to, "kind": kind}]}]})
    }

    #[test]
    fn outward_dependency_is_a_breach() {
        for (from, to) in [
            ("clawless-core", "clawless-store"),
            ("clawless-core", "clawless-api"),
            ("clawless-llm", "clawless-api"),
            ("clawless-llm", "clawless-store"),
            ("clawless-gateway", "clawless-admin"),
            ("xtask", "clawless-core"),
            ("clawless-cli", "clawless-core"),
            ("clawless-api", "clawless-store"),
            ("clawless-core", "worker"),
            ("clawless-testkit", "clawless-edge"),
        ] {
            assert_eq!(
                directions(&depends(from, to, None)).len(),
                1,
                "{from} → {to}"
            );
        }
    }

    #[test]
    fn inward_dependency_is_allowed() {
        for (from, to) in [
            ("clawless-gateway", "clawless-core"),
            ("clawless-edge", "worker"),
            ("clawless-store", "clawless-core"),
            ("clawless-edge", "clawless-api"),
            ("xtask", "clawless-cli"),
        ] {
            assert!(
                directions(&depends(from, to, None)).is_empty(),
                "{from} → {to}"
            );
        }
    }

    #[test]
    fn testkit_is_a_dev_dependency_only() {
        assert_eq!(
            directions(&depends("clawless-store", "clawless-testkit", None)).len(),
            1
        );
        assert!(directions(&depends("clawless-store", "clawless-testkit", Some("dev"))).is_empty());
    }

    #[test]
    fn test_feature_that_is_enabled_is_a_breach() {
        let default = json!({"packages": [{"name": "clawless-gateway", "features": {"default": ["test-faults"]}}]});
        assert_eq!(test_features(&default).len(), 1);
        let enabled = json!({"packages": [{"name": "clawless-gateway", "dependencies": [
            {"name": "clawless-edge", "kind": null, "features": ["test-faults"]},
        ]}]});
        assert_eq!(test_features(&enabled).len(), 1);
        let optional =
            json!({"packages": [{"name": "clawless-gateway", "features": {"test-faults": []}}]});
        assert!(test_features(&optional).is_empty());
    }
}
