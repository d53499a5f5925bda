//! Names that clients use for models of other names, such as the ones that a coding client has built in.

use std::collections::BTreeMap;

/// The variable with the names: a JSON object from a name, or a beginning with `*`, to a model, an alias
/// or `auto`.
pub(super) const VARIABLE: &str = "MODEL_ALIASES";

/// The configured names.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ModelAliases(BTreeMap<String, String>);

impl ModelAliases {
    /// Reads the variable's value.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let names: BTreeMap<String, String> =
            serde_json::from_str(text).map_err(|error| error.to_string())?;
        match names
            .iter()
            .find(|(name, model)| name.is_empty() || model.is_empty())
        {
            Some((name, _)) => Err(format!("`{name}` has no name or no model")),
            None => Ok(Self(names)),
        }
    }

    /// Replaces a requested name by that of the model: by the name itself, or by the longest beginning.
    pub fn apply(&self, name: &mut String) {
        let beginnings = self.0.iter().filter_map(|(pattern, model)| {
            let beginning = pattern.strip_suffix('*')?;
            name.starts_with(beginning)
                .then_some((beginning.len(), model))
        });
        let longest = beginnings.max_by_key(|(length, _)| *length);
        let model = self.0.get(name).or(longest.map(|(_, model)| model));
        if let Some(model) = model {
            name.clone_from(model);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_counts_before_the_longest_beginning() {
        let text = r#"{"claude-*":"smart","claude-haiku-*":"fast","claude-haiku-9":"own"}"#;
        let aliases = ModelAliases::parse(text).expect("valid");
        for (name, model) in [
            ("claude-opus-4-6", "smart"),
            ("claude-haiku-4-5", "fast"),
            ("claude-haiku-9", "own"),
            ("claude", "claude"),
            ("gpt", "gpt"),
        ] {
            let mut resolved = name.to_owned();
            aliases.apply(&mut resolved);
            assert_eq!(resolved, model, "{name}");
        }
        for invalid in ["[]", "{", r#"{"a":""}"#, r#"{"":"a"}"#, r#"{"a":1}"#] {
            assert!(ModelAliases::parse(invalid).is_err(), "{invalid}");
        }
    }
}
