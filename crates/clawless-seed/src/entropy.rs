//! The system's random generator.

use clawless_core::Entropy;

/// Random bytes from the operating system.
pub(crate) struct SystemEntropy;

impl Entropy for SystemEntropy {
    fn fill(&self, bytes: &mut [u8]) {
        if let Err(error) = getrandom::fill(bytes) {
            eprintln!("cannot read random bytes: {error}");
            std::process::exit(1);
        }
    }
}
