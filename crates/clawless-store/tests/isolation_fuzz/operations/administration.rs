//! Operators' calls: keys, audit log, records, tenants and erasure.

use clawless_core::keys::KeyText;
use clawless_core::{ApiKey, KeyKind, Scopes, Tenant};
use clawless_store::{admin_tokens, audit};
use clawless_store::{api_keys, erasure, health, records, tenants};
use clawless_testkit::block_on;

use super::Caller;
use crate::fixture::Digest;

impl Caller<'_> {
    pub(super) fn keys(&self, results: &mut Digest) {
        let (sql, tenant, now) = (&self.fixture.database, self.id, self.random.now);
        let id = self.random.choose(&self.fixture.pools.keys);
        let digest = KeyText::generate(KeyKind::Secret, &self.random.entropy).digest();
        let audit_entry = self.entry("key");
        let found = block_on(api_keys::find(sql, tenant, id));
        results.add(&found);
        match (found.expect("succeeds"), self.random.below(6)) {
            (None, 0) => {
                let key = self.key();
                results.add(&block_on(api_keys::insert(sql, tenant, &key, digest)));
            }
            (None, _) => {
                let key = self.key();
                results.add(&block_on(api_keys::mint(
                    sql,
                    tenant,
                    &key,
                    digest,
                    &audit_entry,
                )));
            }
            (Some(old), 1) => {
                let new = self.key();
                let rotate =
                    api_keys::rotate(sql, tenant, &old.key, now, (&new, digest), &audit_entry);
                results.add(&block_on(rotate));
            }
            (Some(old), 2) => {
                results.add(&block_on(api_keys::revoke(
                    sql,
                    tenant,
                    &old.key,
                    now,
                    &audit_entry,
                )));
            }
            (Some(old), 5) => {
                let changed = ApiKey {
                    name: self.mark(),
                    limits: clawless_core::limits::KeyLimits {
                        concurrent: Some(1),
                        ..clawless_core::limits::KeyLimits::default()
                    },
                    ..old.key.clone()
                };
                let change = api_keys::change(sql, tenant, &old.key, &changed, &audit_entry);
                results.add(&block_on(change));
            }
            (_, 3) => results.add(&block_on(api_keys::record_uses(
                sql,
                tenant,
                &[(id.clone(), now)],
            ))),
            (_, 4) => results.add(&block_on(api_keys::find_with_tenant(sql, tenant, id))),
            _ => results.add(&block_on(api_keys::list(sql, tenant, None, 20))),
        }
    }

    fn key(&self) -> ApiKey {
        ApiKey {
            id: self.random.choose(&self.fixture.pools.keys).clone(),
            tenant_id: self.id.clone(),
            kind: KeyKind::Secret,
            name: self.mark(),
            scopes: Scopes::all(),
            limits: clawless_core::limits::KeyLimits::default(),
            allowed_origins: Vec::new(),
            expires_at: None,
            revoked_at: None,
            version: 1,
            created_at: self.random.now,
        }
    }

    pub(super) fn audit(&self, results: &mut Digest) {
        let (sql, tenant) = (&self.fixture.database, self.id);
        if self.random.below(4) == 0 {
            results.add(&block_on(audit::record(
                sql,
                tenant,
                &self.entry("session.read"),
            )));
        } else {
            results.add(&block_on(audit::list(sql, tenant, None, 5)));
        }
    }

    pub(super) fn records(&self, results: &mut Digest) {
        let (sql, tenant, session) = (&self.fixture.database, self.id, self.session());
        match self.random.below(20) {
            0 => {
                let from = self
                    .random
                    .choose(&["tenant:", "turns:[\"chat:3\",2]", "receipts:"]);
                let from = from.parse().expect("a position");
                results.add(&block_on(records::export(
                    sql,
                    tenant,
                    from,
                    self.random.now,
                )));
            }
            1..=6 => results.add(&block_on(records::sessions(
                sql,
                tenant,
                None,
                4,
                self.random.now,
            ))),
            7..=12 => results.add(&block_on(records::session(
                sql,
                tenant,
                session,
                self.random.now,
            ))),
            _ => results.add(&block_on(records::messages(sql, tenant, session, None, 4))),
        }
        results.add(&block_on(health::check(sql)));
    }

    pub(super) fn tenant(&self, results: &mut Digest) {
        results.add(&block_on(admin_tokens::list_bound(
            &self.fixture.database,
            self.id,
        )));
        let (sql, tenant) = (&self.fixture.database, self.id);
        let found = block_on(tenants::find(sql, tenant));
        results.add(&found);
        let record = match found.expect("succeeds") {
            Some(record) => Tenant {
                version: record.version + 1,
                ..record
            },
            None => self.fixture.tenant(self.number, 1),
        };
        let audit_entry = self.entry("tenant");
        if self.random.coin() {
            results.add(&block_on(tenants::update(sql, &record, &audit_entry)));
        } else {
            // Conflicts unless the tenant was deleted before.
            results.add(&block_on(tenants::create(sql, &record, &audit_entry)));
        }
    }

    pub(super) fn erase(&self, results: &mut Digest) {
        let (sql, tenant, now) = (&self.fixture.database, self.id, self.random.now);
        match self.random.below(8) {
            0 => {
                while !block_on(erasure::erase_rows(sql, tenant, 50, 100)).expect("succeeds") {}
                let deleted = block_on(erasure::delete_tenant(
                    sql,
                    tenant,
                    &[],
                    &self.entry("tenant.delete"),
                ));
                results.add(&deleted);
                if self.random.below(4) != 0 {
                    let record = self.fixture.tenant(self.number, 1);
                    results.add(&block_on(tenants::create(
                        sql,
                        &record,
                        &self.entry("tenant.create"),
                    )));
                }
            }
            1..=2 => {
                let (start, last) = (self.session().as_str(), self.session());
                results.add(&block_on(erasure::session_ids(sql, tenant, start, 3)));
                let delete = erasure::delete_sessions(sql, tenant, start, last, now);
                results.add(&block_on(delete));
            }
            3 => results.add(&block_on(erasure::erase_sessionless_rows(
                sql, tenant, 3, 10,
            ))),
            _ => results.add(&block_on(erasure::erase_rows(sql, tenant, 1, 3))),
        }
    }
}
