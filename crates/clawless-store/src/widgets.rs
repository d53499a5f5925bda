//! The widgets of public keys: settings and logos.
//!
//! A change of a widget is a change of its key: the key's version moves, so that visitors with a token of
//! the old version open a new session and see the change.

use clawless_core::json::Json;
use clawless_core::keys::KeyDigest;
use clawless_core::widget::{
    Logo, LogoFormat, SignatureAlgorithm, UserTokenSettings, WidgetSettings,
};
use clawless_core::{ApiKey, KeyId, TenantId, Timestamp};
use serde::Deserialize;

use crate::api_keys::{self, VERSION};
use crate::audit::{self, AuditEntry};
use crate::ports::{Sql, SqlError, Statement};
use crate::row;
use crate::statements::statements;

statements! {
    FIND = "
        SELECT settings, logo_type, logo_digest FROM widgets WHERE tenant_id = ?1 AND key_id = ?2";
    /// The settings as browsers get them, with the data of a small logo, which saves them a request; apart
    /// from them how signed-in users are identified. The database
    /// reads the JSON: the gateway has no code for each setting.
    FIND_PUBLIC = "
        SELECT
          iif(logo_digest IS NULL, json_remove(settings, '$.user_tokens'),
              json_set(json_remove(settings, '$.user_tokens'), '$.logo_url',
                iif(length(logo) <= 16384, 'data:' || logo_type || ';base64,' || logo, ?3 || logo_digest))) AS settings,
          json_extract(settings, '$.user_tokens.algorithm') AS algorithm,
          json_extract(settings, '$.user_tokens.public_key') AS public_key,
          ifnull(json_extract(settings, '$.user_tokens.required'), 0) AS required
        FROM widgets WHERE tenant_id = ?1 AND key_id = ?2";
    PUT_SETTINGS = "
        INSERT INTO widgets (tenant_id, key_id, settings, updated_at) VALUES (?1, ?2, ?3, ?4)
        ON CONFLICT (tenant_id, key_id) DO UPDATE SET
          settings = excluded.settings, updated_at = excluded.updated_at
        WHERE widgets.tenant_id = ?1";
    PUT_LOGO = "
        INSERT INTO widgets (tenant_id, key_id, logo, logo_type, logo_digest, updated_at)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6)
        ON CONFLICT (tenant_id, key_id) DO UPDATE SET
          logo = excluded.logo, logo_type = excluded.logo_type, logo_digest = excluded.logo_digest,
          updated_at = excluded.updated_at
        WHERE widgets.tenant_id = ?1";
    /// For a key that replaces another.
    COPY = "
        INSERT INTO widgets (tenant_id, key_id, settings, logo, logo_type, logo_digest, updated_at)
        SELECT ?1, ?3, settings, logo, logo_type, logo_digest, updated_at
        FROM widgets WHERE tenant_id = ?1 AND key_id = ?2";
    /// Logos are public.
    FIND_LOGO_ACROSS_TENANTS = "
        SELECT logo, logo_type FROM widgets WHERE logo_digest = ?1 LIMIT 1";
}

/// The widget of a key.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Widget {
    /// The settings.
    pub settings: WidgetSettings,
    /// The logo's digest and format.
    pub logo: Option<(KeyDigest, LogoFormat)>,
}

/// The widget of a key as its visitors need it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicWidget {
    /// The settings that a browser gets: an object.
    pub settings: Json,
    /// How signed-in users are identified, if they can be.
    pub users: Option<UserTokenSettings>,
}

#[derive(Deserialize)]
struct PublicRow {
    settings: String,
    algorithm: Option<String>,
    public_key: Option<String>,
    required: u8,
}

#[derive(Deserialize)]
struct Row {
    settings: String,
    logo_type: Option<String>,
    logo_digest: Option<String>,
}

#[derive(Deserialize)]
struct LogoRow {
    logo: String,
    logo_type: String,
}

