//! How a provider's API differs from `OpenAI`'s: one [`Profile`] per provider, all in [`table`]. A
//! provider's entry selects its profile by `profile`, else by its host; other servers use the
//! conservative default of their wire. Pure data that encoders and timeouts read.

mod anthropic_wire;
mod own_servers;
mod rules;
mod sources;
mod table;
mod types;

use clawless_core::chat::ReasoningEffort;
use clawless_core::llm::{LlmProvider, ProviderKind};
use clawless_core::model::Model;

pub use sources::{SEEN, SOURCES, Sources};
pub use table::{DEFAULT, PROFILES};
pub use types::{
    CallIdRule, Media, MessageRules, NameRule, OutputLimit, Profile, Replay, StreamUsage,
    TimeoutFactors, ToolRules,
};

/// An invalid `profile` in a provider's entry.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProfileError {
    /// No profile has this name.
    #[error("no profile is named `{name}`; there are {}", names())]
    Unknown {
        /// The name.
        name: String,
    },
    /// The profile belongs to a wire other than the entry's `kind`.
    #[error("the profile `{name}` does not speak the wire of the entry's `kind`")]
    Kind {
        /// The name.
        name: String,
    },
}

fn names() -> String {
    let names: Vec<String> = PROFILES.iter().map(|it| format!("`{}`", it.name)).collect();
    names.join(", ")
}

impl Profile {
    /// The profile of a provider: named by its entry, else selected by its host, else the default
    /// of its wire.
    ///
    /// # Errors
    /// The entry names a profile that does not exist or belongs to another wire.
    pub fn of(provider: &LlmProvider) -> Result<&'static Self, ProfileError> {
        let profiles = || PROFILES.iter().filter(|it| it.kind == provider.kind);
        if let Some(name) = &provider.profile {
            let named = profiles().find(|it| it.name == name);
            return named.ok_or_else(|| {
                let name = name.clone();
                if PROFILES.iter().any(|it| it.name == name) {
                    ProfileError::Kind { name }
                } else {
                    ProfileError::Unknown { name }
                }
            });
        }
        let host = host(&provider.base_url);
        let by_host = profiles().find(|it| it.hosts.iter().any(|name| matches(&host, name)));
        Ok(by_host.unwrap_or_else(|| Self::default_of(provider.kind)))
    }

    /// The default profile of a wire.
    pub fn default_of(kind: ProviderKind) -> &'static Self {
        let found = PROFILES.iter().find(|it| it.kind == kind);
        match kind {
            ProviderKind::OpenAi => &DEFAULT,
            ProviderKind::Anthropic | ProviderKind::WorkersAi => found.unwrap_or(&DEFAULT),
        }
    }

    /// Multipliers of the timeouts for a model: during minutes of reasoning it sends nothing, or
    /// only a few comments. A model may reason if it is known to, if its provider may hide reasoning,
    /// or if the request sets an effort.
    pub fn timeout_factors(
        &self,
        model: &Model,
        effort: Option<ReasoningEffort>,
    ) -> TimeoutFactors {
        let factor = match effort {
            None if model.supports_thinking() || self.hidden_reasoning => 4,
            None | Some(ReasoningEffort::None) => 1,
            Some(ReasoningEffort::Minimal | ReasoningEffort::Low) => 2,
            Some(ReasoningEffort::Medium | ReasoningEffort::Adaptive) => 4,
            Some(ReasoningEffort::High) => 10,
            Some(ReasoningEffort::Xhigh | ReasoningEffort::Max) => 20,
        };
        TimeoutFactors {
            first_byte: self.timeout_factors.first_byte.max(factor),
            idle: self.timeout_factors.idle.max(factor),
        }
    }
}

/// The host of a base URL, in lower case.
fn host(base_url: &str) -> String {
    let rest = base_url.split_once("://").map_or("", |(_, rest)| rest);
    let authority = rest.split('/').next().unwrap_or_default();
    let host = authority
        .rsplit_once(':')
        .filter(|(_, port)| port.bytes().all(|byte| byte.is_ascii_digit()))
        .map_or(authority, |(host, _)| host);
    host.to_ascii_lowercase()
}

