//! Retries, fallback and breakers: faults 1 to 5.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "test code: what is not as expected must stop the test"
)]

mod common;

use std::cell::RefCell;
use std::future::pending;
use std::pin::pin;

use clawless_core::llm::LlmRequest;
use clawless_core::model::Model;
use clawless_core::routing::breaker::Breakers;
use clawless_core::time::{Clock, Timer};
use clawless_core::{Entropy, LlmResponse, Millis};
use clawless_llm::call::DEFAULT_RETRIES;
use clawless_llm::{Answered, CallError, ChainCall, Failed, LlmError, Target, Timeouts};
use clawless_testkit::provider::{Reply, Step};
use common::{Stage, client, request};

/// Always the midpoint: delays are half of their maximum.
struct Middle;

impl Entropy for Middle {
    fn fill(&self, bytes: &mut [u8]) {
        bytes.fill(0x80);
    }
}

fn model(id: &str, context: u64) -> Model {
    let model = serde_json::json!({"id": id, "context": context});
    serde_json::from_value(model).expect("a model")
}

/// A chain of two models at two providers.
struct Chain {
    stage: Stage,
    breakers: RefCell<Breakers>,
}

impl Chain {
    fn new() -> Self {
        Self {
            stage: Stage::new(),
            breakers: RefCell::default(),
        }
    }

    fn call(&self, length: usize) -> Result<Answered<LlmResponse>, Failed> {
        self.call_as("tenant", length)
    }

    fn call_as(&self, tenant: &str, length: usize) -> Result<Answered<LlmResponse>, Failed> {
        match self.call_until(tenant, length, pending()) {
            Ok(answered) => Ok(answered),
            Err(CallError::Failed(failed)) => Err(failed),
            Err(cancelled) => panic!("{cancelled}"),
        }
    }

    /// Calls the chain and cancels the call when `cancel` completes.
    fn call_until(
        &self,
        tenant: &str,
        length: usize,
        cancel: impl Future<Output = ()>,
    ) -> Result<Answered<LlmResponse>, CallError> {
        self.send_until(tenant, length, &request(), cancel)
    }

    fn send_until(
        &self,
        tenant: &str,
        length: usize,
        request: &LlmRequest,
        cancel: impl Future<Output = ()>,
    ) -> Result<Answered<LlmResponse>, CallError> {
        let (io, timeouts) = (self.stage.io(), Timeouts::default());
        let caller = ChainCall {
            io: &io,
            entropy: &Middle,
            breakers: &self.breakers,
            tenant,
            timeouts,
            retries: DEFAULT_RETRIES,
        };
        let (first, second) = (client("first"), client("second"));
        let (small, large) = (model("small", 8), model("large", 16));
        let chain = [
            Target {
                client: &first,
                model: &small,
            },
            Target {
                client: &second,
                model: &large,
            },
        ];
        // The call's own deadline is earlier than the caller's.
        let deadline = self.stage.time.now().plus(Millis::from_secs(6000));
        let chain = &chain[..length];
        self.stage.time.run(async {
            let cancel = pin!(cancel);
            let whole = caller.complete(chain, request, deadline, cancel);
            whole.await
        })
    }

    /// The requests that were sent, as `first:small`.
    fn sent_requests(&self) -> Vec<String> {
        let requests = self.stage.http.requests();
        let lines = requests.iter().map(|request| {
            let body: serde_json::Value = serde_json::from_slice(&request.body).expect("JSON");
            let host = request.url.split(['/', '.']).nth(2).expect("a host");
            format!("{host}:{}", body["model"].as_str().expect("a model"))
        });
        lines.collect()
    }
}

fn good() -> Reply {
    Reply::json(
        200,
        r#"{"choices":[{"message":{"content":"Hello"},"finish_reason":"stop"}]}"#,
    )
}

#[test]
fn a_model_that_recovers_at_the_third_try_responds() {
    let chain = Chain::new();
    chain.stage.http.next(Reply::json(500, "{}"));
    chain.stage.http.next(Reply::unreachable());
    chain.stage.http.next(good());
    let before = chain.stage.time.now();
    let answered = chain.call(2).expect("an answer");
    assert_eq!((answered.target, answered.tries()), (0, 3));
    // Half of 250 ms and half of 500 ms.
    let waited = chain.stage.time.now().since(before);
    assert!((374..=377).contains(&waited.get()), "{waited:?}");
}

