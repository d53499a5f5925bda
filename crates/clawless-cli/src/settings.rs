//! Settings as arguments: `limits.burst=5`.

use anyhow::{Context, Result};
use serde_json::{Map, Value, json};

/// Builds a merge patch of `name=value` arguments; dots in a name lead to members of members. A value
/// that is not JSON is a string.
pub(crate) fn patch(settings: &[String]) -> Result<Map<String, Value>> {
    let mut object = Map::new();
    for setting in settings {
        let (name, value) = setting
            .split_once('=')
            .with_context(|| format!("`{setting}` is not a setting: write name=value"))?;
        let value = serde_json::from_str(value).unwrap_or_else(|_| json!(value));
        insert(&mut object, name, value)?;
    }
    Ok(object)
}

fn insert(object: &mut Map<String, Value>, name: &str, value: Value) -> Result<()> {
    let Some((outer, inner)) = name.split_once('.') else {
        object.insert(name.to_owned(), value);
        return Ok(());
    };
    let members = object.entry(outer).or_insert_with(|| json!({}));
    let members = members.as_object_mut();
    let members = members.with_context(|| format!("`{outer}` is set twice"))?;
    insert(members, inner, value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_become_a_merge_patch() {
        let settings = [
            "limits.burst=5",
            "limits.concurrent=null",
            "limits.requests_per_minute=unlimited",
            "limits.shares.read=10",
            "default_model=gpt-5",
            "tools=[\"time_now\"]",
            "retention_days=30",
        ];
        let patched = patch(&settings.map(str::to_owned)).unwrap();
        let expected = json!({
            "limits": {"burst": 5, "concurrent": null, "requests_per_minute": "unlimited", "shares": {"read": 10}},
            "default_model": "gpt-5", "tools": ["time_now"], "retention_days": 30,
        });
        assert_eq!(Value::Object(patched), expected);
        assert!(patch(&["burst".to_owned()]).is_err());
        assert!(patch(&["a=1".to_owned(), "a.b=1".to_owned()]).is_err());
    }
}
