//! Widgets and their visitors: a change moves the version of the key, a rotation keeps the widget, and a
//! deleted session has no visitor.

use clawless_core::keys::{KeyDigest, KeyText};
use clawless_core::widget::{
    Logo, LogoFormat, SignatureAlgorithm, UserTokenSettings, WidgetSettings,
};
use clawless_core::{ApiKey, Clock, KeyId, KeyKind, Millis, SessionId};
use clawless_store::widget_sessions::{self, NewVisitor, StoredVisitor};
use clawless_store::widgets::{self, Widget};
use clawless_store::{api_keys, sessions};
use clawless_testkit::block_on;

use crate::fixture::{Fixture, session_id};
use crate::key_changes::entry;

fn titled(title: &str) -> WidgetSettings {
    WidgetSettings {
        title: Some(title.to_owned()),
        ..WidgetSettings::default()
    }
}

fn put(fixture: &Fixture, key: &ApiKey, settings: &WidgetSettings) -> bool {
    let (sql, tenant, now) = (&fixture.database, &fixture.ours, fixture.now());
    let audit_entry = entry(fixture, "widget.update", key.id.as_str());
    let put = widgets::put_settings(sql, tenant, key, settings, now, &audit_entry);
    block_on(put).expect("succeeds")
}

fn put_logo(fixture: &Fixture, key: &ApiKey, logo: Option<&Logo>) -> bool {
    let (sql, tenant, now) = (&fixture.database, &fixture.ours, fixture.now());
    let audit_entry = entry(fixture, "widget.logo", key.id.as_str());
    let logo = logo.map(|logo| (logo, logo.digest()));
    let put = widgets::put_logo(sql, tenant, key, logo, now, &audit_entry);
    block_on(put).expect("succeeds")
}

fn widget(fixture: &Fixture, key: &ApiKey) -> Widget {
    block_on(widgets::find(&fixture.database, &fixture.ours, &key.id)).expect("succeeds")
}

/// The key as it is stored now.
fn current(fixture: &Fixture, key: &ApiKey) -> ApiKey {
    let found = api_keys::find(&fixture.database, &fixture.ours, &key.id);
    block_on(found).expect("succeeds").expect("found").key
}

fn logo() -> Logo {
    Logo {
        format: LogoFormat::Png,
        bytes: b"\x89PNG".to_vec(),
    }
}

#[test]
fn a_change_moves_the_version_of_the_key_and_a_late_one_is_refused() {
    let fixture = Fixture::new();
    let (key, _) = fixture.key(&fixture.ours);
    assert_eq!(widget(&fixture, &key), Widget::default());
    assert!(put(&fixture, &key, &titled("one")));
    assert_eq!(current(&fixture, &key).version, key.version + 1);
    assert!(!put(&fixture, &key, &titled("late")), "the key has changed");
    assert!(!put_logo(&fixture, &key, Some(&logo())));
    let key = current(&fixture, &key);
    assert!(put_logo(&fixture, &key, Some(&logo())));
    let stored = widget(&fixture, &key);
    assert_eq!(stored.settings, titled("one"));
    assert_eq!(stored.logo, Some((logo().digest(), LogoFormat::Png)));
    let found = |digest| {
        let find = widgets::find_logo_across_tenants(&fixture.database, digest);
        block_on(find).expect("succeeds")
    };
    assert_eq!(found(logo().digest()), Some(logo()));
    assert!(put_logo(&fixture, &current(&fixture, &key), None));
    assert_eq!(found(logo().digest()), None);
    assert_eq!(widget(&fixture, &key).settings, titled("one"));
}

