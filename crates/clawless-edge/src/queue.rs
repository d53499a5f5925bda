//! The queue that carries messages between sessions, as a port and over its binding.

use clawless_core::sending::SendJob;
use clawless_store::Transient;
use js_sys::{Object, Promise, Reflect};
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen::{JsCast, JsValue};
use worker::Env;
use worker::wasm_bindgen_futures::JsFuture;

use crate::crossing::reason;

/// The binding's name.
pub const SENDS: &str = "SENDS";

/// The queue did not accept a job.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the queue: {0}")]
pub struct QueueError(pub String);

impl Transient for QueueError {
    fn is_transient(&self) -> bool {
        true
    }
}

/// Delivers jobs to their consumer: at least once, in no order.
#[allow(
    async_fn_in_trait,
    reason = "every use is generic, and on Workers nothing is Send"
)]
pub trait Queue {
    /// Sends a job.
    ///
    /// # Errors
    /// The job may be lost.
    async fn post(&self, job: &SendJob) -> Result<(), QueueError>;
}

#[wasm_bindgen]
extern "C" {
    #[derive(Debug, Clone)]
    type Binding;

    #[wasm_bindgen(method, catch)]
    fn send(this: &Binding, body: &str, options: &JsValue) -> Result<Promise, JsValue>;
}

/// The queue behind the binding.
#[derive(Debug, Clone)]
pub struct EdgeQueue(Option<Binding>);

impl EdgeQueue {
    /// The queue of a Worker; every call fails if the binding is absent.
    pub fn new(env: &Env) -> Self {
        let found = Reflect::get(env.as_ref(), &SENDS.into()).unwrap_or_default();
        Self((!found.is_undefined()).then(|| found.unchecked_into()))
    }

    async fn send(&self, body: &str) -> Result<(), JsValue> {
        let Some(binding) = &self.0 else {
            return Err("the queue binding is absent".into());
        };
        let options = Object::new();
        Reflect::set(&options, &"contentType".into(), &"text".into())?;
        JsFuture::from(binding.send(body, &options)?).await?;
        Ok(())
    }
}

impl Queue for EdgeQueue {
    async fn post(&self, job: &SendJob) -> Result<(), QueueError> {
        let body = serde_json::to_string(job).map_err(|error| QueueError(error.to_string()))?;
        let sent = self.send(&body).await;
        sent.map_err(|thrown| QueueError(reason(&thrown)))
    }
}