#[test]
fn after_two_retries_the_next_model_is_called_and_the_last_error_is_returned() {
    for status in [500, 502, 503, 504] {
        let chain = Chain::new();
        for _ in 0..3 {
            chain.stage.http.next(Reply::json(status, "{}"));
        }
        chain.stage.http.always(Reply::json(404, "{}"));
        let failed = chain.call(2).expect_err("no answer");
        assert_eq!(failed.error, LlmError::Misconfigured { status: 404 });
        assert_eq!(failed.failed.len(), 4);
        assert_eq!(
            chain.sent_requests(),
            ["first:small", "first:small", "first:small", "second:large"]
        );
    }
}

#[test]
fn an_overloaded_provider_is_not_retried_if_another_model_exists() {
    for status in [429, 529] {
        let chain = Chain::new();
        let busy = Reply::json(status, "{}").header("retry-after", "1");
        chain.stage.http.next(busy);
        chain.stage.http.next(good());
        let before = chain.stage.time.now();
        let answered = chain.call(2).expect("an answer");
        assert_eq!((answered.target, answered.tries()), (1, 2));
        assert_eq!(chain.stage.time.now(), before);
    }
}

#[test]
fn the_last_model_is_retried_after_its_retry_delay() {
    let chain = Chain::new();
    let busy = Reply::json(429, "{}").header("retry-after", "2");
    chain.stage.http.next(busy);
    chain.stage.http.next(good());
    let before = chain.stage.time.now();
    assert!(chain.call(1).is_ok());
    let waited = chain.stage.time.now().since(before);
    assert_eq!(waited, Millis::from_secs(2));
}

#[test]
fn long_retry_delays_are_not_awaited() {
    let chain = Chain::new();
    let busy = Reply::json(429, "{}").header("retry-after", "7");
    chain.stage.http.always(busy);
    let before = chain.stage.time.now();
    let failed = chain.call(1).expect_err("no answer");
    let retry_after = Some(Millis::from_secs(7));
    assert_eq!(failed.error, LlmError::RateLimited { retry_after });
    assert_eq!(failed.failed.len(), 1);
    assert_eq!(chain.stage.time.now(), before);
}

#[test]
fn silence_goes_to_the_next_model_without_a_retry() {
    let chain = Chain::new();
    chain.stage.http.next(good().after(Step::Hang));
    chain.stage.http.next(good());
    let answered = chain.call(2).expect("an answer");
    assert_eq!((answered.target, answered.tries()), (1, 2));
    assert_eq!(chain.stage.http.aborted(), 1);
}

#[test]
fn a_cancelled_call_aborts_the_request_in_flight() {
    let chain = Chain::new();
    chain.stage.http.always(good().after(Step::Hang));
    let cancel = chain.stage.time.sleep(Millis::from_secs(1));
    let cancelled = chain.call_until("tenant", 2, cancel);
    assert_eq!(cancelled, Err(CallError::Cancelled { in_flight: true }));
    assert_eq!(chain.stage.http.aborted(), 1);
}

#[test]
fn a_call_cancelled_between_two_tries_has_nothing_in_flight() {
    let chain = Chain::new();
    let busy = Reply::json(429, "{}").header("retry-after", "2");
    chain.stage.http.always(busy);
    let cancel = chain.stage.time.sleep(Millis::from_secs(1));
    let cancelled = chain.call_until("tenant", 1, cancel);
    assert_eq!(cancelled, Err(CallError::Cancelled { in_flight: false }));
    assert_eq!(chain.stage.http.aborted(), 0);
}

