//! The demo tenant's keys: those of an earlier run, or new ones.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use anyhow::Context;
use clawless_core::keys::KeyText;
use clawless_core::{Entropy, KeyKind, TenantId, Timestamp};
use serde::{Deserialize, Serialize};

/// What an earlier run left.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Known {
    tenant_id: Option<TenantId>,
    secret_key: Option<String>,
    admin_token: Option<String>,
}

/// The demo tenant's id and keys, in the clear. A key whose feature is not built yet is absent.
#[derive(Debug, Serialize)]
pub(crate) struct DemoKeys {
    pub(crate) tenant_id: TenantId,
    pub(crate) secret_key: String,
    public_key: Option<String>,
    pub(crate) admin_token: String,
}

impl Known {
    /// Reads the file of an earlier run; nothing is known where there is none.
    pub(crate) fn read(file: &Path) -> anyhow::Result<Self> {
        match fs::read_to_string(file) {
            Ok(text) => serde_json::from_str(&text)
                .with_context(|| format!("{} does not hold keys", file.display())),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(error).with_context(|| format!("cannot read {}", file.display())),
        }
    }
}

impl DemoKeys {
    /// What is known, and new keys for what is not.
    pub(crate) fn complete(
        known: &Known,
        now: Timestamp,
        entropy: &impl Entropy,
    ) -> anyhow::Result<Self> {
        let text_of = |kind: KeyKind, known: &Option<String>| {
            let text = match known {
                Some(text) => KeyText::parse(text).context("a known key is damaged")?,
                None => KeyText::generate(kind, entropy),
            };
            anyhow::ensure!(text.kind() == kind, "a known key is of another kind");
            anyhow::Ok(text.reveal().to_owned())
        };
        let tenant_id = known.tenant_id.clone();
        Ok(Self {
            tenant_id: tenant_id.unwrap_or_else(|| TenantId::generate(now, entropy)),
            secret_key: text_of(KeyKind::Secret, &known.secret_key)?,
            public_key: None,
            admin_token: text_of(KeyKind::Admin, &known.admin_token)?,
        })
    }
}
