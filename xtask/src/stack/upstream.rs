//! What a model server tells of itself beside `/v1/models`: which program it is, and the windows of
//! its models. Servers that tell nothing keep an unknown window.

use std::time::Duration;

use serde_json::{Value, json};

/// How long one question may take; a server without the route refuses it at once.
const PROBE_TIMEOUT: Duration = Duration::from_secs(5);

/// A model server, asked over HTTP.
pub(super) struct Upstream {
    agent: ureq::Agent,
    /// The server's own address, without `/v1`.
    root: String,
    key: Option<String>,
}

/// The answers of the server's own routes, each where it has that route.
#[derive(Debug, Default)]
pub(super) struct Routes {
    /// LM Studio: `/api/v0/models`.
    lm_studio: Option<Value>,
    /// llama.cpp: `/props`.
    props: Option<Value>,
    /// Ollama: `/api/ps`, the models that are loaded.
    loaded: Option<Value>,
}

impl Upstream {
    pub(super) fn new(base_url: &str, key: Option<&str>) -> Self {
        let agent = ureq::Agent::config_builder()
            .timeout_global(Some(PROBE_TIMEOUT))
            .build()
            .into();
        Self {
            agent,
            root: root(base_url).to_owned(),
            key: key.map(str::to_owned),
        }
    }

    /// Asks for what is not about a single model.
    pub(super) fn routes(&self) -> Routes {
        Routes {
            lm_studio: self.get("/api/v0/models"),
            props: self.get("/props"),
            loaded: self.get("/api/ps"),
        }
    }

    /// Ollama: `/api/show`.
    pub(super) fn show(&self, model: &str) -> Option<Value> {
        let request = self.agent.post(format!("{}/api/show", self.root));
        let request = request.header("content-type", "application/json");
        let request = match &self.key {
            Some(key) => request.header("authorization", format!("Bearer {key}")),
            None => request,
        };
        let body = json!({ "model": model }).to_string();
        let text = request.send(body).ok()?.body_mut().read_to_string().ok()?;
        serde_json::from_str(&text).ok()
    }

    fn get(&self, path: &str) -> Option<Value> {
        let mut request = self.agent.get(format!("{}{path}", self.root));
        if let Some(key) = &self.key {
            request = request.header("authorization", format!("Bearer {key}"));
        }
        let text = request.call().ok()?.body_mut().read_to_string().ok()?;
        serde_json::from_str(&text).ok()
    }
}

impl Routes {
    /// The profile of the server's wire.
    pub(super) fn profile(&self, list: &Value) -> Option<&'static str> {
        let entry = list.pointer("/data/0");
        let is_vllm = entry.is_some_and(|it| it.get("max_model_len").is_some());
        if is_vllm {
            Some("vllm")
        } else if self
            .lm_studio
            .as_ref()
            .is_some_and(|it| it.get("data").is_some())
        {
            Some("lmstudio")
        } else if self.is_ollama() {
            Some("ollama")
        } else if self.window_of_props().is_some() {
            Some("llama.cpp")
        } else {
            None
        }
    }

    /// Whether the server is Ollama.
    pub(super) fn is_ollama(&self) -> bool {
        self.loaded
            .as_ref()
            .is_some_and(|it| it.get("models").is_some())
    }

    /// The window of a model: as it is loaded, else as the model allows. `entry` is its entry in
    /// `/v1/models`, `show` Ollama's description of it.
    pub(super) fn window(&self, id: &str, entry: &Value, show: Option<&Value>) -> Option<u64> {
        self.window_of_props()
            .or_else(|| self.window_in_lm_studio(id))
            .or_else(|| show.and_then(|it| self.window_in_ollama(id, it)))
            .or_else(|| {
                let paths = ["/max_model_len", "/context_length", "/context_window"];
                paths.iter().find_map(|path| entry.pointer(path)?.as_u64())
            })
            .or_else(|| entry.pointer("/meta/n_ctx_train")?.as_u64())
            .filter(|window| *window > 0)
    }

    fn window_of_props(&self) -> Option<u64> {
        let props = self.props.as_ref()?;
        let paths = ["/default_generation_settings/n_ctx", "/n_ctx"];
        paths.iter().find_map(|path| props.pointer(path)?.as_u64())
    }

    fn window_in_lm_studio(&self, id: &str) -> Option<u64> {
        let models = self.lm_studio.as_ref()?.get("data")?.as_array()?;
        let model = models
            .iter()
            .find(|it| it.get("id").is_some_and(|it| it == id))?;
        let members = ["loaded_context_length", "max_context_length"];
        members.iter().find_map(|name| model.get(name)?.as_u64())
    }

    /// The window that the model is loaded with, or that its file sets, at most the one that it was
    /// trained for. Ollama cuts longer prompts in silence, and loads other models with a window that it
    /// does not report: that is unknown.
    fn window_in_ollama(&self, id: &str, show: &Value) -> Option<u64> {
        let parameters = show.get("parameters").and_then(Value::as_str);
        let set = parameters.unwrap_or_default().lines().find_map(|line| {
            let mut words = line.split_whitespace();
            (words.next() == Some("num_ctx")).then(|| words.next()?.parse().ok())?
        });
        let loaded = || {
            let models = self.loaded.as_ref()?.get("models")?.as_array()?;
            let model = models
                .iter()
                .find(|it| it.get("name").is_some_and(|it| it == id))?;
            model.get("context_length")?.as_u64()
        };
        let trained = || {
            let info = show.get("model_info")?.as_object()?;
            let (_, window) = info
                .iter()
                .find(|(name, _)| name.ends_with(".context_length"))?;
            window.as_u64()
        };
        let window = loaded().or(set)?;
        Some(trained().map_or(window, |trained| window.min(trained)))
    }
}

