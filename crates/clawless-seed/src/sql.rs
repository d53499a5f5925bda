//! The statements that store the demo tenant and its operator's token. They are idempotent.

use clawless_core::keys::KeyText;
use clawless_core::widget::WidgetSettings;
use clawless_core::{AdminTokenId, Entropy, KeyId, Scopes, Timestamp};

use crate::keys::DemoKeys;

/// The SQL. Existing rows are not changed.
pub(crate) fn statements(
    keys: &DemoKeys,
    name: &str,
    now: Timestamp,
    entropy: &impl Entropy,
) -> anyhow::Result<String> {
    let now_millis = now.as_millis();
    let tenant = literal(keys.tenant_id.as_str());
    let name = literal(name);
    let key_id = literal(KeyId::generate(now, entropy).as_str());
    let digest = literal(&KeyText::parse(&keys.secret_key)?.digest().to_hex());
    let token_id = literal(AdminTokenId::generate(now, entropy).as_str());
    let token_digest = literal(&KeyText::parse(&keys.admin_token)?.digest().to_hex());
    let scopes = literal(&serde_json::to_string(&Scopes::all())?);
    Ok(format!(
        "INSERT INTO tenants (id, name, tier, status, created_at, updated_at)\n\
         VALUES ({tenant}, {name}, 'enterprise', 'active', {now_millis}, {now_millis})\n\
         ON CONFLICT DO NOTHING;\n\
         INSERT INTO api_keys (tenant_id, id, digest, kind, name, scopes, created_at)\n\
         VALUES ({tenant}, {key_id}, {digest}, 'secret', {name}, {scopes}, {now_millis})\n\
         ON CONFLICT DO NOTHING;\n\
         INSERT INTO admin_tokens (id, digest, name, created_at)\n\
         VALUES ({token_id}, {token_digest}, {name}, {now_millis})\n\
         ON CONFLICT DO NOTHING;\n"
    ))
}

/// The SQL of the public key and its widget; empty without one. The origins of an existing key are
/// replaced, because the port of the local stack may have changed.
pub(crate) fn widget(
    keys: &DemoKeys,
    origins: &[String],
    now: Timestamp,
    entropy: &impl Entropy,
) -> anyhow::Result<String> {
    let Some(key) = &keys.public_key else {
        return Ok(String::new());
    };
    let now_millis = now.as_millis();
    let tenant = literal(keys.tenant_id.as_str());
    let key_id = literal(KeyId::generate(now, entropy).as_str());
    let digest = literal(&KeyText::parse(key)?.digest().to_hex());
    let origins = literal(&serde_json::to_string(origins)?);
    let settings = literal(&serde_json::to_string(&WidgetSettings {
        title: Some("Clawless demo".to_owned()),
        welcome: Some("Hi! I run on your own machine. Ask me anything.".to_owned()),
        starter_prompts: ["What can you do?", "Tell me a short joke."]
            .map(str::to_owned)
            .into(),
        ..WidgetSettings::default()
    })?);
    Ok(format!(
        "INSERT INTO api_keys (tenant_id, id, digest, kind, name, scopes, allowed_origins, created_at)\n\
         VALUES ({tenant}, {key_id}, {digest}, 'public', 'widget', '[]', {origins}, {now_millis})\n\
         ON CONFLICT (digest) DO UPDATE SET allowed_origins = excluded.allowed_origins, \
         version = version + 1 WHERE allowed_origins <> excluded.allowed_origins;\n\
         INSERT INTO widgets (tenant_id, key_id, settings, updated_at)\n\
         SELECT tenant_id, id, {settings}, {now_millis} FROM api_keys WHERE digest = {digest}\n\
         ON CONFLICT DO NOTHING;\n"
    ))
}

