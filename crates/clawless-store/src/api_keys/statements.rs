//! The statements that read and change API keys.

use crate::statements::statements;

statements! {
    FIND_BY_DIGEST_ACROSS_TENANTS = "
        SELECT t.id, t.name, t.tier, t.status, t.settings, t.version, t.created_at, t.updated_at,
               k.id AS key_id, k.kind AS key_kind, k.name AS key_name, k.scopes AS key_scopes,
               k.allowed_origins AS key_allowed_origins, k.expires_at AS key_expires_at,
               k.revoked_at AS key_revoked_at, k.version AS key_version,
               k.created_at AS key_created_at, k.limits AS key_limits
        FROM api_keys k JOIN tenants t ON t.id = k.tenant_id
        WHERE k.digest = ?1";
    FIND_WITH_TENANT = "
        SELECT t.id, t.name, t.tier, t.status, t.settings, t.version, t.created_at, t.updated_at,
               k.id AS key_id, k.kind AS key_kind, k.name AS key_name, k.scopes AS key_scopes,
               k.allowed_origins AS key_allowed_origins, k.expires_at AS key_expires_at,
               k.revoked_at AS key_revoked_at, k.version AS key_version,
               k.created_at AS key_created_at, k.limits AS key_limits
        FROM api_keys k JOIN tenants t ON t.id = k.tenant_id
        WHERE k.tenant_id = ?1 AND k.id = ?2 AND t.id = ?1";
    FIND = "
        SELECT tenant_id, id, kind, name, scopes, allowed_origins, expires_at, revoked_at,
               successor_id, last_used_at, version, created_at, limits
        FROM api_keys WHERE tenant_id = ?1 AND id = ?2";
    /// Oldest first.
    LIST = "
        SELECT tenant_id, id, kind, name, scopes, allowed_origins, expires_at, revoked_at,
               successor_id, last_used_at, version, created_at, limits
        FROM api_keys WHERE tenant_id = ?1 AND id > ?2 ORDER BY id LIMIT ?3";
    INSERT = "
        INSERT INTO api_keys (tenant_id, id, digest, kind, name, scopes, allowed_origins,
                              expires_at, revoked_at, version, created_at, limits)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)";
    /// Sets the version to NULL if the record has changed, which the column rejects: the batch
    /// fails.
    REVOKE = "
        UPDATE api_keys SET revoked_at = ?4, version = iif(version = ?3, version + 1, NULL)
        WHERE tenant_id = ?1 AND id = ?2";
    /// As above.
    CHANGE = "
        UPDATE api_keys SET name = ?4, limits = ?5, allowed_origins = ?6,
                            version = iif(version = ?3, version + 1, NULL)
        WHERE tenant_id = ?1 AND id = ?2";
    /// As above.
    TOUCH = "
        UPDATE api_keys SET version = iif(version = ?3, version + 1, NULL)
        WHERE tenant_id = ?1 AND id = ?2";
    /// As above.
    ROTATE = "
        UPDATE api_keys SET expires_at = ?4, successor_id = ?5,
                            version = iif(version = ?3, version + 1, NULL)
        WHERE tenant_id = ?1 AND id = ?2";
    /// The version does not change: no decision depends on this column.
    RECORD_USE = "
        UPDATE api_keys SET last_used_at = max(coalesce(last_used_at, 0), ?3)
        WHERE tenant_id = ?1 AND id = ?2";
}