/// The server's own address: that of the API without its version.
fn root(base_url: &str) -> &str {
    let base_url = base_url.trim_end_matches('/');
    base_url.strip_suffix("/v1").unwrap_or(base_url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn address_of_the_server_is_that_of_the_api_without_its_version() {
        assert_eq!(root("http://localhost:11434/v1/"), "http://localhost:11434");
        assert_eq!(root("https://m.example/api"), "https://m.example/api");
    }

    #[test]
    fn window_is_read_from_each_servers_own_route() {
        let nothing = json!({"id": "m"});
        let list = |entry: &Value| json!({ "data": [entry] });
        let vllm = json!({"id": "m", "max_model_len": 2048});
        let routes = Routes::default();
        assert_eq!(routes.window("m", &vllm, None), Some(2048));
        assert_eq!(routes.profile(&list(&vllm)), Some("vllm"));
        assert_eq!(routes.window("m", &nothing, None), None);
        assert_eq!(routes.profile(&list(&nothing)), None);
        let routes = Routes {
            props: Some(json!({"default_generation_settings": {"n_ctx": 8192}})),
            ..Routes::default()
        };
        let trained = json!({"id": "m", "meta": {"n_ctx_train": 131_072}});
        assert_eq!(routes.window("m", &trained, None), Some(8192));
        assert_eq!(routes.profile(&list(&trained)), Some("llama.cpp"));
        let routes = Routes {
            lm_studio: Some(json!({"data": [
                {"id": "m", "max_context_length": 32_768, "loaded_context_length": 4096}]})),
            ..Routes::default()
        };
        assert_eq!(routes.window("m", &nothing, None), Some(4096));
        assert_eq!(routes.profile(&list(&nothing)), Some("lmstudio"));
    }

    #[test]
    fn window_of_ollama_is_the_one_that_is_loaded_else_set_and_not_the_trained_one() {
        let nothing = json!({"id": "m"});
        let routes = Routes {
            loaded: Some(json!({"models": [{"name": "m", "context_length": 16_384}]})),
            ..Routes::default()
        };
        assert!(routes.is_ollama());
        let show = json!({"model_info": {"llama.context_length": 131_072}});
        assert_eq!(routes.window("m", &nothing, Some(&show)), Some(16_384));
        assert_eq!(routes.window("other", &nothing, Some(&show)), None);
        let show = json!({"parameters": "stop \"x\"\nnum_ctx     8192",
            "model_info": {"llama.context_length": 4096}});
        assert_eq!(routes.window("m", &nothing, Some(&show)), Some(4096));
        assert_eq!(routes.window("other", &nothing, Some(&show)), Some(4096));
        let show = json!({"parameters": "num_ctx 8192"});
        assert_eq!(routes.window("m", &nothing, Some(&show)), Some(16_384));
        assert_eq!(routes.window("other", &nothing, Some(&show)), Some(8192));
    }
}
