use clawless_core::ErrorCode;
use clawless_testkit::provider::VirtualTime;
use futures_util::future::join;

use super::busy::RETRY_AFTER_BUSY;
use super::*;

fn time() -> VirtualTime {
    VirtualTime::starting_at(Timestamp::from_millis(1_767_225_600_000))
}

fn reader(tenant: &str, key: &str, kind: ReadKind) -> Reader {
    Reader {
        tenant: tenant.into(),
        key: key.into(),
        kind,
    }
}

fn read(load: &Rc<Load>, time: &VirtualTime, reader: &Reader) -> Result<Permit, ApiError> {
    time.run(load.read(reader, time))
}

#[test]
fn attack_63_reads_are_bounded_per_key_and_per_tenant() {
    for (kind, of_key, of_tenant) in [
        (ReadKind::Page, MAX_KEY_READS, MAX_TENANT_READS),
        (ReadKind::Export, MAX_KEY_EXPORTS, MAX_TENANT_EXPORTS),
    ] {
        let (load, time) = (Rc::<Load>::default(), time());
        let mut permits = Vec::new();
        for key in ["one", "two"] {
            for _ in 0..of_key {
                let permit = read(&load, &time, &reader("a", key, kind));
                permits.push(permit.expect("within the limits of the key"));
            }
            let error = read(&load, &time, &reader("a", key, kind)).expect_err("over the limit");
            assert_eq!(
                (error.status(), error.retry_after),
                (429, Some(RETRY_AFTER_BUSY))
            );
        }
        assert_eq!(permits.len(), of_tenant);
        let error = read(&load, &time, &reader("a", "three", kind)).expect_err("over the limit");
        assert_eq!(error.status(), 429);
        read(&load, &time, &reader("b", "one", kind)).expect("another tenant");
        permits.pop();
        read(&load, &time, &reader("a", "three", kind)).expect("after one has ended");
        permits.clear();
        assert_eq!(load.counts().bytes, 0);
    }
}

#[test]
fn attack_63_visitors_leave_the_reads_of_their_tenant_alone() {
    let (load, time) = (Rc::<Load>::default(), time());
    let visitor = |name| reader("a", name, ReadKind::Visitor);
    let mut permits = Vec::new();
    for name in ["one", "two"] {
        for _ in 0..MAX_VISITOR_READS {
            permits.push(read(&load, &time, &visitor(name)).expect("within the limits"));
        }
        let error = read(&load, &time, &visitor(name)).expect_err("over the visitor's limit");
        assert_eq!(error.status(), 429);
    }
    assert_eq!(permits.len(), MAX_VISITORS_READS);
    let error = read(&load, &time, &visitor("three")).expect_err("over the limit of all");
    assert_eq!(error.status(), 429);
    permits[0].pay(100 << 20, time.now());
    let own = reader("a", "key", ReadKind::Page);
    let began = time.now();
    let own: Vec<_> = (0..MAX_KEY_READS)
        .map(|_| read(&load, &time, &own))
        .collect();
    assert!(own.iter().all(Result::is_ok), "{own:?}");
    assert_eq!(time.now(), began, "no read of the tenant has waited");
    drop((own, permits));
    assert_eq!(load.counts().bytes, 0);
    let error = read(&load, &time, &visitor("three")).expect_err("visitors have read too much");
    assert_eq!(error.status(), 429);
}

#[test]
fn a_part_of_a_permit_counts_until_it_is_dropped() {
    let (load, time) = (Rc::<Load>::default(), time());
    let hold = |bytes| load.hold("a", bytes, time.now(), REQUEST_LEASE);
    let permit = Rc::new(hold(100).expect("room"));
    let part = permit.hold_more(1000, time.now()).expect("room");
    assert_eq!(load.counts().bytes, 1100);
    drop(part);
    assert_eq!(load.counts().bytes, 100);
    permit.replace(60, 500, time.now()).expect("room");
    assert_eq!(load.counts().bytes, 540);
    let error = permit
        .hold_more(MAX_TENANT_BYTES, time.now())
        .expect_err("no room");
    assert_eq!((error.status(), load.counts().bytes), (429, 540));
    let part = permit.hold_more(1000, time.now()).expect("room");
    drop(permit);
    assert_eq!(load.counts().bytes, 1540);
    drop(part);
    assert_eq!(load.counts().bytes, 0);
}

