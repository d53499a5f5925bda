//! The secrets of an environment: which the Workers need, which are set, and where new values come from.
//! Values are never arguments and never printed.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};
use serde_json::{Map, Value, json};

use crate::{
    deploy::{configuration::Config, prompt, target::Target},
    layout::WORKERS,
    stack::config::{self, SIGNING_KEY},
    stamp::write_atomically,
};

/// The secret with the first operator's token.
pub(crate) const ADMIN_TOKEN: &str = "ADMIN_TOKEN";

/// The file with generated values until they are deployed, so that a repeated run uses the same.
const GENERATED: &str = "generated-secrets.json";

/// The file with the first operator's token.
pub(crate) const TOKEN_FILE: &str = "admin-token";

/// Where the value of a secret comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    /// Random; a deployment creates it.
    Generated,
    /// Random, for a new admin Worker; may be deleted when there are other tokens.
    FirstToken,
    /// From another party, such as the key of a provider.
    Given,
}

/// A secret of a Worker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Secret {
    pub(crate) worker: &'static str,
    pub(crate) name: String,
    pub(crate) origin: Origin,
    /// What it is for.
    pub(crate) purpose: String,
}

/// The secrets of the Workers with these configurations.
pub(crate) fn of_workers(configs: &[(&'static str, Config)]) -> Result<Vec<Secret>> {
    let mut secrets = Vec::new();
    for (worker, config) in configs {
        let secret = |name: &str, origin, purpose: String| Secret {
            worker,
            name: name.to_owned(),
            origin,
            purpose,
        };
        if config::requires(config, SIGNING_KEY) {
            secrets.push(secret(
                SIGNING_KEY,
                Origin::Generated,
                "signs cursors".to_owned(),
            ));
        }
        if *worker == "admin" {
            secrets.push(secret(
                ADMIN_TOKEN,
                Origin::FirstToken,
                "the first operator's token".to_owned(),
            ));
        }
        for (name, provider) in
            provider_keys(config).with_context(|| format!("PROVIDERS of {worker} is not valid"))?
        {
            if secrets
                .iter()
                .all(|it| it.name != name || it.worker != *worker)
            {
                secrets.push(secret(
                    &name,
                    Origin::Given,
                    format!("the key of the provider `{provider}`"),
                ));
            }
        }
    }
    Ok(secrets)
}

/// The names of the secrets in the variable `PROVIDERS`, each with its provider.
fn provider_keys(config: &Config) -> Result<Vec<(String, String)>> {
    let providers = config.get("vars").and_then(|vars| vars.get("PROVIDERS"));
    let Some(providers) = providers.and_then(Value::as_str) else {
        return Ok(Vec::new());
    };
    let providers: Vec<Map<String, Value>> = serde_json::from_str(providers)?;
    let member = |provider: &Map<String, Value>, name| {
        provider
            .get(name)
            .and_then(Value::as_str)
            .map(str::to_owned)
    };
    let keys = providers.iter().filter_map(|provider| {
        Some((
            member(provider, "key")?,
            member(provider, "name").unwrap_or_default(),
        ))
    });
    Ok(keys.collect())
}

/// The names of the secrets that a deployed Worker has. Empty if it has none.
pub(crate) fn set(target: &Target<'_>, worker: &str) -> Result<BTreeSet<String>> {
    let name = target.worker(worker);
    let list = target
        .wrangler
        .ask_json(&["secret", "list", "--name", &name, "--format", "json"])?;
    let names = list.as_array().into_iter().flatten();
    let names = names.filter_map(|secret| secret.get("name")?.as_str().map(str::to_owned));
    Ok(names.collect())
}

/// Values to deploy, in a private file for each Worker. Dropping it removes the files.
pub(crate) struct SecretFiles<'t> {
    target: &'t Target<'t>,
    files: BTreeMap<&'static str, PathBuf>,
}

impl SecretFiles<'_> {
    /// The file for a Worker.
    pub(crate) fn of(&self, worker: &str) -> Option<&Path> {
        self.files.get(worker).map(PathBuf::as_path)
    }
}

impl Drop for SecretFiles<'_> {
    fn drop(&mut self) {
        for worker in self.files.keys() {
            self.target.remove(&file_name(worker));
        }
    }
}

