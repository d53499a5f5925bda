//! The configuration of a deployment, read from variables once per isolate.

use std::collections::HashMap;
use std::fmt;
use std::rc::Rc;

use clawless_core::llm::{LlmProvider, ProviderKind};
use clawless_core::model::{Model, known_models};
use clawless_core::signing::SigningKey;
use clawless_core::time::Millis;
use clawless_core::{ApiError, ErrorCode};
use clawless_llm::profile::Profile;

/// The source of variables and secrets.
pub trait Variables {
    /// The value of a variable or secret; `None` if it is not set.
    fn get(&self, name: &str) -> Option<String>;
}

/// An invalid variable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidVariable {
    /// The variable's name.
    pub name: &'static str,
    /// What is wrong with it; never its value, which may be a secret.
    pub reason: String,
}

impl fmt::Display for InvalidVariable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the variable {} is invalid: {}", self.name, self.reason)
    }
}

/// The configuration. The defaults are those of `docs/deployment.md`.
#[derive(Debug, Clone)]
pub struct Config {
    /// The model providers, in the order of preference.
    pub providers: Vec<Rc<LlmProvider>>,
    /// The offered models, in the order of preference, completed from the model table.
    pub models: Vec<Model>,
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
    /// The silence after which a stream sends a keep-alive event.
    pub keep_alive: Millis,
    /// How long a stream's answer may take to begin before its client receives the response's head.
    pub early_head: Millis,
    /// The longest time of a request.
    pub total_timeout: Millis,
    /// The origins that browsers may call `/v1/*` from; `None` allows every origin.
    pub cors_origins: Option<Vec<String>>,
    /// The key that signs cursors.
    signing_key: Option<SigningKey>,
}

