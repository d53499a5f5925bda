//! The demo tenant's keys, from an earlier run or new.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use anyhow::Context;
use clawless_core::keys::KeyText;
use clawless_core::{Entropy, KeyKind, TenantId, Timestamp};
use serde::{Deserialize, Serialize};

/// The keys of an earlier run.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct KnownKeys {
    tenant_id: Option<TenantId>,
    secret_key: Option<String>,
    public_key: Option<String>,
    admin_token: Option<String>,
}

/// The demo tenant's id and keys, in plain text.
#[derive(Debug, Serialize)]
pub(crate) struct DemoKeys {
    pub(crate) tenant_id: TenantId,
    pub(crate) secret_key: String,
    /// For the widget.
    pub(crate) public_key: Option<String>,
    pub(crate) admin_token: String,
}

impl KnownKeys {
    /// Reads the file of an earlier run; empty if it does not exist.
    pub(crate) fn read(file: &Path) -> anyhow::Result<Self> {
        match fs::read_to_string(file) {
            Ok(text) => serde_json::from_str(&text)
                .with_context(|| format!("{} does not contain keys", file.display())),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(error).with_context(|| format!("cannot read {}", file.display())),
        }
    }
}

impl DemoKeys {
    /// The known keys, and new ones for the rest. A public key only `with_widget`.
    pub(crate) fn complete(
        known: &KnownKeys,
        with_widget: bool,
        now: Timestamp,
        entropy: &impl Entropy,
    ) -> anyhow::Result<Self> {
        let text_of = |kind: KeyKind, known: &Option<String>| {
            let text = match known {
                Some(text) => KeyText::parse(text).context("a known key is invalid")?,
                None => KeyText::generate(kind, entropy),
            };
            anyhow::ensure!(text.kind() == kind, "a known key has the wrong kind");
            anyhow::Ok(text.reveal().to_owned())
        };
        let tenant_id = known.tenant_id.clone();
        Ok(Self {
            tenant_id: tenant_id.unwrap_or_else(|| TenantId::generate(now, entropy)),
            secret_key: text_of(KeyKind::Secret, &known.secret_key)?,
            public_key: with_widget
                .then(|| text_of(KeyKind::Public, &known.public_key))
                .transpose()?,
            admin_token: text_of(KeyKind::Admin, &known.admin_token)?,
        })
    }
}
