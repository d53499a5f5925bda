use clawless_core::time::Timestamp;
use clawless_testkit::provider::VirtualTime;
use futures_util::future::{join, pending};
use futures_util::stream;

use super::super::load::{Load, ReadKind, Reader};
use super::*;

/// A delivery of three pages, and what tests observe of it.
struct Case {
    time: VirtualTime,
    load: Rc<Load>,
    produced: Rc<Cell<usize>>,
}

fn page(number: usize) -> Vec<u8> {
    vec![u8::try_from(number).expect("a small number"); 3 * PIECE_BYTES]
}

impl Case {
    fn new() -> Self {
        Self {
            time: VirtualTime::starting_at(Timestamp::from_millis(1_767_225_600_000)),
            load: Rc::default(),
            produced: Rc::default(),
        }
    }

    fn deliver(
        &self,
        departure: impl Future<Output = ()> + 'static,
    ) -> (Pages, LocalBoxFuture<'static, ()>) {
        let reader = Reader {
            tenant: "a".into(),
            key: "one".into(),
            kind: ReadKind::Export,
        };
        let permit = self.time.run(self.load.read(&reader, &self.time));
        let produced = self.produced.clone();
        let pages = stream::iter(1..=3).map(move |number| {
            produced.set(number);
            Ok(page(number))
        });
        let permit = permit.expect("a permit");
        deliver(pages.boxed_local(), permit, self.time.clone(), departure)
    }
}

#[test]
fn a_slow_reader_gets_every_byte_and_pages_are_produced_as_it_reads() {
    let case = Case::new();
    let (mut body, task) = case.deliver(pending());
    let reading = async {
        let mut received = Vec::new();
        while let Some(piece) = body.next().await {
            received.extend(piece.expect("a piece"));
            let taken = received.len().div_ceil(3 * PIECE_BYTES);
            assert!(case.produced.get() <= taken + 1, "at most one page ahead");
            case.time.sleep(Millis::from_secs(20)).await;
            assert!(case.load.counts().bytes <= PAGE_COPIES * 3 * PIECE_BYTES);
        }
        received
    };
    let (received, ()) = case.time.run(join(reading, task));
    assert_eq!(received, [page(1), page(2), page(3)].concat());
    assert_eq!(case.load.counts().exports, 0);
}

#[test]
fn attack_63_an_unread_answer_holds_one_page_and_ends() {
    let case = Case::new();
    let started = case.time.now();
    let (body, task) = case.deliver(pending());
    case.time.run(task);
    assert_eq!(case.time.now().since(started), READER_TIMEOUT);
    assert_eq!(case.produced.get(), 1);
    assert_eq!(case.load.counts().bytes, 0);
    let received = case.time.run(body.collect::<Vec<_>>());
    assert_eq!(received.last(), Some(&Err(Interrupted)));
}

#[test]
fn attack_63_the_permit_of_a_client_that_left_is_free_at_once() {
    let case = Case::new();
    let time = case.time.clone();
    let departure = async move { time.sleep(Millis::from_secs(1)).await };
    let started = case.time.now();
    let (_body, task) = case.deliver(departure);
    case.time.run(task);
    assert_eq!(case.time.now().since(started), Millis::from_secs(1));
    assert_eq!(case.load.counts().exports, 0);
}

#[test]
fn a_dropped_body_ends_the_delivery() {
    let case = Case::new();
    let (body, task) = case.deliver(pending());
    drop(body);
    case.time.run(task);
    assert_eq!((case.produced.get(), case.load.counts().exports), (1, 0));
}

#[test]
fn a_failed_page_ends_the_answer_with_an_error() {
    let case = Case::new();
    let pages = stream::iter([Ok(page(1)), Err(Interrupted)]).boxed_local();
    let permit = Permit::uncounted();
    let (body, task) = deliver(pages, permit, case.time.clone(), pending());
    let (received, ()) = case.time.run(join(body.collect::<Vec<_>>(), task));
    assert_eq!(received.len(), 4);
    assert_eq!(received.last(), Some(&Err(Interrupted)));
}
