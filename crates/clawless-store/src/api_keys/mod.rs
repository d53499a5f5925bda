//! API keys. The key itself is never stored: only its digest.

mod changes;
mod found;

pub use changes::{insert, mint, note_uses, revoke, rotate};
pub use found::{StoredKey, find, find_by_digest_across_tenants, find_with_tenant, list};

use crate::statement::statements;

statements! {
    FIND_BY_DIGEST_ACROSS_TENANTS = "
        SELECT t.id, t.name, t.tier, t.status, t.settings, t.version, t.created_at, t.updated_at,
               k.id AS key_id, k.kind AS key_kind, k.name AS key_name, k.scopes AS key_scopes,
               k.allowed_origins AS key_allowed_origins, k.expires_at AS key_expires_at,
               k.revoked_at AS key_revoked_at, k.version AS key_version,
               k.created_at AS key_created_at
        FROM api_keys k JOIN tenants t ON t.id = k.tenant_id
        WHERE k.digest = ?1";
    FIND_WITH_TENANT = "
        SELECT t.id, t.name, t.tier, t.status, t.settings, t.version, t.created_at, t.updated_at,
               k.id AS key_id, k.kind AS key_kind, k.name AS key_name, k.scopes AS key_scopes,
               k.allowed_origins AS key_allowed_origins, k.expires_at AS key_expires_at,
               k.revoked_at AS key_revoked_at, k.version AS key_version,
               k.created_at AS key_created_at
        FROM api_keys k JOIN tenants t ON t.id = k.tenant_id
        WHERE k.tenant_id = ?1 AND k.id = ?2 AND t.id = ?1";
    FIND = "
        SELECT tenant_id, id, kind, name, scopes, allowed_origins, expires_at, revoked_at,
               successor_id, last_used_at, version, created_at
        FROM api_keys WHERE tenant_id = ?1 AND id = ?2";
    /// Oldest first.
    LIST = "
        SELECT tenant_id, id, kind, name, scopes, allowed_origins, expires_at, revoked_at,
               successor_id, last_used_at, version, created_at
        FROM api_keys WHERE tenant_id = ?1 AND id > ?2 ORDER BY id LIMIT ?3";
    INSERT = "
        INSERT INTO api_keys (tenant_id, id, digest, kind, name, scopes, allowed_origins,
                              expires_at, revoked_at, version, created_at)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)";
    /// Where the record is no longer the expected one, its version becomes NULL, which the column
    /// refuses: the batch fails as a whole.
    REVOKE = "
        UPDATE api_keys SET revoked_at = ?4, version = iif(version = ?3, version + 1, NULL)
        WHERE tenant_id = ?1 AND id = ?2";
    /// As above.
    SUCCEED = "
        UPDATE api_keys SET expires_at = ?4, successor_id = ?5,
                            version = iif(version = ?3, version + 1, NULL)
        WHERE tenant_id = ?1 AND id = ?2";
    /// The version stays: nothing that decides has changed.
    NOTE_USE = "
        UPDATE api_keys SET last_used_at = max(coalesce(last_used_at, 0), ?3)
        WHERE tenant_id = ?1 AND id = ?2";
}
