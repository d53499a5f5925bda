//! The configuration of a deployment, read from variables once per isolate.

use std::collections::HashMap;
use std::rc::Rc;
use std::str::FromStr;

use clawless_core::api_key::is_origin;
use clawless_core::llm::{LlmProvider, ProviderKind};
use clawless_core::model::{Model, known_models};
use clawless_core::signing::SigningKey;
use clawless_core::time::Millis;
use clawless_core::{ApiError, ErrorCode};
use clawless_llm::egress::Egress;
use clawless_llm::profile::Profile;
use tracing::level_filters::LevelFilter;

use super::model_aliases::{self, ModelAliases};

/// The variable with the model servers.
const PROVIDERS: &str = "PROVIDERS";
/// The variable with the origins of browsers.
const CORS_ORIGINS: &str = "CORS_ORIGINS";
/// The secret that signs cursors.
const SIGNING_KEY: &str = "SIGNING_KEY";
/// The variable with the number of inputs that may wait for a commit of a ledger before admissions are
/// refused.
pub const LEDGER_QUEUE_LIMIT: &str = "LEDGER_QUEUE_LIMIT";

/// The source of variables and secrets.
pub trait Variables {
    /// The value of a variable or secret; `None` if it is not set.
    fn get(&self, name: &str) -> Option<String>;
}

/// A variable or secret that is absent or invalid. The gateway serves what it can without it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidVariable {
    /// The variable's name.
    pub name: String,
    /// What is wrong with it; never its value, which may be a secret.
    pub reason: String,
    /// Whether it concerns the model providers.
    pub is_about_providers: bool,
}

impl InvalidVariable {
    fn new(name: &str, reason: impl Into<String>) -> Self {
        Self {
            name: name.to_owned(),
            reason: reason.into(),
            is_about_providers: false,
        }
    }

    fn of_providers(name: &str, reason: impl Into<String>) -> Self {
        Self {
            is_about_providers: true,
            ..Self::new(name, reason)
        }
    }
}

/// The configuration. The defaults are those of `docs/configuration.md`.
#[derive(Debug, Clone)]
pub struct Config {
    /// The model providers, in the order of preference.
    pub providers: Vec<Rc<LlmProvider>>,
    /// The offered models, in the order of preference, completed from the model table.
    pub models: Vec<Model>,
    /// Names of clients for models of other names.
    pub model_aliases: ModelAliases,
    /// The providers' keys, by the provider's name.
    keys: HashMap<String, String>,
    /// Whether providers may have private addresses, as in development.
    pub allow_private_providers: bool,
    /// The largest body of a request, in bytes.
    pub body_limit: usize,
    /// The timeout to a provider's first byte.
    pub first_byte_timeout: Millis,
    /// The timeout of a whole answer, whose first byte comes when it is complete.
    pub whole_timeout: Millis,
    /// The longest pause of a provider in the middle of an answer.
    pub idle_timeout: Millis,
    /// The silence after which a stream sends a keep-alive event. A pause may last twice as long, because
    /// one timer serves many reads; clients of responses give up streams that are silent for long.
    pub keep_alive: Millis,
    /// How long a stream's answer may take to begin before its client receives the response's head.
    pub early_head: Millis,
    /// The longest time of a request.
    pub total_timeout: Millis,
    /// The origins that browsers may call `/v1/*` from; `None` allows every origin.
    pub cors_origins: Option<Vec<String>>,
    /// The key that signs cursors.
    signing_key: Option<SigningKey>,
    /// The absent and invalid variables.
    pub invalid: Vec<InvalidVariable>,
}

impl Config {
    /// Reads the configuration. An invalid variable counts as absent and is listed in
    /// [`Config::invalid`], so that the routes that do not need it still respond.
    pub fn read(variables: &impl Variables) -> Self {
        let mut reader = Reader {
            variables,
            invalid: Vec::new(),
        };
        let providers = reader.providers();
        let models = providers.iter().flat_map(|it| it.models.iter().cloned());
        let models: Vec<Model> = models.collect();
        if models.is_empty() && reader.invalid.is_empty() {
            let reason = "no model is configured";
            let invalid = InvalidVariable::of_providers(PROVIDERS, reason);
            reader.invalid.push(invalid);
        }
        reader.check(
            "LOG_LEVEL",
            "expected error, warn, info, debug or trace",
            |text| text.parse::<LevelFilter>().is_ok(),
        );
        reader.check(LEDGER_QUEUE_LIMIT, "expected a whole number", |text| {
            text.parse::<usize>().is_ok()
        });
        Self {
            models,
            model_aliases: reader.model_aliases(),
            keys: reader.keys(&providers),
            allow_private_providers: reader.flag("ALLOW_PRIVATE_PROVIDERS"),
            body_limit: reader.number("BODY_LIMIT_BYTES", 4 * 1024 * 1024),
            first_byte_timeout: reader.millis("FIRST_BYTE_TIMEOUT_MS", 30_000),
            whole_timeout: reader.millis("WHOLE_TIMEOUT_MS", 300_000),
            idle_timeout: reader.millis("IDLE_TIMEOUT_MS", 30_000),
            keep_alive: reader.millis("KEEP_ALIVE_MS", 2_500),
            early_head: reader.millis("EARLY_HEAD_MS", 10_000),
            total_timeout: reader.millis("TOTAL_TIMEOUT_MS", 600_000),
            cors_origins: reader.origins(),
            signing_key: reader.signing_key(),
            providers,
            invalid: reader.invalid,
        }
    }