fn file_name(worker: &str) -> String {
    format!("secrets-{worker}.json")
}

/// Collects the values of the secrets that are not set, and those in `given`, which also replace others.
/// `exists`: whether a Worker was deployed before.
pub(crate) fn collect<'t>(
    target: &'t Target<'t>,
    configs: &[(&'static str, Config)],
    given: Option<&Path>,
    exists: impl Fn(&str) -> bool,
) -> Result<SecretFiles<'t>> {
    let secrets = of_workers(configs)?;
    let mut given = given.map(read_file).transpose()?.unwrap_or_default();
    if let Some(unknown) = given
        .keys()
        .find(|name| secrets.iter().all(|it| it.name != **name))
    {
        bail!(
            "the file with secrets names `{unknown}`, which no Worker uses: correct the name, or add the provider first"
        );
    }
    let mut generated = Generated::read(target)?;
    let mut values: BTreeMap<&'static str, Map<String, Value>> = BTreeMap::new();
    for worker in WORKERS {
        let is_new = !exists(worker);
        let set = if is_new {
            BTreeSet::new()
        } else {
            set(target, worker)?
        };
        for secret in secrets.iter().filter(|it| it.worker == worker) {
            let value = match (given.get(&secret.name), secret.origin) {
                (Some(value), _) => Some(value.clone()),
                (None, _) if set.contains(&secret.name) => None,
                (None, Origin::Generated) => Some(generated.get(&secret.name)?),
                (None, Origin::FirstToken) if is_new => Some(generated.get(&secret.name)?),
                (None, Origin::FirstToken) => None,
                (None, Origin::Given) => {
                    let value = ask(target, secret)?;
                    given.insert(secret.name.clone(), value.clone());
                    Some(value)
                }
            };
            if let Some(value) = value {
                let source = match secret.origin {
                    Origin::Generated | Origin::FirstToken => "generated",
                    Origin::Given => "from --secrets-file or a question",
                };
                let text = format!(
                    "secret {} of {worker}: {source}, {}",
                    secret.name, secret.purpose
                );
                target.wrangler.preview(&text);
                values
                    .entry(worker)
                    .or_default()
                    .insert(secret.name.clone(), json!(value));
            }
        }
    }
    write(target, values)
}

fn write<'t>(
    target: &'t Target<'t>,
    values: BTreeMap<&'static str, Map<String, Value>>,
) -> Result<SecretFiles<'t>> {
    let mut files = SecretFiles {
        target,
        files: BTreeMap::new(),
    };
    for (worker, mut values) in values {
        let path = target.file(&file_name(worker));
        if target.wrangler.is_preview() {
            values.clear();
        }
        write_atomically(&path, &serde_json::to_vec(&values)?, true)?;
        files.files.insert(worker, path);
    }
    Ok(files)
}

fn ask(target: &Target<'_>, secret: &Secret) -> Result<String> {
    let Secret {
        name,
        purpose,
        worker,
        ..
    } = secret;
    if target.wrangler.is_preview() {
        return Ok(String::new());
    }
    if !prompt::is_interactive() {
        bail!(
            "the secret {name} of {worker} is not set ({purpose}): pass --secrets-file FILE, or run `cargo xtask secrets set {name} --env {}` in a terminal",
            target.name
        );
    }
    prompt::secret(&format!("{name}, {purpose}"))
}

/// Reads a file of secrets: a JSON object, or lines `NAME=value`.
pub(crate) fn read_file(path: &Path) -> Result<BTreeMap<String, String>> {
    let text =
        fs::read_to_string(path).with_context(|| format!("can't read {}", path.display()))?;
    parse(&text).with_context(|| {
        format!(
            "{} has neither a JSON object of texts nor lines NAME=value",
            path.display()
        )
    })
}

fn parse(text: &str) -> Result<BTreeMap<String, String>> {
    if text.trim_start().starts_with('{') {
        // The library's error could quote a value.
        return serde_json::from_str(text)
            .map_err(|error| anyhow::anyhow!("line {} is not valid", error.line()));
    }
    let mut values = BTreeMap::new();
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (name, value) = line
            .split_once('=')
            .with_context(|| format!("line {number} has no `=`"))?;
        let value = value.trim();
        let quoted = ['"', '\'']
            .iter()
            .find_map(|quote| value.strip_prefix(*quote)?.strip_suffix(*quote));
        values.insert(name.trim().to_owned(), quoted.unwrap_or(value).to_owned());
    }
    Ok(values)
}