fn matches(host: &str, name: &str) -> bool {
    host == name || (name.starts_with('.') && host.ends_with(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn profile(base_url: &str, name: Option<&str>) -> Result<&'static Profile, ProfileError> {
        let kind = if base_url.contains("anthropic") {
            ProviderKind::Anthropic
        } else {
            ProviderKind::OpenAi
        };
        Profile::of(&LlmProvider {
            name: "p".to_owned(),
            kind,
            base_url: base_url.to_owned(),
            key: None,
            profile: name.map(str::to_owned),
            models: Vec::new(),
        })
    }

    #[test]
    fn a_host_selects_its_profile_and_no_other_host_does() {
        for (base_url, name) in [
            ("https://api.openai.com/v1", "openai"),
            ("https://API.OPENAI.COM:443/v1", "openai"),
            ("https://api.openai.com.example/v1", "default"),
            ("https://x.openai.azure.com/openai/v1", "azure"),
            ("https://openai.azure.com.example/v1", "default"),
            ("https://api.mistral.ai/v1", "mistral"),
            ("http://127.0.0.1:11434/v1", "default"),
            ("https://api.anthropic.com/v1", "anthropic"),
            ("https://anthropic.example/v1", "anthropic"),
            ("https://api.deepseek.com/anthropic", "anthropic-compatible"),
            ("https://api.deepseek.com/v1", "deepseek"),
        ] {
            assert_eq!(profile(base_url, None).map(|it| it.name), Ok(name));
        }
    }

    #[test]
    fn unknown_profile_names_are_rejected_with_the_valid_names() {
        let local = "http://127.0.0.1:8000/v1";
        assert_eq!(profile(local, Some("vllm")).map(|it| it.name), Ok("vllm"));
        let error = profile(local, Some("vlm")).expect_err("unknown");
        assert!(error.to_string().starts_with("no profile is named `vlm`"));
        assert!(error.to_string().contains("`llama.cpp`"));
        let error = profile(local, Some("anthropic")).expect_err("another wire");
        assert!(matches!(error, ProfileError::Kind { .. }));
    }

    #[test]
    fn no_profile_passes_parameters_that_change_price_model_or_destination() {
        const FORBIDDEN: [&str; 22] = [
            "models",
            "route",
            "provider",
            "transforms",
            "plugins",
            "preset",
            "best_of",
            "api_base",
            "base_url",
            "api_key",
            "service_tier",
            "n_predict",
            "max_new_tokens",
            "use_beam_search",
            "draft_model",
            "lora",
            "web_search_options",
            "search_parameters",
            "enable_search",
            "fallbacks",
            "extra_headers",
            "extra_body",
        ];
        let mut names: Vec<&str> = PROFILES.iter().map(|it| it.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), PROFILES.len(), "each name once");
        for profile in PROFILES {
            for name in profile.passes {
                assert!(!FORBIDDEN.contains(name), "{}: {name}", profile.name);
            }
        }
    }

    #[test]
    fn timeouts_grow_with_reasoning_effort() {
        let model: Model = serde_json::from_str(r#"{"id":"m"}"#).expect("a model");
        let reasoning_model: Model =
            serde_json::from_str(r#"{"id":"m","thinking":"adaptive"}"#).expect("a model");
        let groq = profile("https://api.groq.com/openai/v1", None).expect("a profile");
        let wait = |model, effort| groq.timeout_factors(model, effort).first_byte;
        assert_eq!(wait(&model, None), 1);
        assert_eq!(wait(&model, Some(ReasoningEffort::High)), 10);
        assert_eq!(wait(&reasoning_model, None), 4);
        assert_eq!(wait(&reasoning_model, Some(ReasoningEffort::None)), 1);
        assert!(wait(&reasoning_model, Some(ReasoningEffort::High)) > wait(&reasoning_model, None));
        let openai = profile("https://api.openai.com/v1", None).expect("a profile");
        assert_eq!(
            openai.timeout_factors(&model, None).idle,
            4,
            "it hides reasoning"
        );
    }
}
