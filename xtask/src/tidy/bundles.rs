//! What is in the bundles that would be deployed.

use std::fs;

use crate::layout::{Layout, WORKERS};

/// Every piece of test-only code holds this text, so that it can be found in a bundle. It is put
/// together here, so that only test-only code has it whole.
const MARK: &str = concat!("clawless", ":test-only");

/// Built release bundles that hold test-only code. A bundle that is not built holds none.
pub(super) fn test_code(layout: &Layout) -> Vec<String> {
    WORKERS
        .into_iter()
        .filter(|worker| {
            let module = fs::read(layout.at(format!("build/release/{worker}/index_bg.wasm")))
                .unwrap_or_default();
            is_marked(&module)
        })
        .map(|worker| {
            format!(
                "the release of {worker} holds code for tests: build it without the test features"
            )
        })
        .collect()
}

fn is_marked(module: &[u8]) -> bool {
    module
        .windows(MARK.len())
        .any(|window| window == MARK.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mark_is_found_among_other_bytes() {
        let module = [b"\0asm\x01", MARK.as_bytes(), b"\xff"].concat();
        assert!(is_marked(&module) && !is_marked(b"\0asm\x01"));
    }
}