impl Config {
    /// Reads the configuration.
    ///
    /// # Errors
    /// Names an invalid variable.
    pub fn read(variables: &impl Variables) -> Result<Self, InvalidVariable> {
        let providers = providers(variables)?;
        let models = providers.iter().flat_map(|it| it.models.iter().cloned());
        let keys = providers.iter().filter_map(|provider| {
            let key = variables.get(provider.key.as_deref()?)?;
            Some((provider.name.clone(), key))
        });
        Ok(Self {
            models: models.collect(),
            keys: keys.collect(),
            allow_private_providers: variables.get("ALLOW_PRIVATE_PROVIDERS").as_deref()
                == Some("true"),
            body_limit: number(variables, "BODY_LIMIT_BYTES", 4 * 1024 * 1024)?,
            first_byte_timeout: millis(variables, "FIRST_BYTE_TIMEOUT_MS", 30_000)?,
            whole_timeout: millis(variables, "WHOLE_TIMEOUT_MS", 300_000)?,
            idle_timeout: millis(variables, "IDLE_TIMEOUT_MS", 30_000)?,
            keep_alive: millis(variables, "KEEP_ALIVE_MS", 10_000)?,
            early_head: millis(variables, "EARLY_HEAD_MS", 10_000)?,
            total_timeout: millis(variables, "TOTAL_TIMEOUT_MS", 600_000)?,
            cors_origins: variables
                .get("CORS_ORIGINS")
                .filter(|text| text != "*")
                .map(|text| {
                    text.split(',')
                        .map(|origin| origin.trim().to_owned())
                        .collect()
                }),
            signing_key: signing_key(variables)?,
            providers,
        })
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

    /// The API key of a provider.
    pub fn key_of(&self, provider: &LlmProvider) -> Option<&str> {
        self.keys.get(&provider.name).map(String::as_str)
    }

    /// The provider of this name.
    pub fn provider(&self, name: &str) -> Option<&Rc<LlmProvider>> {
        self.providers.iter().find(|it| it.name == name)
    }
}

/// The providers of the variable `PROVIDERS`, each name once, and their models completed.
fn providers(variables: &impl Variables) -> Result<Vec<Rc<LlmProvider>>, InvalidVariable> {
    let invalid = |reason| InvalidVariable {
        name: "PROVIDERS",
        reason,
    };
    let Some(text) = variables.get("PROVIDERS") else {
        return Ok(Vec::new());
    };
    let mut providers: Vec<LlmProvider> =
        serde_json::from_str(&text).map_err(|error| invalid(error.to_string()))?;
    for provider in &mut providers {
        let name = &provider.name;
        Profile::of(provider).map_err(|error| invalid(format!("provider `{name}`: {error}")))?;
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
        return Err(invalid(format!("two providers are named `{name}`")));
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

/// The secret that signs cursors.
const SIGNING_KEY: &str = "SIGNING_KEY";

fn signing_key(variables: &impl Variables) -> Result<Option<SigningKey>, InvalidVariable> {
    let secret = variables.get(SIGNING_KEY);
    let key = secret.map(|secret| SigningKey::new(&secret)).transpose();
    key.map_err(|error| InvalidVariable {
        name: SIGNING_KEY,
        reason: error.to_string(),
    })
}

fn millis(
    variables: &impl Variables,
    name: &'static str,
    default: u64,
) -> Result<Millis, InvalidVariable> {
    number(variables, name, default).map(Millis::new)
}

fn number<N: std::str::FromStr>(
    variables: &impl Variables,
    name: &'static str,
    default: N,
) -> Result<N, InvalidVariable> {
    match variables.get(name) {
        None => Ok(default),
        Some(text) => text.trim().parse().map_err(|_| InvalidVariable {
            name,
            reason: "expected a whole number".to_owned(),
        }),
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
        let config = Config::read(&HashMap::new()).expect("readable");
        assert_eq!(config.body_limit, 4 * 1024 * 1024);
        assert_eq!(config.first_byte_timeout, Millis::from_secs(30));
        assert_eq!(config.whole_timeout, Millis::from_secs(300));
        assert_eq!(config.keep_alive, Millis::from_secs(10));
        assert_eq!(config.early_head, Millis::from_secs(10));
        assert!(config.cors_origins.is_none() && !config.allow_private_providers);
    }

    #[test]
    fn an_invalid_variable_is_named() {
        let error = Config::read(&HashMap::from([("IDLE_TIMEOUT_MS", "soon")])).expect_err("bad");
        assert_eq!(error.name, "IDLE_TIMEOUT_MS");
        let error = Config::read(&HashMap::from([("PROVIDERS", "[{}]")])).expect_err("bad");
        assert_eq!(error.name, "PROVIDERS");
        let error = Config::read(&HashMap::from([("SIGNING_KEY", "weak")])).expect_err("bad");
        assert_eq!(error.name, "SIGNING_KEY");
        assert!(!error.to_string().contains("weak"), "a secret is not shown");
    }

    #[test]
    fn without_a_signing_key_only_lists_are_refused() {
        let config = Config::read(&HashMap::new()).expect("readable");
        let error = config.signing_key().expect_err("no key");
        assert_eq!(error.status(), 503);
        assert!(error.internal.expect("for the log").contains("SIGNING_KEY"));
    }

    #[test]
    fn an_unknown_profile_is_refused_by_name() {
        let list = r#"[{"name":"a","kind":"openai","profile":"vlm"}]"#;
        let error = Config::read(&HashMap::from([("PROVIDERS", list)])).expect_err("bad");
        assert!(
            error.reason.contains("no profile is named `vlm`"),
            "{}",
            error.reason
        );
    }

    #[test]
    fn two_providers_with_one_name_are_rejected() {
        let twice = r#"[{"name":"a","kind":"openai"},{"name":"a","kind":"anthropic"}]"#;
        let error = Config::read(&HashMap::from([("PROVIDERS", twice)])).expect_err("bad");
        assert!(error.reason.contains("`a`"), "{}", error.reason);
    }

    #[test]
    fn a_known_model_needs_only_its_name() {
        let providers =
            r#"[{"name":"claude","kind":"anthropic","models":[{"id":"claude-opus-5-5"}]}]"#;
        let config = Config::read(&HashMap::from([("PROVIDERS", providers)])).expect("readable");
        let model = config.models.first().expect("one model");
        assert!(model.price.is_some() && model.provider == "claude");
    }

    #[test]
    fn a_known_provider_without_models_offers_all_known_models() {
        let count = |kind: &str, base_url: &str| {
            let providers = format!(r#"[{{"name":"p","kind":"{kind}","base_url":"{base_url}"}}]"#);
            let variables = HashMap::from([("PROVIDERS", providers.as_str())]);
            Config::read(&variables).expect("readable").models.len()
        };
        assert_eq!(count("workers_ai", ""), 4);
        assert!(count("anthropic", "https://api.anthropic.com/v1") > 0);
        assert!(count("openai", "https://api.openai.com/v1") > 0);
        assert_eq!(count("openai", "http://localhost:11434/v1"), 0);
    }

    #[test]
    fn a_provider_finds_its_key_by_the_name_of_its_secret() {
        let config = Config::read(&HashMap::from([
            ("PROVIDERS", r#"[{"name":"a","kind":"openai","base_url":"https://a/v1","key":"A_KEY","models":[{"id":"m"}]}]"#),
            ("A_KEY", "secret"),
        ]))
        .expect("readable");
        let model = config.models.first().expect("one model");
        let provider = config.provider(&model.provider).expect("its provider");
        assert_eq!(
            (config.key_of(provider), model.id.as_str()),
            (Some("secret"), "m")
        );
    }
}
