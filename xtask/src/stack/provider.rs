//! The model server behind a stack: the local model's, or another one.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use serde_json::{Map, Value, json};

use crate::{
    model::Model,
    stack::{group::Group, ready, upstream::Upstream},
};

/// The output limit of the local model: it is small, and may repeat itself without end.
const LOCAL_MAX_OUTPUT: u64 = 4096;

/// How long a model may take to load.
const LOAD_TIMEOUT: Duration = Duration::from_mins(2);

/// The variable in which the gateway finds an upstream's key.
const KEY_VARIABLE: &str = "UPSTREAM_KEY";

/// An OpenAI-compatible server, as the gateway is configured for it.
#[derive(Debug, Clone)]
pub(crate) struct Provider {
    name: &'static str,
    base_url: String,
    key: Option<String>,
    profile: Option<&'static str>,
    models: Vec<Offer>,
}

/// One of its models.
#[derive(Debug, Clone)]
struct Offer {
    id: String,
    context: Option<u64>,
    max_output: Option<u64>,
}

/// The local model's program and its weights.
#[derive(Debug, Clone)]
pub(crate) struct LocalModel {
    /// `clawless-local-model`, built.
    pub(crate) server: PathBuf,
    /// The weights in the form it loads.
    pub(crate) weights: PathBuf,
    /// What they are.
    pub(crate) model: &'static Model,
}

impl LocalModel {
    /// Starts the server on a free port and waits until it has loaded the weights.
    pub(crate) fn start(&self, group: &mut Group, log: &Path) -> Result<Provider> {
        let mut command = Command::new(&self.server);
        command
            .args(["serve", "--port", "0", "--id", self.model.id, "--model"])
            .arg(&self.weights);
        group.start("the model server", &mut command, log)?;
        let mut base_url = None;
        ready::wait(
            LOAD_TIMEOUT,
            || {
                base_url = announced(&fs::read_to_string(log).unwrap_or_default());
                base_url.is_some()
            },
            || group.check_running(),
        )
        .context("the local model did not start")?;
        Ok(Provider {
            name: "local",
            base_url: base_url.unwrap_or_default(),
            key: None,
            profile: None,
            models: vec![Offer {
                id: self.model.id.to_owned(),
                context: Some(u64::from(self.model.context)),
                max_output: Some(LOCAL_MAX_OUTPUT),
            }],
        })
    }
}

/// The base URL in the line with which the server says that it is ready.
fn announced(printed: &str) -> Option<String> {
    let lines = printed.lines().filter(|line| line.starts_with('{'));
    let mut messages = lines.filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let ready = messages.find(|message| message.get("ready") == Some(&Value::Bool(true)))?;
    ready.get("base_url")?.as_str().map(ToOwned::to_owned)
}

impl Provider {
    /// Requests another server's models, and their windows where it reports them.
    pub(crate) fn upstream(address: &str, key: Option<String>) -> Result<Self> {
        ensure!(
            !address.contains(['@', '?', '#']),
            "the URL of --upstream has a user name, a query or a fragment, which would be logged: use --upstream-key for its key"
        );
        let base_url = with_version(address);
        let url = format!("{base_url}/models");
        let hint = || {
            format!(
                "{url} gave no list of models: is the server running, and is --upstream-key right?"
            )
        };
        let agent: ureq::Agent = ureq::Agent::config_builder()
            .timeout_global(Some(Duration::from_secs(20)))
            .build()
            .into();
        let mut request = agent.get(&url);
        if let Some(key) = &key {
            request = request.header("authorization", format!("Bearer {key}"));
        }
        let text = request
            .call()
            .with_context(hint)?
            .body_mut()
            .read_to_string()
            .with_context(hint)?;
        let list: Value = serde_json::from_str(&text).with_context(hint)?;
        let upstream = Upstream::new(&base_url, key.as_deref());
        let routes = upstream.routes();
        let models = offers(&list, |id, entry| {
            let show = routes.is_ollama().then(|| upstream.show(id)).flatten();
            routes.window(id, entry, show.as_ref())
        });
        ensure!(
            !models.is_empty(),
            "{url} lists no models: load one there first"
        );
        Ok(Self {
            name: "upstream",
            base_url,
            key,
            profile: routes.profile(&list),
            models,
        })
    }

    /// A model that answers.
    pub(crate) fn first_model(&self) -> &str {
        self.models.first().map_or("auto", |model| &model.id)
    }

    /// How many models it offers.
    pub(crate) fn offered(&self) -> usize {
        self.models.len()
    }

    /// Where it listens.
    pub(crate) fn base_url(&self) -> &str {
        &self.base_url
    }