    /// The error of a request for a model if none is configured.
    pub fn no_models(&self) -> ApiError {
        let about_providers = self.invalid.iter().find(|it| it.is_about_providers);
        let reason = about_providers.map_or_else(String::new, |it| it.reason.clone());
        ApiError::new(
            ErrorCode::ServiceUnavailable,
            "No model is available: this deployment is not fully set up. Ask its operator.",
        )
        .with_internal(format!("{PROVIDERS}: {reason}"))
    }

    /// The key that signs cursors.
    ///
    /// # Errors
    /// 503 if the secret is not set: a list without cursors would end after one page.
    pub fn signing_key(&self) -> Result<&SigningKey, ApiError> {
        self.signing_key.as_ref().ok_or_else(|| {
            ApiError::new(
                ErrorCode::ServiceUnavailable,
                "Lists are not available: this deployment is not fully set up.",
            )
            .with_internal(format!("the secret {SIGNING_KEY} is not set"))
        })
    }

    /// The addresses that providers may have.
    pub const fn egress(&self) -> Egress {
        if self.allow_private_providers {
            Egress::Any
        } else {
            Egress::Public
        }
    }

    /// The API key of a provider.
    pub fn key_of(&self, provider: &LlmProvider) -> Option<&str> {
        self.keys.get(&provider.name).map(String::as_str)
    }

    /// The provider of this name.
    pub fn provider(&self, name: &str) -> Option<&Rc<LlmProvider>> {
        self.providers.iter().find(|it| it.name == name)
    }
}

/// Reads variables and collects the invalid ones.
struct Reader<'a, V> {
    variables: &'a V,
    invalid: Vec<InvalidVariable>,
}

impl<V: Variables> Reader<'_, V> {
    /// The model servers; none if the list is rejected.
    fn providers(&mut self) -> Vec<Rc<LlmProvider>> {
        let Some(text) = self.variables.get(PROVIDERS) else {
            return Vec::new();
        };
        parse_providers(&text).unwrap_or_else(|reason| {
            let invalid = InvalidVariable::of_providers(PROVIDERS, reason);
            self.invalid.push(invalid);
            Vec::new()
        })
    }

    /// Names of clients for models of other names; none if the variable is rejected.
    fn model_aliases(&mut self) -> ModelAliases {
        let Some(text) = self.variables.get(model_aliases::VARIABLE) else {
            return ModelAliases::default();
        };
        ModelAliases::parse(&text).unwrap_or_else(|reason| {
            let invalid = InvalidVariable::new(model_aliases::VARIABLE, reason);
            self.invalid.push(invalid);
            ModelAliases::default()
        })
    }

    /// The keys of the providers, by the provider's name.
    fn keys(&mut self, providers: &[Rc<LlmProvider>]) -> HashMap<String, String> {
        let mut keys = HashMap::new();
        for provider in providers {
            let Some(secret) = provider.key.as_deref() else {
                continue;
            };
            let value = self.variables.get(secret).filter(|key| !key.is_empty());
            if let Some(key) = value {
                keys.insert(provider.name.clone(), key);
            } else {
                let name = &provider.name;
                let reason = format!("the secret with the key of the provider `{name}` is not set");
                let invalid = InvalidVariable::of_providers(secret, reason);
                self.invalid.push(invalid);
            }
        }
        keys
    }

    fn check(&mut self, name: &str, expected: &str, is_valid: impl Fn(&str) -> bool) {
        let value = self.variables.get(name);
        if value.is_some_and(|text| !is_valid(text.trim())) {
            self.invalid.push(InvalidVariable::new(name, expected));
        }
    }

    fn flag(&mut self, name: &str) -> bool {
        self.check(name, "expected true or false", |text| {
            matches!(text, "true" | "false")
        });
        self.variables.get(name).as_deref() == Some("true")
    }

    fn number<N: FromStr>(&mut self, name: &str, default: N) -> N {
        self.check(name, "expected a whole number", |text| {
            text.parse::<N>().is_ok()
        });
        let value = self.variables.get(name);
        value
            .and_then(|text| text.trim().parse().ok())
            .unwrap_or(default)
    }

    fn millis(&mut self, name: &str, default: u64) -> Millis {
        Millis::new(self.number(name, default))
    }

    /// The allowed origins; none if one of them is invalid, which browsers would not match anyway.
    fn origins(&mut self) -> Option<Vec<String>> {
        let text = self.variables.get(CORS_ORIGINS)?;
        if text.trim() == "*" {
            return None;
        }
        let origins = text.split(',').map(|origin| origin.trim().to_owned());
        let origins: Vec<String> = origins.collect();
        if let Some(origin) = origins.iter().find(|origin| !is_origin(origin)) {
            let reason = format!("`{origin}` is not an origin such as https://example.org");
            self.invalid
                .push(InvalidVariable::new(CORS_ORIGINS, reason));
        }
        Some(origins)
    }

    fn signing_key(&mut self) -> Option<SigningKey> {
        let Some(secret) = self.variables.get(SIGNING_KEY) else {
            let reason = "the secret is not set";
            self.invalid.push(InvalidVariable::new(SIGNING_KEY, reason));
            return None;
        };
        let key = SigningKey::new(&secret);
        if let Err(error) = &key {
            let reason = error.to_string();
            self.invalid.push(InvalidVariable::new(SIGNING_KEY, reason));
        }
        key.ok()
    }
}

