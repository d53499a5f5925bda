//! The Workers' configurations of one stack, derived from `wrangler/`.

use std::{fmt::Write as _, fs, io::Read as _, path::PathBuf};

use anyhow::{Context, Result};
use serde_json::{Map, Value, json};

use crate::{
    layout::{Layout, WORKERS},
    stack::{provider::Provider, state::State},
    stamp::write_atomically,
};

/// Writes all configurations. Returns whether any changed.
pub(crate) fn write_all(layout: &Layout, state: &State, provider: &Provider) -> Result<bool> {
    let signing_key = match signing_key(state) {
        Some(key) => key,
        None => generate_secret()?,
    };
    let mut changed = false;
    for worker in WORKERS {
        let mut config = read(layout, worker)?;
        if requires(&config, SIGNING_KEY) {
            let secrets = Map::from_iter([(SIGNING_KEY.to_owned(), json!(signing_key))]);
            set_variables(&mut config, secrets);
        }
        localise(&mut config, layout, state, worker);
        if worker == "gateway" {
            set_variables(&mut config, provider.variables());
        }
        let (path, text) = (state.config(worker), serde_json::to_vec_pretty(&config)?);
        if fs::read(&path).is_ok_and(|current| current == text) {
            continue;
        }
        // Private, since variables may contain an upstream's key.
        write_atomically(&path, &text, true)?;
        changed = true;
    }
    Ok(changed)
}

/// Writes a configuration with the database only, for commands that run before the rest is prepared.
pub(crate) fn write_database(layout: &Layout, state: &State) -> Result<PathBuf> {
    let mut config = read(layout, "gateway")?;
    localise(&mut config, layout, state, "gateway");
    config.retain(|key, _| ["name", "compatibility_date", "d1_databases"].contains(&key.as_str()));
    let path = state.config("database");
    write_atomically(&path, &serde_json::to_vec_pretty(&config)?, false)?;
    Ok(path)
}

/// A committed configuration.
pub(crate) fn read(layout: &Layout, worker: &str) -> Result<Map<String, Value>> {
    let path = layout.at(format!("wrangler/{worker}.jsonc"));
    let text =
        fs::read_to_string(&path).with_context(|| format!("can't read {}", path.display()))?;
    parse(&text).with_context(|| format!("{} is not a valid configuration", path.display()))
}

/// Parses a configuration.
pub(crate) fn parse(text: &str) -> Result<Map<String, Value>> {
    match jsonc_parser::parse_to_serde_value::<Value>(text, &jsonc_parser::ParseOptions::default())?
    {
        Value::Object(config) => Ok(config),
        _ => anyhow::bail!("it is not an object"),
    }
}

/// Adapts a configuration to this stack, without network access.
fn localise(config: &mut Map<String, Value>, layout: &Layout, state: &State, worker: &str) {
    // An `ai` binding needs the network. Secrets become variables.
    for production_only in ["$schema", "ai", "routes", "route", "secrets"] {
        config.remove(production_only);
    }
    config.insert(
        "main".to_owned(),
        json!(state.bundle(worker).join("index.js")),
    );
    for database in config
        .get_mut("d1_databases")
        .and_then(Value::as_array_mut)
        .into_iter()
        .flatten()
    {
        if let Some(database) = database.as_object_mut() {
            database.insert("migrations_dir".to_owned(), json!(layout.at("migrations")));
        }
    }
    if let Some(folder) = config
        .get_mut("assets")
        .and_then(|assets| assets.get_mut("directory"))
    {
        let committed = layout
            .at("wrangler")
            .join(folder.as_str().unwrap_or_default());
        *folder = json!(committed);
    }
    set_variables(
        config,
        [("ENVIRONMENT".to_owned(), json!("development"))]
            .into_iter()
            .collect(),
    );
}

/// The secret that signs values which clients return.
pub(crate) const SIGNING_KEY: &str = "SIGNING_KEY";