    /// The gateway's variables for it. What the server does not report stays out.
    pub(crate) fn variables(&self) -> Map<String, Value> {
        let models: Vec<Value> = self
            .models
            .iter()
            .map(|model| {
                let limits = [("context", model.context), ("max_output", model.max_output)];
                let limits = limits
                    .into_iter()
                    .filter_map(|(name, limit)| Some((name, json!(limit?))));
                let entry = std::iter::once(("id", json!(model.id))).chain(limits);
                let entry: Map<String, Value> = entry
                    .map(|(name, value)| (name.to_owned(), value))
                    .collect();
                Value::Object(entry)
            })
            .collect();
        let provider = json!({
            "name": self.name,
            "kind": "openai",
            "base_url": self.base_url,
            "key": self.key.as_ref().map(|_| KEY_VARIABLE),
            "profile": self.profile,
            "models": models,
        });
        let mut variables = Map::new();
        variables.insert("PROVIDERS".to_owned(), json!(json!([provider]).to_string()));
        variables.insert("ALLOW_PRIVATE_PROVIDERS".to_owned(), json!("true"));
        if let Some(key) = &self.key {
            variables.insert(KEY_VARIABLE.to_owned(), json!(key));
        }
        variables
    }
}

#[cfg(test)]
impl Provider {
    /// One with a key.
    pub(crate) fn sample() -> Self {
        let offer = Offer {
            id: "m".to_owned(),
            context: Some(1),
            max_output: None,
        };
        Self {
            name: "upstream",
            base_url: "http://x/v1".to_owned(),
            key: Some("secret".to_owned()),
            profile: None,
            models: vec![offer],
        }
    }
}

/// The address of the API. Users also pass the server's own address.
fn with_version(address: &str) -> String {
    let address = address.trim_end_matches('/');
    let after_scheme = address.split_once("://").map_or(address, |(_, rest)| rest);
    if after_scheme.contains('/') {
        address.to_owned()
    } else {
        format!("{address}/v1")
    }
}

/// The models of a `/v1/models` answer, with the windows that `window` finds.
fn offers(list: &Value, window: impl Fn(&str, &Value) -> Option<u64>) -> Vec<Offer> {
    let entries = list.get("data").and_then(Value::as_array);
    let entries = entries.map(Vec::as_slice).unwrap_or_default();
    let offers = entries.iter().filter_map(|entry| {
        let id = entry.get("id")?.as_str()?;
        Some(Offer {
            id: id.to_owned(),
            context: window(id, entry),
            max_output: None,
        })
    });
    offers.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn server_is_ready_when_it_says_so_and_not_before() {
        assert_eq!(announced("loading\n{\"ready\":false}\n"), None);
        let printed =
            "loading\n{\"ready\":true,\"base_url\":\"http://127.0.0.1:1/v1\",\"model\":\"m\"}\n";
        assert_eq!(announced(printed).as_deref(), Some("http://127.0.0.1:1/v1"));
    }

    #[test]
    fn address_without_a_path_gets_the_usual_one() {
        assert_eq!(
            with_version("http://localhost:11434/"),
            "http://localhost:11434/v1"
        );
        assert_eq!(
            with_version("https://models.example/api/v1/"),
            "https://models.example/api/v1"
        );
    }

    #[test]
    fn upstream_with_a_key_in_its_url_is_rejected() {
        for address in ["http://u:k@h/v1", "http://h/v1?key=k", "http://h/v1#k"] {
            let error = Provider::upstream(address, None).unwrap_err().to_string();
            assert!(error.contains("--upstream-key"), "{error}");
        }
    }

    #[test]
    fn unknown_limits_stay_out_of_the_configuration() {
        let list = json!({"data": [{"id": "a", "max_model_len": 2048}, {"id": "b"}, {"no": "id"}]});
        let mut provider = Provider::sample();
        provider.models = offers(&list, |_, entry| entry.get("max_model_len")?.as_u64());
        let variables = provider.variables();
        let list = variables.get("PROVIDERS").unwrap().as_str().unwrap();
        let list: Value = serde_json::from_str(list).unwrap();
        assert_eq!(
            list[0]["models"],
            json!([{"id": "a", "context": 2048}, {"id": "b"}])
        );
    }

    #[test]
    fn key_is_named_in_the_list_and_given_apart() {
        let variables = Provider::sample().variables();
        let list = variables.get("PROVIDERS").unwrap().as_str().unwrap();
        assert!(list.contains("\"key\":\"UPSTREAM_KEY\"") && !list.contains("secret"));
        assert_eq!(variables.get("UPSTREAM_KEY"), Some(&json!("secret")));
    }
}