/// The providers of the variable `PROVIDERS`, each name once, and their models completed.
///
/// # Errors
/// Why the list is rejected.
fn parse_providers(text: &str) -> Result<Vec<Rc<LlmProvider>>, String> {
    let mut providers: Vec<LlmProvider> =
        serde_json::from_str(text).map_err(|error| error.to_string())?;
    for provider in &mut providers {
        let name = &provider.name;
        Profile::of(provider).map_err(|error| format!("provider `{name}`: {error}"))?;
        if provider.models.is_empty() && is_known(provider) {
            let known = known_models().iter();
            let known = known.filter(|known| known.kind == provider.kind);
            provider.models = known.map(|known| known.model.clone()).collect();
        }
        for model in &mut provider.models {
            model.provider.clone_from(&provider.name);
            *model = model.clone().with_known_defaults(provider.kind);
        }
    }
    let mut names: Vec<&str> = providers.iter().map(|it| it.name.as_str()).collect();
    names.sort_unstable();
    if let Some([name, _]) = names
        .windows(2)
        .find(|pair| matches!(pair, [a, b] if a == b))
    {
        return Err(format!("two providers are named `{name}`"));
    }
    Ok(providers.into_iter().map(Rc::new).collect())
}

/// Whether the model table describes this provider: any server may use `OpenAI`'s protocol.
fn is_known(provider: &LlmProvider) -> bool {
    match provider.kind {
        ProviderKind::OpenAi => provider.base_url.starts_with("https://api.openai.com/"),
        ProviderKind::Anthropic | ProviderKind::WorkersAi => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl<S: std::hash::BuildHasher> Variables for HashMap<&str, &str, S> {
        fn get(&self, name: &str) -> Option<String> {
            HashMap::get(self, name).map(|&value| value.to_owned())
        }
    }

    #[test]
    fn the_defaults_are_those_of_the_documentation() {
        let config = Config::read(&HashMap::new());
        assert_eq!(config.body_limit, 4 * 1024 * 1024);
        assert_eq!(config.first_byte_timeout, Millis::from_secs(30));
        assert_eq!(config.whole_timeout, Millis::from_secs(300));
        assert_eq!(config.keep_alive, Millis::new(2_500));
        assert_eq!(config.early_head, Millis::from_secs(10));
        assert!(config.cors_origins.is_none() && !config.allow_private_providers);
    }

    /// The names of the absent and invalid variables.
    fn invalid(variables: &[(&'static str, &'static str)]) -> Vec<(String, String)> {
        let mut all = HashMap::from([
            ("PROVIDERS", r#"[{"name":"a","kind":"workers_ai"}]"#),
            ("SIGNING_KEY", "0123456789abcdef0123456789abcdef"),
        ]);
        all.extend(variables.iter().copied());
        let invalid = Config::read(&all).invalid.into_iter();
        invalid.map(|it| (it.name, it.reason)).collect()
    }

    #[test]
    fn an_invalid_variable_is_named_and_counts_as_absent() {
        assert_eq!(invalid(&[]), []);
        for (name, value) in [
            ("PROVIDERS", "[{}]"),
            ("PROVIDERS", "{}"),
            ("PROVIDERS", "[]"),
            ("PROVIDERS", ""),
            ("SIGNING_KEY", "weak"),
            ("IDLE_TIMEOUT_MS", "soon"),
            ("FIRST_BYTE_TIMEOUT_MS", "-1"),
            ("WHOLE_TIMEOUT_MS", "1.5"),
            ("KEEP_ALIVE_MS", ""),
            ("EARLY_HEAD_MS", "later"),
            ("TOTAL_TIMEOUT_MS", "1s"),
            ("BODY_LIMIT_BYTES", "4 MB"),
            ("LEDGER_QUEUE_LIMIT", "many"),
            ("ALLOW_PRIVATE_PROVIDERS", "yes"),
            ("CORS_ORIGINS", "https://a.example,b.example"),
            ("LOG_LEVEL", "loud"),
        ] {
            let found = invalid(&[(name, value)]);
            let [(named, reason)] = found.as_slice() else {
                panic!("{name}={value}: {found:?}");
            };
            assert_eq!(named, name);
            assert!(!reason.is_empty() && !reason.contains("weak"), "{reason}");
        }
        let broken = HashMap::from([("IDLE_TIMEOUT_MS", "soon"), ("PROVIDERS", "[{}]")]);
        let config = Config::read(&broken);
        assert_eq!(config.idle_timeout, Millis::from_secs(30));
        assert_eq!(config.no_models().status(), 503);
        let names: Vec<_> = config.invalid.iter().map(|it| it.name.as_str()).collect();
        assert_eq!(names, ["PROVIDERS", "IDLE_TIMEOUT_MS", "SIGNING_KEY"]);
    }

    #[test]
    fn a_missing_key_of_a_provider_is_named() {
        let provider =
            r#"[{"name":"a","kind":"anthropic","base_url":"https://a/v1","key":"A_KEY"}]"#;
        let found = invalid(&[("PROVIDERS", provider)]);
        let names: Vec<_> = found.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["A_KEY"]);
        assert_eq!(invalid(&[("PROVIDERS", provider), ("A_KEY", "secret")]), []);
    }

    #[test]
    fn without_a_signing_key_only_lists_are_refused() {
        let config = Config::read(&HashMap::new());
        let error = config.signing_key().expect_err("no key");
        assert_eq!(error.status(), 503);
        assert!(error.internal.expect("for the log").contains("SIGNING_KEY"));
    }

    #[test]
    fn an_unknown_profile_is_refused_by_name() {
        let list = r#"[{"name":"a","kind":"openai","profile":"vlm"}]"#;
        let found = invalid(&[("PROVIDERS", list)]);
        assert!(
            found[0].1.contains("no profile is named `vlm`"),
            "{found:?}"
        );
    }

    #[test]
    fn two_providers_with_one_name_are_rejected() {
        let twice = r#"[{"name":"a","kind":"openai"},{"name":"a","kind":"anthropic"}]"#;
        let found = invalid(&[("PROVIDERS", twice)]);
        assert!(found[0].1.contains("`a`"), "{found:?}");
    }

    #[test]
    fn a_known_model_needs_only_its_name() {
        let providers =
            r#"[{"name":"claude","kind":"anthropic","models":[{"id":"claude-opus-5-5"}]}]"#;
        let config = Config::read(&HashMap::from([("PROVIDERS", providers)]));
        let model = config.models.first().expect("one model");
        assert!(model.price.is_some() && model.provider == "claude");
    }

    #[test]
    fn a_known_provider_without_models_offers_all_known_models() {
        let count = |kind: &str, base_url: &str| {
            let providers = format!(r#"[{{"name":"p","kind":"{kind}","base_url":"{base_url}"}}]"#);
            let variables = HashMap::from([("PROVIDERS", providers.as_str())]);
            Config::read(&variables).models.len()
        };
        assert_eq!(count("workers_ai", ""), 4);
        assert!(count("anthropic", "https://api.anthropic.com/v1") > 0);
        assert!(count("openai", "https://api.openai.com/v1") > 0);
        assert_eq!(count("openai", "http://localhost:11434/v1"), 0);
    }

    #[test]
    fn a_provider_finds_its_key_by_the_name_of_its_secret() {
        let config = Config::read(&HashMap::from([
            (
                "PROVIDERS",
                r#"[{"name":"a","kind":"openai","base_url":"https://a/v1","key":"A_KEY","models":[{"id":"m"}]}]"#,
            ),
            ("A_KEY", "secret"),
        ]));
        let model = config.models.first().expect("one model");
        let provider = config.provider(&model.provider).expect("its provider");
        assert_eq!(
            (config.key_of(provider), model.id.as_str()),
            (Some("secret"), "m")
        );
    }
}
