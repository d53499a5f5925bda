//! The platform's own models, by the AI binding.
//!
//! The type of the crate `worker` requires a JS constructor named `Ai` and ignores inputs that are not
//! plain structs. This one accepts any object with a method `run`, so that a test Worker can provide
//! it, and JavaScript parses the inputs from JSON.

use clawless_llm::ports::HttpError;
use js_sys::{JSON, Object, Promise, Reflect};
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen::{JsCast, JsValue};
use worker::wasm_bindgen_futures::JsFuture;
use worker::{AbortSignal, Env, Response, web_sys};

/// The binding's name.
pub const AI: &str = "AI";

#[wasm_bindgen]
extern "C" {
    /// The binding.
    #[derive(Debug, Clone)]
    type Binding;

    #[wasm_bindgen(method, catch)]
    fn run(
        this: &Binding,
        model: &str,
        inputs: &JsValue,
        options: &JsValue,
    ) -> Result<JsValue, JsValue>;
}

/// The AI binding of a Worker.
#[derive(Debug, Clone)]
pub struct Ai(Binding);

impl Ai {
    /// The binding; `None` if it is absent.
    pub fn from_env(env: &Env) -> Option<Self> {
        let found = Reflect::get(env.as_ref(), &AI.into()).ok()?;
        (!found.is_undefined()).then(|| Self(found.unchecked_into()))
    }

    /// Runs a model and returns the platform's response unchanged, refusals included.
    pub(crate) async fn run(
        &self,
        model: &str,
        inputs: &[u8],
        signal: &AbortSignal,
    ) -> Result<Response, HttpError> {
        let response = self.respond(model, inputs, signal).await;
        let response = response.and_then(JsCast::dyn_into::<web_sys::Response>);
        let response = response.map_err(|thrown| failure(&thrown))?;
        Ok(Response::from(response))
    }

    async fn respond(
        &self,
        model: &str,
        inputs: &[u8],
        signal: &AbortSignal,
    ) -> Result<JsValue, JsValue> {
        let inputs = JSON::parse(&String::from_utf8_lossy(inputs))?;
        let options = Object::new();
        Reflect::set(&options, &"returnRawResponse".into(), &JsValue::TRUE)?;
        let signal: &web_sys::AbortSignal = signal;
        Reflect::set(&options, &"signal".into(), signal)?;
        let response = self.0.run(model, &inputs, &options)?;
        JsFuture::from(Promise::resolve(&response)).await
    }
}

/// The message of a thrown value.
fn failure(thrown: &JsValue) -> HttpError {
    let message = Reflect::get(thrown, &"message".into()).unwrap_or_default();
    let text = message.as_string().or_else(|| thrown.as_string());
    HttpError(text.unwrap_or_else(|| "the AI binding did not respond".to_owned()))
}