/// Generated values that are not all deployed yet.
struct Generated<'t> {
    target: &'t Target<'t>,
    values: BTreeMap<String, String>,
}

impl<'t> Generated<'t> {
    fn read(target: &'t Target<'t>) -> Result<Self> {
        let path = target.file(GENERATED);
        let values = if path.is_file() {
            read_file(&path)?
        } else {
            BTreeMap::new()
        };
        Ok(Self { target, values })
    }

    /// The value of a secret, stored before anything uses it.
    fn get(&mut self, name: &str) -> Result<String> {
        if let Some(value) = self.values.get(name) {
            return Ok(value.clone());
        }
        let value = config::generate_secret()?;
        self.values.insert(name.to_owned(), value.clone());
        if !self.target.wrangler.is_preview() {
            let text = serde_json::to_vec(&self.values)?;
            write_atomically(&self.target.file(GENERATED), &text, true)?;
        }
        Ok(value)
    }
}

/// Ends a successful deployment: keeps a generated token of the first operator in its own file, and
/// removes the other generated values. Returns the token's file if it is new.
pub(crate) fn keep_token(target: &Target<'_>) -> Result<Option<PathBuf>> {
    let generated = Generated::read(target)?;
    let path = target.file(TOKEN_FILE);
    let token = generated.values.get(ADMIN_TOKEN);
    if let Some(token) = token {
        write_atomically(&path, token.as_bytes(), true)?;
    }
    let is_new = token.is_some();
    target.remove(GENERATED);
    Ok(is_new.then_some(path))
}

/// The operator's token on this machine: `CLAWLESS_ADMIN_TOKEN`, else the file of the first deployment.
pub(crate) fn operator_token(target: &Target<'_>) -> Option<String> {
    let variable = std::env::var("CLAWLESS_ADMIN_TOKEN")
        .ok()
        .filter(|it| !it.is_empty());
    let generated = || {
        Generated::read(target)
            .ok()?
            .values
            .get(ADMIN_TOKEN)
            .cloned()
    };
    let kept = || fs::read_to_string(target.file(TOKEN_FILE)).ok();
    let token = variable.or_else(generated).or_else(kept)?;
    Some(token.trim().to_owned()).filter(|token| !token.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_secrets_are_json_or_lines() {
        let expected = BTreeMap::from([
            ("A".to_owned(), "1=2".to_owned()),
            ("B".to_owned(), "x y".to_owned()),
        ]);
        for text in [
            r#"{"A": "1=2", "B": "x y"}"#,
            "# comment\nA=1=2\n\n B = \"x y\" \n",
        ] {
            assert_eq!(parse(text).unwrap(), expected, "{text}");
        }
        for text in [r#"{"A": 1}"#, "canary"] {
            let error = format!("{:#}", parse(text).unwrap_err());
            assert!(!error.contains("canary"), "{error}");
        }
    }

    #[test]
    fn secrets_are_the_required_ones_and_the_keys_of_the_providers() {
        let config = |value: Value| value.as_object().unwrap().clone();
        let providers = r#"[{"name":"a","kind":"openai","key":"A_KEY"},{"name":"b","kind":"workers_ai"},{"name":"c","kind":"openai","key":"A_KEY"}]"#;
        let gateway = config(
            json!({"secrets": {"required": ["SIGNING_KEY"]}, "vars": {"PROVIDERS": providers}}),
        );
        let secrets = of_workers(&[("gateway", gateway), ("admin", config(json!({})))]).unwrap();
        let found: Vec<_> = secrets
            .iter()
            .map(|it| (it.worker, it.name.as_str(), it.origin))
            .collect();
        assert_eq!(
            found,
            [
                ("gateway", "SIGNING_KEY", Origin::Generated),
                ("gateway", "A_KEY", Origin::Given),
                ("admin", "ADMIN_TOKEN", Origin::FirstToken)
            ]
        );
    }
}