#[test]
fn a_read_waits_for_others_of_its_key_to_end() {
    let (load, time) = (Rc::<Load>::default(), time());
    let reader = reader("a", "one", ReadKind::Page);
    let permits: Vec<_> = (0..MAX_KEY_READS)
        .map(|_| read(&load, &time, &reader).expect("within the limit"))
        .collect();
    let ending = async {
        time.sleep(Millis::from_secs(1)).await;
        drop(permits);
    };
    let (waited, ()) = time.run(join(load.read(&reader, &time), ending));
    assert!(waited.is_ok());
    drop(waited);
    assert_eq!(load.counts().waiting, 0);
}

#[test]
fn attack_63_bytes_are_bounded_per_tenant_and_per_isolate() {
    let (load, now) = (Rc::<Load>::default(), time().now());
    let hold = |tenant| load.hold(tenant, MAX_TENANT_BYTES / 4, now, READ_LEASE);
    let mut permits: Vec<_> = (0..4)
        .map(|_| hold("a").expect("within its share"))
        .collect();
    let error = hold("a").expect_err("beyond its share");
    assert_eq!(
        (error.status(), error.retry_after),
        (429, Some(RETRY_AFTER_BUSY))
    );
    permits.extend((0..4).map(|_| hold("b").expect("within its share")));
    let error = hold("c").expect_err("the isolate is full");
    assert_eq!(
        (error.code, error.retry_after),
        (ErrorCode::Overloaded, Some(RETRY_AFTER_BUSY))
    );
    assert!(permits.iter().all(Permit::is_full));
    permits.truncate(6);
    hold("c").expect("room again");
    drop(permits);
    let Counts { bytes, peak, .. } = load.counts();
    assert_eq!((bytes, peak), (0, MAX_BYTES));
}

#[test]
fn a_permit_counts_what_it_grows_to() {
    let (load, now) = (Rc::<Load>::default(), time().now());
    let permit = load.hold("a", 10, now, READ_LEASE).expect("room");
    permit.add(5);
    permit.subtract(1);
    assert_eq!(load.counts().bytes, 14);
    permit.grow(6, now).expect("room");
    let error = permit.grow(MAX_TENANT_BYTES, now).expect_err("no room");
    assert_eq!((error.status(), load.counts().bytes), (429, 20));
    permit.resize(MAX_BYTES + 1);
    assert_eq!(load.counts().bytes, MAX_BYTES + 1);
    drop(permit);
    assert_eq!(load.counts().bytes, 0);
}

#[test]
fn the_permit_of_a_cancelled_request_ends_with_its_lease() {
    let (load, time) = (Rc::<Load>::default(), time());
    let reader = reader("a", "one", ReadKind::Export);
    let lost: Vec<_> = (0..MAX_KEY_EXPORTS)
        .map(|_| read(&load, &time, &reader).expect("within the limit"))
        .collect();
    time.advance(READ_LEASE);
    read(&load, &time, &reader).expect("the leases have ended");
    drop(lost);
    assert_eq!((load.counts().bytes, load.counts().exports), (0, 0));
}

#[test]
fn attack_63_a_tenant_that_reads_much_is_slowed_down() {
    let (load, time) = (Rc::<Load>::default(), time());
    let page = reader("a", "one", ReadKind::Page);
    let started = time.now();
    for _ in 0..20 {
        let permit = read(&load, &time, &page).expect("a permit");
        permit.pay(1 << 20, time.now());
    }
    let millis = time.now().since(started).get();
    assert!((3_500..5_000).contains(&millis), "20 MiB took {millis} ms");
    let before = time.now();
    read(&load, &time, &reader("b", "one", ReadKind::Page)).expect("another tenant");
    assert_eq!(time.now(), before);
    let permit = read(&load, &time, &page).expect("a permit");
    permit.pay(64 << 20, time.now());
    let error = read(&load, &time, &page).expect_err("far too much");
    assert_eq!(load.counts().waiting, 0);
    let wait = error.retry_after.expect("a wait");
    assert!((12_000..15_500).contains(&wait.get()), "{wait:?}");
    time.advance(wait);
    read(&load, &time, &page).expect("paid off");
}