/// The stack's existing key, so that signed values stay valid after a restart.
fn signing_key(state: &State) -> Option<String> {
    let config: Value = serde_json::from_slice(&fs::read(state.config("gateway")).ok()?).ok()?;
    let key = config.pointer(&format!("/vars/{SIGNING_KEY}"))?.as_str()?;
    Some(key.to_owned())
}

/// A secret of 256 random bits, in hexadecimal.
pub(crate) fn generate_secret() -> Result<String> {
    let mut bytes = [0_u8; 32];
    fs::File::open("/dev/urandom")
        .and_then(|mut random| random.read_exact(&mut bytes))
        .context("can't read /dev/urandom")?;
    Ok(bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string can't fail.
        let _ = write!(text, "{byte:02x}");
        text
    }))
}

/// Whether a configuration requires a secret.
pub(crate) fn requires(config: &Map<String, Value>, secret: &str) -> bool {
    let required = config.get("secrets").and_then(|it| it.get("required"));
    let mut names = required.and_then(Value::as_array).into_iter().flatten();
    names.any(|name| name == secret)
}

/// Sets variables besides the existing ones.
pub(crate) fn set_variables(config: &mut Map<String, Value>, variables: Map<String, Value>) {
    if let Some(existing) = config
        .entry("vars")
        .or_insert_with(|| json!({}))
        .as_object_mut()
    {
        existing.extend(variables);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn local_configuration_keeps_bindings_without_network_access() {
        let layout = Layout::find().unwrap();
        let state = State::new(std::path::Path::new("/tmp/stack")).unwrap();
        let mut config = parse(
            r#"{ // with a comment
                "name": "w", "main": "../x", "ai": {"binding": "AI"},
                "services": [{"binding": "ADMIN", "service": "a"}],
                "d1_databases": [{"binding": "DB", "migrations_dir": "../migrations"}],
                "vars": {"ENVIRONMENT": "production", "LOG_LEVEL": "info"},
            }"#,
        )
        .unwrap();
        localise(&mut config, &layout, &state, "gateway");
        let config = Value::Object(config);
        assert_eq!(config.get("ai"), None);
        assert_eq!(config.pointer("/services/0/binding"), Some(&json!("ADMIN")));
        assert_eq!(
            config.pointer("/main"),
            Some(&json!("/tmp/stack/bundles/gateway/index.js"))
        );
        assert_eq!(
            config.pointer("/d1_databases/0/migrations_dir"),
            Some(&json!(layout.at("migrations")))
        );
        assert_eq!(
            config.pointer("/vars"),
            Some(&json!({"ENVIRONMENT": "development", "LOG_LEVEL": "info"}))
        );
    }

    #[test]
    fn signing_key_is_stable_and_only_changes_are_written() {
        let layout = Layout::find().unwrap();
        let folder = std::env::temp_dir().join(format!("clawless-config-{}", std::process::id()));
        let state = State::new(&folder).unwrap();
        let provider = Provider::sample();
        assert!(write_all(&layout, &state, &provider).unwrap());
        let key = signing_key(&state).unwrap();
        assert!(!write_all(&layout, &state, &provider).unwrap());
        fs::remove_file(state.config("admin")).unwrap();
        assert!(write_all(&layout, &state, &provider).unwrap());
        assert_eq!(signing_key(&state), Some(key));
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn secrets_are_long_and_unique() {
        let (one, other) = (generate_secret().unwrap(), generate_secret().unwrap());
        assert_eq!((one.len(), other.len()), (64, 64));
        assert_ne!(one, other);
    }

    #[test]
    fn only_the_gateway_is_public() {
        let layout = Layout::find().unwrap();
        assert!(requires(&read(&layout, "gateway").unwrap(), SIGNING_KEY));
        for worker in WORKERS {
            let config = Value::Object(read(&layout, worker).unwrap());
            assert_eq!(
                config.get("name"),
                Some(&json!(format!("clawless-{worker}")))
            );
            assert_eq!(config.get("workers_dev"), Some(&json!(worker == "gateway")));
            assert_eq!(config.get("preview_urls"), Some(&json!(false)));
        }
    }
}
