//! The runtime's cryptographic generator.

use clawless_core::Entropy;

/// `crypto.getRandomValues`.
#[derive(Debug, Clone, Copy, Default)]
pub struct EdgeEntropy;

impl Entropy for EdgeEntropy {
    fn fill(&self, bytes: &mut [u8]) {
        if let Err(error) = getrandom::fill(bytes) {
            // Predictable ids and keys would be worse than a failed request.
            worker::wasm_bindgen::throw_str(&format!("no randomness: {error}"));
        }
    }
}