#[test]
fn client_errors_end_the_call() {
    let chain = Chain::new();
    chain
        .stage
        .http
        .always(Reply::json(400, r#"{"error":{"message":"bad stop"}}"#));
    let failed = chain.call(2).expect_err("no answer");
    assert!(matches!(failed.error, LlmError::InvalidRequest { .. }));
    assert_eq!(chain.sent_requests().len(), 1);
}

#[test]
fn context_window_errors_fall_back_to_a_larger_window() {
    let chain = Chain::new();
    let too_long = r#"{"error":{"code":"context_length_exceeded"}}"#;
    chain.stage.http.next(Reply::json(400, too_long));
    chain.stage.http.next(good());
    assert_eq!(chain.call(2).expect("an answer").target, 1);
}

#[test]
fn the_breaker_skips_a_failing_provider() {
    let chain = Chain::new();
    for _ in 0..2 {
        for _ in 0..3 {
            chain.stage.http.next(Reply::unreachable());
        }
        chain.stage.http.next(good());
    }
    chain.stage.http.always(good());
    for _ in 0..20 {
        assert_eq!(chain.call(2).expect("an answer").target, 1);
    }
    let first = chain
        .sent_requests()
        .iter()
        .filter(|it| *it == "first:small")
        .count();
    assert!(first <= 6, "{first}");
    // After the cool-down one successful probe closes the breaker.
    chain.stage.time.advance(Millis::from_secs(6));
    assert_eq!(chain.call(2).expect("an answer").target, 0);
    assert_eq!(chain.call(2).expect("an answer").target, 0);
}

#[test]
fn a_rejected_probe_closes_the_breaker() {
    let chain = Chain::new();
    for _ in 0..2 {
        for _ in 0..3 {
            chain.stage.http.next(Reply::unreachable());
        }
        chain.stage.http.next(good());
        assert_eq!(chain.call(2).expect("an answer").target, 1);
    }
    chain.stage.time.advance(Millis::from_secs(6));
    chain.stage.http.next(Reply::json(400, "{}"));
    assert!(chain.call(2).is_err());
    chain.stage.http.always(good());
    assert_eq!(chain.call(2).expect("an answer").target, 0);
}

/// A request that no provider of the wire takes.
fn unsupported() -> LlmRequest {
    let mut request = request();
    request.options.modalities = Some(vec!["audio".to_owned()]);
    request
}

#[test]
fn requests_that_are_not_sent_neither_open_nor_close_the_breaker() {
    let chain = Chain::new();
    for _ in 0..20 {
        let refused = chain.send_until("tenant", 2, &unsupported(), pending());
        assert!(matches!(refused, Err(CallError::Failed(_))));
    }
    assert!(chain.sent_requests().is_empty());
    for _ in 0..2 {
        for _ in 0..3 {
            chain.stage.http.next(Reply::unreachable());
        }
        chain.stage.http.next(good());
        assert_eq!(chain.call(2).expect("an answer").target, 1);
    }
    chain.stage.time.advance(Millis::from_secs(6));
    // It is no probe: the next call is the one, and fails.
    assert!(
        chain
            .send_until("tenant", 2, &unsupported(), pending())
            .is_err()
    );
    for _ in 0..3 {
        chain.stage.http.next(Reply::unreachable());
    }
    chain.stage.http.always(good());
    for _ in 0..3 {
        assert_eq!(chain.call(2).expect("an answer").target, 1);
    }
    chain.stage.time.advance(Millis::from_secs(11));
    assert_eq!(chain.call(2).expect("an answer").target, 0);
}

#[test]
fn a_failing_provider_is_still_called_without_alternative() {
    let chain = Chain::new();
    for _ in 0..6 {
        assert!(chain.call(1).is_err());
    }
    chain.stage.http.always(good());
    assert!(chain.call(1).is_ok());
}

#[test]
fn the_total_timeout_bounds_the_whole_chain() {
    let chain = Chain::new();
    chain.stage.http.always(good().after(Step::Hang));
    let before = chain.stage.time.now();
    let failed = chain.call(2).expect_err("no answer");
    assert!(matches!(
        failed.error,
        LlmError::FirstByteTimeout | LlmError::DeadlineExceeded
    ));
    let spent = chain.stage.time.now().since(before);
    assert!(spent <= Timeouts::default().total, "{spent:?}");
}

#[test]
fn rejected_requests_do_not_open_the_breaker() {
    for status in [400, 402, 403, 404, 409, 413, 422, 429] {
        let chain = Chain::new();
        chain.stage.http.always(Reply::json(status, "{}"));
        for _ in 0..10 {
            assert!(chain.call(2).is_err());
        }
        chain.stage.http.always(good());
        assert_eq!(chain.call(2).expect("an answer").target, 0, "{status}");
    }
}

#[test]
fn failures_of_one_tenant_do_not_open_the_breaker_for_another() {
    let chain = Chain::new();
    chain.stage.http.always(Reply::json(500, "{}"));
    for _ in 0..3 {
        assert!(chain.call_as("attacker", 2).is_err());
    }
    let first = chain.sent_requests();
    let first = first.iter().filter(|it| *it == "first:small").count();
    assert_eq!(first, 6, "the third call skips the first model");
    chain.stage.http.always(good());
    assert_eq!(chain.call_as("other", 2).expect("an answer").target, 0);
}

#[test]
fn failures_of_several_tenants_open_the_breaker_for_all() {
    let chain = Chain::new();
    chain.stage.http.always(Reply::json(500, "{}"));
    for tenant in ["a", "b"] {
        assert!(chain.call_as(tenant, 1).is_err());
    }
    chain.stage.http.always(good());
    assert_eq!(chain.call_as("c", 2).expect("an answer").target, 1);
}
