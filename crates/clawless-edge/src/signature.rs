//! Signatures with public keys, by the runtime's Web Crypto.

use clawless_core::widget::SignatureAlgorithm;
use js_sys::{Promise, Uint8Array};
use wasm_bindgen::prelude::wasm_bindgen;
use worker::wasm_bindgen_futures::JsFuture;

#[wasm_bindgen(module = "/src/signature.js")]
extern "C" {
    #[wasm_bindgen(js_name = isKey)]
    fn js_is_key(algorithm: &str, key: &Uint8Array) -> Promise;

    #[wasm_bindgen(js_name = verifies)]
    fn js_verifies(
        algorithm: &str,
        key: &Uint8Array,
        signature: &Uint8Array,
        message: &str,
    ) -> Promise;
}

/// Whether a public key in DER (`SubjectPublicKeyInfo`) can verify signatures of an algorithm.
pub async fn is_public_key(algorithm: SignatureAlgorithm, der: &[u8]) -> bool {
    is_true(js_is_key(algorithm.as_str(), &der.into())).await
}

/// Whether the signature of a message is valid.
pub async fn verifies(
    algorithm: SignatureAlgorithm,
    public_key_der: &[u8],
    signature: &[u8],
    message: &str,
) -> bool {
    let key = public_key_der.into();
    is_true(js_verifies(
        algorithm.as_str(),
        &key,
        &signature.into(),
        message,
    ))
    .await
}

async fn is_true(promise: Promise) -> bool {
    JsFuture::from(promise)
        .await
        .is_ok_and(|value| value.is_truthy())
}