/// A text as an SQL literal.
fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use clawless_store::admin_tokens;
    use clawless_store::api_keys::find_by_digest_across_tenants;
    use clawless_store::widgets;
    use clawless_testkit::{SeededEntropy, SqliteDatabase, block_on};

    use super::*;
    use crate::keys::KnownKeys;

    const NOW: Timestamp = Timestamp::from_millis(1_767_225_600_000);

    fn keys(known: &KnownKeys, seed: u64) -> DemoKeys {
        DemoKeys::complete(known, true, NOW, &SeededEntropy::new(seed)).expect("keys")
    }

    #[test]
    fn demo_key_has_all_scopes_of_the_demo_tenant() {
        let keys = keys(&KnownKeys::default(), 1);
        let sql = statements(&keys, "O'Hara; --", NOW, &SeededEntropy::new(2)).expect("SQL");
        assert!(!sql.contains(&keys.secret_key), "the SQL contains no key");
        let database = SqliteDatabase::new();
        database.run_script(&sql);
        let digest = KeyText::parse(&keys.secret_key).expect("a key").digest();
        let (key, tenant) = block_on(find_by_digest_across_tenants(&database, digest))
            .expect("the query succeeds")
            .expect("the key exists");
        assert_eq!(tenant.id, keys.tenant_id);
        assert_eq!(tenant.name, "O'Hara; --");
        assert!(Scopes::all().within(&key.scopes) && key.is_usable(NOW));
        assert!(!sql.contains(&keys.admin_token));
        let digest = KeyText::parse(&keys.admin_token).expect("a token").digest();
        let token = admin_tokens::find_by_digest_across_tenants(&database, digest);
        let token = block_on(token).expect("the query succeeds");
        assert!(token.expect("the token exists").is_usable(NOW));
    }

    #[test]
    fn seeding_is_idempotent() {
        let first = keys(&KnownKeys::default(), 1);
        let printed = serde_json::to_string(&first).expect("prints");
        let known: KnownKeys = serde_json::from_str(&printed).expect("reads its own output");
        let second = keys(&known, 7);
        assert_eq!(first.secret_key, second.secret_key);
        assert_eq!(first.admin_token, second.admin_token);
        let database = SqliteDatabase::new();
        for keys in [&first, &second] {
            let seed = SeededEntropy::new(9);
            database.run_script(&statements(keys, "Demo", NOW, &seed).expect("SQL"));
            database.run_script(&statements(keys, "Demo", NOW, &seed).expect("SQL"));
        }
        assert_eq!(database.count("SELECT count(*) FROM tenants"), 1);
        assert_eq!(database.count("SELECT count(*) FROM api_keys"), 1);
        assert_eq!(database.count("SELECT count(*) FROM admin_tokens"), 1);
    }

    #[test]
    fn invalid_keys_are_rejected() {
        let known: KnownKeys =
            serde_json::from_str(r#"{"secret_key":"cl_sk_garbage"}"#).expect("JSON");
        assert!(DemoKeys::complete(&known, false, NOW, &SeededEntropy::new(1)).is_err());
        let kind = KeyText::generate(clawless_core::KeyKind::Public, &SeededEntropy::new(1));
        let known = format!(r#"{{"admin_token":"{}"}}"#, kind.reveal());
        let known: KnownKeys = serde_json::from_str(&known).expect("JSON");
        assert!(DemoKeys::complete(&known, false, NOW, &SeededEntropy::new(1)).is_err());
    }

    #[test]
    fn public_key_has_the_widget_and_the_latest_origins() {
        let keys = keys(&KnownKeys::default(), 1);
        let digest = KeyText::parse(keys.public_key.as_deref().expect("a key"));
        let digest = digest.expect("a key").digest();
        let database = SqliteDatabase::new();
        let seed = SeededEntropy::new(2);
        database.run_script(&statements(&keys, "Demo", NOW, &seed).expect("SQL"));
        let stored = |port: u16| {
            let origins = [format!("http://localhost:{port}")];
            database.run_script(&widget(&keys, &origins, NOW, &seed).expect("SQL"));
            let found = block_on(find_by_digest_across_tenants(&database, digest));
            let (key, tenant) = found.expect("succeeds").expect("the key exists");
            assert_eq!(key.allowed_origins, origins);
            let found = block_on(widgets::find(&database, &tenant.id, &key.id));
            assert!(found.expect("succeeds").settings.title.is_some());
            key.version
        };
        assert_eq!((stored(8787), stored(8787), stored(9000)), (1, 1, 2));
        assert_eq!(database.count("SELECT count(*) FROM api_keys"), 2);
    }
}
