//! Calls of the widget: settings, logos and visitors.

use clawless_core::Millis;
use clawless_core::keys::KeyDigest;
use clawless_core::widget::{Logo, LogoFormat, WidgetSettings};
use clawless_store::widget_sessions::{self, NewVisitor};
use clawless_store::{api_keys, widgets};
use clawless_testkit::block_on;

use super::Caller;
use crate::fixture::Digest;

impl Caller<'_> {
    pub(super) fn widgets(&self, results: &mut Digest) {
        let (sql, tenant, now) = (&self.fixture.database, self.id, self.random.now);
        let id = self.random.choose(&self.fixture.pools.keys);
        let session = self.session();
        match self.random.below(6) {
            0 => {
                results.add(&block_on(widgets::find(sql, tenant, id)));
                let logos = "/widget/logos/".to_owned();
                results.add(&block_on(widgets::find_public(sql, tenant, id, logos)));
            }
            1 => results.add(&block_on(widget_sessions::find(sql, tenant, session, now))),
            2 => {
                let visitor = NewVisitor {
                    session,
                    key: id,
                    hash: KeyDigest::from_secret(self.mark()),
                    user: Some(&self.mark()),
                    now,
                    expires_at: now.plus(Millis::from_secs(600)),
                };
                results.add(&block_on(widget_sessions::insert(sql, tenant, &visitor)));
            }
            3 => {
                let until = now.plus(Millis::from_secs(1200));
                let extend = widget_sessions::extend(sql, tenant, session, until);
                results.add(&block_on(extend));
            }
            choice => {
                let found = block_on(api_keys::find(sql, tenant, id)).expect("succeeds");
                let Some(key) = found.map(|stored| stored.key) else {
                    return;
                };
                let audit_entry = self.entry("widget");
                let changed = if choice == 4 {
                    let settings = WidgetSettings {
                        title: Some(self.mark()),
                        ..WidgetSettings::default()
                    };
                    let put =
                        widgets::put_settings(sql, tenant, &key, &settings, now, &audit_entry);
                    block_on(put)
                } else {
                    let logo = Logo {
                        format: LogoFormat::Png,
                        bytes: self.mark().into_bytes(),
                    };
                    let logo = self.random.coin().then(|| (&logo, logo.digest()));
                    block_on(widgets::put_logo(
                        sql,
                        tenant,
                        &key,
                        logo,
                        now,
                        &audit_entry,
                    ))
                };
                results.add(&changed);
            }
        }
    }
}
