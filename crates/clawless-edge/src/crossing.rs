//! Calls of the runtime on the hot path, through a small script (`crossing.js`), where a promise or an
//! object of the runtime costs a fraction of its cost in wasm.

use js_sys::{Function, Promise, Uint8Array};
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;
use worker::web_sys::{
    self, AbortSignal, ReadableStreamDefaultReader, TransformStream, WritableStreamDefaultWriter,
};

#[wasm_bindgen(module = "/src/crossing.js")]
extern "C" {
    /// Calls `settled` with `id`, whether the promise was resolved, and its value, once it is settled.
    pub(crate) fn watch(promise: &Promise, id: u32, settled: &Function);

    /// A request's method, URL and headers, as lines.
    pub(crate) fn head(request: &web_sys::Request) -> String;

    /// A response with headers from lines. `is_encoded` says that the body has its content encoding already.
    #[wasm_bindgen(catch)]
    pub(crate) fn respond(
        status: u16,
        lines: &str,
        body: Option<&[u8]>,
        is_encoded: bool,
    ) -> Result<web_sys::Response, JsValue>;

    /// The same with a stream as its body.
    #[wasm_bindgen(js_name = respondWithStream, catch)]
    pub(crate) fn respond_with_stream(
        status: u16,
        lines: &str,
        body: &web_sys::ReadableStream,
    ) -> Result<web_sys::Response, JsValue>;

    /// A stream of what is written to its other end.
    pub(crate) fn channel() -> TransformStream;

    /// Writes bytes, and after the last ones the end. The promise resolves when the reader has taken them.
    pub(crate) fn write(
        writer: &WritableStreamDefaultWriter,
        bytes: &[u8],
        is_last: bool,
    ) -> Promise;

    /// Resolves when the client of a request has left.
    pub(crate) fn departed(request: &web_sys::Request) -> Promise;

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

    /// Reads a response's body. The promise resolves to its bytes.
    #[wasm_bindgen(catch)]
    pub(crate) fn bytes(response: &web_sys::Response) -> Result<Promise, JsValue>;

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

    /// Calls a Durable Object of a binding. The promise resolves to a text, or to undefined if the
    /// object is overloaded.
    #[wasm_bindgen(js_name = callObject)]
    pub(crate) fn call_object(env: &JsValue, binding: &str, name: &str, request: &str) -> Promise;
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
