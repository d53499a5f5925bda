//! Compressed sizes of the release bundles, of the pages in them and of the chat widget: `build/release/sizes.json`, and
//! the limits that `cargo xtask test` checks (`docs/decisions/005-bundle-size.md`).

use std::{collections::BTreeMap, fs};

use anyhow::{Context, Result};
use serde::Deserialize;

use crate::{
    bundle::{Bundle, gzipped_size},
    layout::Layout,
    stamp::write_atomically,
};

/// Largest compressed size of each object, in bytes.
const LIMITS: [(&str, usize); 7] = [
    ("gateway", 1_300_000),
    ("admin", 600_000),
    ("widget_server", 300_000),
    ("docs", 60_000),
    ("admin_docs", 60_000),
    ("widget", 12_288),
    ("widget_loader", 1_500),
];

/// The reference pages, which are part of their Workers too.
const PAGES: [(&str, &str); 2] = [
    ("docs", "docs/api/reference.html"),
    ("admin_docs", "docs/api/admin-reference.html"),
];

/// Bytes of the chat widget as they are delivered, compressed by brotli: its loader, and what a visitor has loaded before
/// the first message. From `build/widget/sizes.json`.
#[derive(Debug, Deserialize)]
struct WidgetSizes {
    loader: usize,
    loader_and_app: usize,
}

/// The name of each object, and its compressed size in bytes.
pub(crate) type Sizes = BTreeMap<String, usize>;

/// Measures release bundles and writes `build/release/sizes.json`.
pub(crate) fn record(layout: &Layout, bundles: &[Bundle]) -> Result<Sizes> {
    let mut sizes = Sizes::new();
    for bundle in bundles {
        sizes.insert(bundle.worker.replace('-', "_"), bundle.gzipped_size()?);
    }
    for (name, path) in PAGES {
        sizes.insert(name.to_owned(), gzipped_size([layout.at(path)])?);
    }
    let widget =
        fs::read(layout.at("build/widget/sizes.json")).context("the widget is not built")?;
    let widget: WidgetSizes = serde_json::from_slice(&widget)?;
    sizes.insert("widget_loader".to_owned(), widget.loader);
    sizes.insert("widget".to_owned(), widget.loader_and_app);
    let text = serde_json::to_vec_pretty(&sizes)?;
    write_atomically(&layout.at("build/release/sizes.json"), &text, false)?;
    Ok(sizes)
}

/// Objects that exceed their limit, and objects without a size.
pub(crate) fn over_limit(sizes: &Sizes) -> Vec<String> {
    let check = |(name, limit): (&str, usize)| match sizes.get(name) {
        None => Some(format!("{name} has no size")),
        Some(size) => (*size > limit)
            .then(|| format!("{name} has {size} bytes compressed, the limit is {limit}")),
    };
    LIMITS.into_iter().filter_map(check).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_object_has_a_size_within_its_limit() {
        let mut sizes: Sizes = LIMITS
            .into_iter()
            .map(|(name, limit)| (name.to_owned(), limit))
            .collect();
        assert!(over_limit(&sizes).is_empty());
        sizes.insert("admin".to_owned(), 600_001);
        sizes.remove("gateway");
        assert_eq!(
            over_limit(&sizes),
            [
                "gateway has no size",
                "admin has 600001 bytes compressed, the limit is 600000"
            ]
        );
    }
}