#[test]
fn a_browser_gets_texts_and_no_keys() {
    let fixture = Fixture::new();
    let (key, _) = fixture.key(&fixture.ours);
    let public = || {
        let logos = "https://chat.example/widget/logos/".to_owned();
        let find = widgets::find_public(&fixture.database, &fixture.ours, &key.id, logos);
        let found = block_on(find).expect("succeeds");
        (found.settings.as_str().to_owned(), found.users)
    };
    assert_eq!(public(), ("{}".to_owned(), None));
    let users = |required| UserTokenSettings {
        algorithm: SignatureAlgorithm::EdDsa,
        public_key: "PEM".to_owned(),
        required,
    };
    let settings = |users| WidgetSettings {
        user_tokens: users,
        ..titled("“one”\n")
    };
    let texts = r#"{"title":"“one”\n"}"#.to_owned();
    for users in [None, Some(users(false)), Some(users(true))] {
        assert!(put(
            &fixture,
            &current(&fixture, &key),
            &settings(users.clone())
        ));
        assert_eq!(public(), (texts.clone(), users));
    }
    assert!(put_logo(&fixture, &current(&fixture, &key), Some(&logo())));
    let url = format!(
        "data:{};base64,{}",
        logo().format.content_type(),
        logo().to_base64()
    );
    let texts = format!(r#"{{"title":"“one”\n","logo_url":"{url}"}}"#);
    assert_eq!(public(), (texts, Some(users(true))));
}

#[test]
fn a_rotated_key_passes_its_widget_on() {
    let fixture = Fixture::new();
    let (old, _) = fixture.key(&fixture.ours);
    assert!(put(&fixture, &old, &titled("kept")));
    let old = current(&fixture, &old);
    let new = ApiKey {
        id: KeyId::generate(fixture.clock.now(), &fixture.entropy),
        version: 1,
        ..old.clone()
    };
    let digest = KeyText::generate(KeyKind::Public, &fixture.entropy).digest();
    let (audit_entry, now) = (entry(&fixture, "key.rotate", "key"), fixture.now());
    let rotate = api_keys::rotate(
        &fixture.database,
        &fixture.ours,
        &old,
        now,
        (&new, digest),
        &audit_entry,
    );
    assert_eq!(block_on(rotate), Ok(true));
    assert_eq!(widget(&fixture, &new).settings, titled("kept"));
    assert_eq!(widget(&fixture, &old).settings, titled("kept"));
}

fn visit(fixture: &Fixture, session: &SessionId, lifetime: Millis) {
    let now = fixture.now();
    let visitor = NewVisitor {
        session,
        key: &"key_01ARZ3NDEKTSV4RRFFQ69G5FAV".parse().expect("an id"),
        hash: KeyDigest::from_secret("secret"),
        user: Some("user-1"),
        now,
        expires_at: now.plus(lifetime),
    };
    block_on(widget_sessions::insert(
        &fixture.database,
        &fixture.ours,
        &visitor,
    ))
    .expect("a new visitor");
}

fn visitor(fixture: &Fixture, session: &SessionId) -> Option<StoredVisitor> {
    let (sql, now) = (&fixture.database, fixture.now());
    let find = |tenant| block_on(widget_sessions::find(sql, tenant, session, now));
    assert_eq!(find(&fixture.theirs), Ok(None), "another tenant's visitor");
    find(&fixture.ours).expect("succeeds")
}

#[test]
fn a_visitor_is_found_until_its_time_is_over_or_its_session_is_deleted() {
    let fixture = Fixture::new();
    let (sql, ours) = (&fixture.database, &fixture.ours);
    let [silent, deleted, expired] = ["silent", "deleted", "expired"].map(session_id);
    for session in [&silent, &deleted] {
        visit(&fixture, session, Millis::from_secs(60));
    }
    visit(&fixture, &expired, Millis::new(0));
    let found = visitor(&fixture, &silent).expect("found");
    assert!(found.hash.matches(&KeyDigest::from_secret("secret")));
    assert_eq!(found.user.as_deref(), Some("user-1"));
    assert_eq!(visitor(&fixture, &expired), None);

    let later = fixture.now().plus(Millis::from_secs(120));
    block_on(widget_sessions::extend(sql, ours, &silent, later)).expect("succeeds");
    let found = visitor(&fixture, &silent).expect("found");
    assert_eq!(found.expires_at, later);

    fixture.add_turns(ours, "deleted", &["hello"]);
    assert!(visitor(&fixture, &deleted).is_some());
    let delete = sessions::delete(sql, ours, &deleted, fixture.now());
    assert!(block_on(delete).expect("succeeds").is_some());
    assert_eq!(visitor(&fixture, &deleted), None);
    let count = |of: &str| {
        sql.count(&format!(
            "SELECT count(*) FROM widget_sessions WHERE session_id = '{of}'"
        ))
    };
    assert_eq!((count("deleted"), count("expired")), (0, 1));
    // A session that was deleted by its expiry keeps its visitor until the next cleanup.
    visit(&fixture, &deleted, Millis::from_secs(60));
    assert_eq!(visitor(&fixture, &deleted), None);
    block_on(widget_sessions::purge_across_tenants(sql, fixture.now())).expect("succeeds");
    assert_eq!(
        (count("silent"), count("deleted"), count("expired")),
        (1, 0, 0)
    );
    // The session that never had a turn.
    let delete = sessions::delete(sql, ours, &silent, fixture.now());
    assert_eq!(block_on(delete), Ok(None));
    assert_eq!(count("silent"), 0);
}
