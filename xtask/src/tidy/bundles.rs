//! The content of release bundles.

use std::fs;

use crate::layout::{Layout, WORKERS};

/// All test-only code contains this text, so that it can be found in a bundle. Split here, so that this
/// file does not contain it.
const MARKER: &str = concat!("clawless", ":test-only");

/// Release bundles with test-only code. Ignores bundles that are not built.
pub(super) fn test_code(layout: &Layout) -> Vec<String> {
    WORKERS
        .into_iter()
        .filter(|worker| {
            let module = fs::read(layout.at(format!("build/release/{worker}/index_bg.wasm")))
                .unwrap_or_default();
            has_marker(&module)
        })
        .map(|worker| {
            format!("the release of {worker} contains test code: build it without test features")
        })
        .collect()
}

fn has_marker(module: &[u8]) -> bool {
    module
        .windows(MARKER.len())
        .any(|window| window == MARKER.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marker_is_found_in_a_module() {
        let module = [b"\0asm\x01", MARKER.as_bytes(), b"\xff"].concat();
        assert!(has_marker(&module) && !has_marker(b"\0asm\x01"));
    }
}
