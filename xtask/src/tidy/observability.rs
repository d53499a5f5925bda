//! The production configurations store no URL of a request: its query string may contain a key.

use serde_json::{Map, Value, json};

/// The members that keep query strings out of stored logs and traces, with their values.
const REQUIRED: [(&str, &str); 3] = [
    ("/observability/redact_query_string", "true"),
    ("/observability/logs/invocation_logs", "false"),
    ("/observability/traces/enabled", "false"),
];

/// Members that send request URLs elsewhere, or that can override the others.
const FORBIDDEN: [&str; 4] = [
    "logpush",
    "tail_consumers",
    "streaming_tail_consumers",
    "env",
];

/// The breaches of one Worker's configuration.
pub(super) fn breaches(worker: &str, config: Map<String, Value>) -> Vec<String> {
    let config = Value::Object(config);
    let required = REQUIRED
        .iter()
        .filter(|(path, value)| {
            config.pointer(path).map(Value::to_string).as_deref() != Some(*value)
        })
        .map(|(path, value)| format!("wrangler/{worker}.jsonc: {path} must be {value}"));
    let forbidden = FORBIDDEN
        .iter()
        .filter(|name| config.get(name).is_some_and(|value| *value != json!(false)))
        .map(|name| format!("wrangler/{worker}.jsonc: {name} may store request URLs: remove it"));
    required.chain(forbidden).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        layout::{Layout, WORKERS},
        stack::config,
    };

    #[test]
    fn attack_7_no_production_configuration_stores_a_query_string() {
        let layout = Layout::find().unwrap();
        for worker in WORKERS {
            let config = config::read(&layout, worker).unwrap();
            assert_eq!(breaches(worker, config), Vec::<String>::new());
        }
    }

    #[test]
    fn missing_and_contrary_members_are_breaches() {
        let config = |value: Value| value.as_object().unwrap().clone();
        let enabled = config(json!({"observability": {"enabled": true}}));
        assert_eq!(breaches("gateway", enabled).len(), 3);
        let contrary = config(json!({
            "observability": {
                "redact_query_string": false,
                "logs": {"invocation_logs": true},
                "traces": {"enabled": true},
            },
            "logpush": true,
            "tail_consumers": [{"service": "x"}],
            "env": {},
        }));
        assert_eq!(breaches("gateway", contrary).len(), 6);
    }
}
