//! Calls of the runtime on the hot path, through a small script (`crossing.js`), where a promise or an
//! object of the runtime costs a fraction of its cost in wasm.

use js_sys::{Promise, Uint8Array};
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;
use worker::web_sys::{self, AbortSignal, ReadableStreamDefaultReader};

#[wasm_bindgen(module = "/src/crossing.js")]
extern "C" {
    /// A request's method, URL and headers, as lines.
    pub(crate) fn head(request: &web_sys::Request) -> String;

    /// Headers from lines.
    #[wasm_bindgen(catch)]
    pub(crate) fn headers(lines: &str) -> Result<web_sys::Headers, JsValue>;

    /// Sends a request; the promise resolves to a response.
    #[wasm_bindgen(catch)]
    pub(crate) fn send(
        method: &str,
        url: &str,
        lines: &str,
        body: Option<Uint8Array>,
        signal: &AbortSignal,
    ) -> Result<Promise, JsValue>;

    /// A response's status and the values of these headers, as lines; an absent one is empty.
    pub(crate) fn summary(response: &web_sys::Response, names: &str) -> String;

    /// What compressed bytes (gzip) contain, as a stream.
    pub(crate) fn decompressed(bytes: &Uint8Array) -> web_sys::ReadableStream;

    /// The next piece of a stream; undefined at its end.
    pub(crate) fn next(reader: &ReadableStreamDefaultReader) -> Promise;

    /// Reads a request's body. The promise resolves to its bytes, or to undefined after `millis`.
    #[wasm_bindgen(js_name = bodyAtOnce, catch)]
    pub(crate) fn body_at_once(request: &web_sys::Request, millis: f64)
    -> Result<Promise, JsValue>;

    /// Reads a request's body in pieces. The promise resolves to its bytes; to a number if it is longer
    /// than `limit`; to undefined if it is late. Times are in milliseconds, the rate in bytes a
    /// millisecond.
    #[wasm_bindgen(js_name = bodyInPieces)]
    pub(crate) fn body_in_pieces(
        request: &web_sys::Request,
        limit: f64,
        discarded: f64,
        grace: f64,
        rate: f64,
        total: f64,
    ) -> Promise;

    /// Calls a Durable Object. The promise resolves to a text, or to undefined if the object is
    /// overloaded.
    pub(crate) fn ask(namespace: &JsValue, name: &str, request: &str) -> Promise;
}

/// Names and values as lines.
pub(crate) fn lines<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let mut lines = String::new();
    for (name, value) in pairs {
        for line in [name, value] {
            if !lines.is_empty() {
                lines.push('\n');
            }
            // A line break would shift every header behind it.
            line.split(['\n', '\r'])
                .for_each(|part| lines.push_str(part));
        }
    }
    lines
}

/// The message of a thrown value, for the log.
pub(crate) fn reason(thrown: &JsValue) -> String {
    let error: Option<&js_sys::Error> = wasm_bindgen::JsCast::dyn_ref(thrown);
    error.map_or_else(
        || format!("{thrown:?}"),
        |error| String::from(error.message()),
    )
}