/// The widget of a key; the default without a row.
pub async fn find(sql: &impl Sql, tenant: &TenantId, key: &KeyId) -> Result<Widget, SqlError> {
    let rows: Vec<Row> = sql.query(FIND.with([tenant.into(), key.into()])).await?;
    let Some(row) = rows.into_iter().next() else {
        return Ok(Widget::default());
    };
    let digest = row.logo_digest.as_deref().and_then(KeyDigest::parse_hex);
    let format = row.logo_type.as_deref();
    let format = format.and_then(LogoFormat::of_content_type);
    Ok(Widget {
        settings: row::json("widgets.settings", &row.settings)?,
        logo: digest.zip(format),
    })
}

/// The widget of a key as its visitors need it, with the URL of its logo below `logos`.
pub async fn find_public(
    sql: &impl Sql,
    tenant: &TenantId,
    key: &KeyId,
    logos: String,
) -> Result<PublicWidget, SqlError> {
    let find = FIND_PUBLIC.with([tenant.into(), key.into(), logos.into()]);
    let rows: Vec<PublicRow> = sql.query(find).await?;
    let Some(row) = rows.into_iter().next() else {
        let settings = row::raw_json("widgets.settings", "{}".to_owned())?;
        return Ok(PublicWidget {
            settings,
            users: None,
        });
    };
    let algorithm = row.algorithm.as_deref().map(SignatureAlgorithm::parse);
    let users = match algorithm.zip(row.public_key) {
        None => None,
        Some((Some(algorithm), public_key)) => Some(UserTokenSettings {
            algorithm,
            public_key,
            required: row.required != 0,
        }),
        // Never as if users could be anonymous.
        Some((None, _)) => return Err(SqlError::corrupt("widgets.settings")),
    };
    Ok(PublicWidget {
        settings: row::raw_json("widgets.settings", row.settings)?,
        users,
    })
}

/// Stores the settings of a key's widget; `false` if the key has changed since it was read, and then
/// nothing is stored.
pub async fn put_settings(
    sql: &impl Sql,
    tenant: &TenantId,
    key: &ApiKey,
    settings: &WidgetSettings,
    now: Timestamp,
    entry: &AuditEntry,
) -> Result<bool, SqlError> {
    let put = PUT_SETTINGS.with([
        tenant.into(),
        (&key.id).into(),
        row::to_json("widgets.settings", settings)?.into(),
        now.into(),
    ]);
    store(sql, tenant, key, put, entry).await
}

/// Stores or removes the logo of a key's widget; `false` if the key has changed since it was read, and
/// then nothing is stored.
pub async fn put_logo(
    sql: &impl Sql,
    tenant: &TenantId,
    key: &ApiKey,
    logo: Option<(&Logo, KeyDigest)>,
    now: Timestamp,
    entry: &AuditEntry,
) -> Result<bool, SqlError> {
    let put = PUT_LOGO.with([
        tenant.into(),
        (&key.id).into(),
        logo.map(|(logo, _)| logo.to_base64()).into(),
        logo.map(|(logo, _)| logo.format.content_type()).into(),
        logo.map(|(_, digest)| digest).into(),
        now.into(),
    ]);
    store(sql, tenant, key, put, entry).await
}

async fn store(
    sql: &impl Sql,
    tenant: &TenantId,
    key: &ApiKey,
    put: Statement,
    entry: &AuditEntry,
) -> Result<bool, SqlError> {
    let batch = vec![
        api_keys::touch(tenant, key),
        put,
        audit::insert(tenant, entry),
    ];
    row::unless_changed(sql.batch(batch).await, VERSION)
}

/// The statement that gives a new key the widget of the one that it replaces.
pub(crate) fn copy(tenant: &TenantId, from: &KeyId, to: &KeyId) -> Statement {
    COPY.with([tenant.into(), from.into(), to.into()])
}

/// The logo with this digest, of any tenant.
pub async fn find_logo_across_tenants(
    sql: &impl Sql,
    digest: KeyDigest,
) -> Result<Option<Logo>, SqlError> {
    let find = FIND_LOGO_ACROSS_TENANTS.with([digest.into()]);
    let rows: Vec<LogoRow> = sql.query(find).await?;
    let Some(row) = rows.into_iter().next() else {
        return Ok(None);
    };
    let format = LogoFormat::of_content_type(&row.logo_type);
    let logo = format.and_then(|format| Logo::from_stored(format, &row.logo));
    logo.map(Some)
        .ok_or_else(|| SqlError::corrupt("widgets.logo"))
}
