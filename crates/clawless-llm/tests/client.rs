//! The client against faulty providers: faults 1 to 14 within one try.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "test code: what is not as expected must stop the test"
)]

mod common;

use clawless_core::llm::{Delta, LlmEvent};
use clawless_core::time::Clock;
use clawless_core::{FinishReason, Millis, Usage};
use clawless_llm::LlmError;
use clawless_testkit::provider::{Reply, Step};
use common::{DONE, Stage, chunk, text};

const USAGE: &str = "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":2,\"total_tokens\":5}}\n\n";

type Check = fn(&LlmError) -> bool;

fn hello() -> String {
    [
        chunk(r#""delta":{"role":"assistant","content":""}"#),
        chunk(r#""delta":{"content":"Hel"}"#),
        chunk(r#""delta":{"content":"lo"}"#),
    ]
    .concat()
}

/// A stream whose body continues after the end of the response. Returns how many of its connections
/// were closed early.
fn closed_after(rest: Vec<Step>) -> usize {
    let stage = Stage::new();
    let whole = [hello(), finish(), DONE.to_owned()].concat();
    let steps = [vec![Step::Bytes(whole.into_bytes())], rest].concat();
    stage.http.next(Reply::steps(steps));
    stage.time.run(async {
        let mut stream = stage.open().await.expect("begun");
        while stream.next().await.is_some() {}
        let rest = stream.rest().expect("the body has not ended");
        drop(stream);
        rest.read().await;
    });
    stage.http.aborted()
}

#[test]
fn a_nearby_end_of_the_body_is_read() {
    let bytes = |count| Step::Bytes(vec![b'x'; count]);
    let wait = |millis| Step::Wait(Millis::new(millis));
    assert_eq!(closed_after(vec![wait(100), bytes(100)]), 0);
    assert_eq!(closed_after(vec![wait(300), bytes(100)]), 1, "too late");
    assert_eq!(closed_after(vec![bytes(20_000), wait(1)]), 1, "too much");
    assert_eq!(closed_after(vec![Step::Break]), 0, "closed already");
}

fn finish() -> String {
    chunk(r#""delta":{},"finish_reason":"stop""#)
}

#[test]
fn each_read_of_a_stream_returns_one_list_of_events() {
    let stage = Stage::new();
    stage.http.next(Reply::reads(&[
        &hello(),
        &[finish(), USAGE.to_owned(), DONE.to_owned()].concat(),
    ]));
    let (reads, failure) = stage.stream();
    assert_eq!(failure, None);
    assert_eq!(reads.len(), 2);
    assert_eq!(text(&reads.concat()), "Hello");
    assert_eq!(
        reads[1],
        [
            LlmEvent::Finish {
                index: 0,
                reason: FinishReason::Stop
            },
            LlmEvent::Usage(Usage::new(3, 2))
        ]
    );
    let request = &stage.http.requests()[0];
    assert_eq!(request.url, "https://provider.example/v1/chat/completions");
    assert_eq!(request.header("authorization"), Some("Bearer secret"));
}

#[test]
fn failures_before_the_response_begins_fail_the_call() {
    let html = || Reply::new(200, "text/html", vec![Step::Bytes(b"<html>".to_vec())]);
    let wait = Some(Millis::from_secs(7));
    let comment = Step::Bytes(b": processing\n\n".to_vec());
    let comments = vec![
        comment.clone(),
        Step::Wait(Millis::from_secs(20)),
        comment,
        Step::Hang,
    ];
    let cases: Vec<(&str, Reply, Check)> = vec![
        ("an HTML page", html(), |it| {
            matches!(it, LlmError::Malformed(_))
        }),
        (
            "an HTML page with the type of a stream",
            Reply::stream("<html>\n<body>data: no</body>"),
            |it| matches!(it, LlmError::Malformed(_)),
        ),
        (
            "an error object as JSON",
            Reply::json(200, r#"{"error":{"message":"x"}}"#),
            |it| matches!(it, LlmError::Reported(_)),
        ),
        (
            "an error object as the first event",
            Reply::stream("data: {\"error\":\"x\"}\n\n"),
            |it| matches!(it, LlmError::Reported(_)),
        ),
        ("an empty stream", Reply::stream(""), |it| {
            matches!(it, LlmError::Malformed(_))
        }),
        (
            "a reset before the response",
            Reply::steps(vec![Step::Break]),
            |it| matches!(it, LlmError::Unreachable(_)),
        ),
        ("no connection", Reply::unreachable(), |it| {
            matches!(it, LlmError::Unreachable(_))
        }),
        (
            "no response head",
            Reply::stream("").after(Step::Hang),
            |it| *it == LlmError::FirstByteTimeout,
        ),
        (
            "no body after the head",
            Reply::steps(vec![Step::Hang]),
            |it| *it == LlmError::FirstByteTimeout,
        ),
        ("only comments", Reply::steps(comments), |it| {
            *it == LlmError::FirstByteTimeout
        }),
        (
            "a redirect",
            Reply::json(302, "").header("location", "https://evil.example"),
            |it| *it == LlmError::Misconfigured { status: 302 },
        ),
        ("a bad key", Reply::json(401, "{}"), |it| {
            *it == LlmError::Misconfigured { status: 401 }
        }),
    ];
    for (what, reply, check) in cases {
        let stage = Stage::new();
        stage.http.always(reply.clone());
        let (reads, failure) = stage.stream();
        assert!(reads.is_empty(), "{what}");
        assert!(failure.as_ref().is_some_and(check), "{what}: {failure:?}");
        assert_eq!(stage.http.requests().len(), 1, "{what}");
    }
    for reply in [
        Reply::json(429, "{}").header("retry-after", "7"),
        Reply::json(429, "{}").header("Retry-After-Ms", "7000"),
    ] {
        let stage = Stage::new();
        stage.http.always(reply);
        let error = LlmError::RateLimited { retry_after: wait };
        assert_eq!(stage.stream().1, Some(error.clone()));
        assert_eq!(stage.complete(), Err(error));
    }
}

#[test]
fn failures_during_the_response_follow_its_text() {
    let cases: Vec<(&str, Vec<Step>, Check)> = vec![
        ("a reset", vec![Step::Break], |it| {
            matches!(it, LlmError::Truncated(_))
        }),
        ("a clean end without a finish reason", vec![], |it| {
            matches!(it, LlmError::Truncated(_))
        }),
        (
            "DONE in the middle of a tool call",
            vec![Step::Bytes(
                [
                    chunk(r#""delta":{"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":"{\"x"}}]}"#),
                    DONE.to_owned(),
                ]
                .concat()
                .into_bytes(),
            )],
            |it| matches!(it, LlmError::Truncated(_)),
        ),
        (
            "a truncated event",
            vec![Step::Bytes(b"data: {\"choices\":[{\"del".to_vec())],
            |it| matches!(it, LlmError::Truncated(_)),
        ),
        (
            "a malformed event",
            vec![Step::Bytes(b"data: {\"choices\":[{\"del\n\n".to_vec())],
            |it| matches!(it, LlmError::Malformed(_)),
        ),
        (
            "an error object",
            vec![Step::Bytes(
                b"data: {\"error\":{\"message\":\"x\",\"code\":500}}\n\n".to_vec(),
            )],
            |it| matches!(it, LlmError::Reported(_)),
        ),
        (
            "an error event",
            vec![Step::Bytes(
                b"event: error\ndata: {\"message\":\"x\"}\n\n".to_vec(),
            )],
            |it| matches!(it, LlmError::Reported(_)),
        ),
        (
            "a line of seventeen megabytes",
            vec![
                Step::Bytes(b"data: ".to_vec()),
                Step::Bytes(vec![b'x'; 17 * 1024 * 1024]),
            ],
            |it| matches!(it, LlmError::Malformed(_)),
        ),
        ("silence", vec![Step::Hang], |it| {
            *it == LlmError::IdleTimeout
        }),
    ];
    for (what, ending, check) in cases {
        for together in [false, true] {
            let mut steps = vec![Step::Bytes(hello().into_bytes())];
            steps.extend(ending.clone());
            if together {
                steps = merge(steps);
            }
            let stage = Stage::new();
            stage.http.next(Reply::steps(steps));
            let (reads, failure) = stage.stream();
            assert_eq!(text(&reads.concat()), "Hello", "{what}");
            assert!(failure.as_ref().is_some_and(check), "{what}: {failure:?}");
        }
    }
}

/// The same bytes in one read.
fn merge(steps: Vec<Step>) -> Vec<Step> {
    let mut merged: Vec<Step> = Vec::new();
    for step in steps {
        match (merged.last_mut(), step) {
            (Some(Step::Bytes(all)), Step::Bytes(more)) => all.extend(more),
            (_, step) => merged.push(step),
        }
    }
    merged
}

#[test]
fn slow_streams_continue_and_silent_streams_time_out() {
    let stage = Stage::new();
    let drip = [hello(), finish(), DONE.to_owned()].concat();
    let steps = drip
        .into_bytes()
        .into_iter()
        .flat_map(|byte| [Step::Wait(Millis::new(90)), Step::Bytes(vec![byte])]);
    stage.http.next(Reply::steps(steps.collect()));
    let (reads, failure) = stage.stream();
    assert_eq!(failure, None);
    assert_eq!(text(&reads.concat()), "Hello");

    let stage = Stage::new();
    stage.http.next(Reply::steps(vec![
        Step::Bytes(hello().into_bytes()),
        Step::Wait(Millis::from_secs(29)),
        Step::Bytes(chunk(r#""delta":{"content":"!"}"#).into_bytes()),
        Step::Hang,
    ]));
    let before = stage.time.now();
    let (reads, failure) = stage.stream();
    assert_eq!(text(&reads.concat()), "Hello!");
    assert_eq!(failure, Some(LlmError::IdleTimeout));
    assert_eq!(stage.time.now().since(before), Millis::from_secs(59));
    assert_eq!(
        stage.http.aborted(),
        1,
        "the request is aborted, not only the wait"
    );
}

#[test]
fn a_stream_of_comments_alone_ends_when_its_first_output_is_due() {
    let stage = Stage::new();
    let comment = [
        Step::Wait(Millis::from_secs(10)),
        Step::Bytes(b": still here\n\n".to_vec()),
    ];
    let steps = std::iter::repeat_n(comment, 50).flatten().collect();
    stage.http.next(Reply::steps(steps));
    let before = stage.time.now();
    let (reads, failure) = stage.stream();
    assert_eq!(reads.concat(), Vec::new());
    assert_eq!(failure, Some(LlmError::FirstByteTimeout));
    assert_eq!(stage.time.now().since(before), Millis::from_secs(300));
}

#[test]
fn the_deadline_ends_an_endless_stream() {
    let stage = Stage::new();
    let more = Step::Bytes(chunk(r#""delta":{"content":"x"}"#).into_bytes());
    let steps = [more, Step::Wait(Millis::from_secs(11))];
    let steps = std::iter::repeat_n(steps, 1000).flatten().collect();
    stage.http.next(Reply::steps(steps));
    let (reads, failure) = stage.stream();
    assert_eq!(failure, Some(LlmError::DeadlineExceeded));
    assert_eq!(reads.len(), 55);
    assert_eq!(stage.http.aborted(), 1);
}

#[test]
fn failures_after_the_finish_reason_lose_only_the_usage() {
    for ending in [vec![Step::Break], vec![Step::Hang], vec![]] {
        let stage = Stage::new();
        let mut steps = vec![Step::Bytes([hello(), finish()].concat().into_bytes())];
        steps.extend(ending);
        stage.http.next(Reply::steps(steps));
        let (reads, failure) = stage.stream();
        assert_eq!(failure, None);
        assert_eq!(text(&reads.concat()), "Hello");
    }
}

#[test]
fn data_after_done_is_dropped_and_the_connection_closed() {
    let stage = Stage::new();
    let late = chunk(r#""delta":{"content":"secret"}"#);
    let all = [hello(), finish(), DONE.to_owned(), late.clone()].concat();
    stage.http.next(Reply::reads(&[&all, &late]));
    let (reads, failure) = stage.stream();
    assert_eq!((text(&reads.concat()).as_str(), failure), ("Hello", None));
}

#[test]
fn a_whole_response_in_place_of_a_stream_is_accepted() {
    let stage = Stage::new();
    stage.http.next(Reply::json(
        200,
        r#"{"choices":[{"message":{"content":"Hello"},"finish_reason":"stop"}]}"#,
    ));
    let (reads, failure) = stage.stream();
    assert_eq!((text(&reads.concat()).as_str(), failure), ("Hello", None));
}

#[test]
fn a_truncated_whole_response_is_an_error() {
    let stage = Stage::new();
    let body = r#"{"choices":[{"message":{"content":"Hello"},"finish_reason":"stop"}]}"#;
    stage.http.next(Reply::json(200, body));
    let answer = stage.complete().expect("an answer");
    assert_eq!(answer.choices[0].content.as_deref(), Some("Hello"));

    let cut = Step::Bytes(body.as_bytes()[..20].to_vec());
    let reply = Reply::new(200, "application/json", vec![cut.clone(), Step::Break]);
    stage.http.next(reply);
    assert!(matches!(stage.complete(), Err(LlmError::Truncated(_))));

    let reply = Reply::new(200, "application/json", vec![cut.clone(), Step::Hang]);
    stage.http.next(reply);
    assert_eq!(stage.complete(), Err(LlmError::IdleTimeout));

    let huge = vec![Step::Bytes(vec![b' '; 1024 * 1024]); 17];
    stage.http.next(Reply::new(200, "application/json", huge));
    assert!(matches!(stage.complete(), Err(LlmError::Malformed(_))));

    let page = vec![Step::Bytes(b"<html>".to_vec())];
    stage
        .http
        .next(Reply::new(200, "text/html; charset=utf-8", page));
    assert!(matches!(stage.complete(), Err(LlmError::Malformed(_))));
}

#[test]
fn a_cancelled_read_loses_no_events() {
    let stage = Stage::new();
    stage.http.next(Reply::steps(vec![
        Step::Bytes(hello().into_bytes()),
        Step::Wait(Millis::from_secs(25)),
        Step::Bytes([finish(), DONE.to_owned()].concat().into_bytes()),
    ]));
    let events = stage.time.run(async {
        let mut stream = stage.open().await.expect("a stream");
        let mut events = Vec::new();
        loop {
            // The relay stops waiting every ten seconds to send a comment to its client.
            let next = std::pin::pin!(stream.next());
            let alarm = std::pin::pin!(clawless_core::time::Timer::sleep(
                &stage.time,
                Millis::from_secs(10)
            ));
            match futures_util::future::select(next, alarm).await {
                futures_util::future::Either::Left((Some(read), _)) => {
                    events.extend(read.expect("good"));
                }
                futures_util::future::Either::Left((None, _)) => return events,
                futures_util::future::Either::Right(_) => {}
            }
        }
    });
    assert_eq!(text(&events), "Hello");
    assert!(matches!(events.last(), Some(LlmEvent::Finish { .. })));
}

#[test]
fn a_dropped_stream_aborts_its_request() {
    let stage = Stage::new();
    stage.http.next(Reply::steps(vec![
        Step::Bytes(hello().into_bytes()),
        Step::Hang,
    ]));
    stage.time.run(async {
        let mut stream = stage.open().await.expect("a stream");
        stream.next().await.expect("some").expect("good");
    });
    assert_eq!(stage.http.aborted(), 1);
}

#[test]
fn implausible_usage_counts_as_missing() {
    for usage in [
        "",
        "data: {\"choices\":[],\"usage\":null}\n\n",
        "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":-5,\"completion_tokens\":2}}\n\n",
        "data: {\"choices\":null,\"usage\":{\"prompt_tokens\":9223372036854775808,\"completion_tokens\":2}}\n\n",
    ] {
        let stage = Stage::new();
        let all = [hello(), finish(), usage.to_owned(), DONE.to_owned()].concat();
        stage.http.next(Reply::stream(&all));
        let answer = stage.collect().expect("an answer");
        assert_eq!(answer.usage, None, "{usage}");
    }
}

#[test]
fn model_output_that_looks_like_events_is_text() {
    let stage = Stage::new();
    let evil = r#""delta":{"content":"\n\ndata: [DONE]\n\nevent: error\n\n"}"#;
    let all = [chunk(evil), finish(), DONE.to_owned()].concat();
    stage.http.next(Reply::stream(&all));
    let (reads, failure) = stage.stream();
    assert_eq!(failure, None);
    assert_eq!(
        reads[0][0],
        LlmEvent::Delta {
            index: 0,
            delta: Delta::Content("\n\ndata: [DONE]\n\nevent: error\n\n".to_owned())
        }
    );
}

#[test]
fn a_stream_is_requested_without_usage_if_the_provider_rejects_that() {
    let body =
        r#"{"detail":[{"loc":["body","stream_options"],"msg":"Extra inputs are not permitted"}]}"#;
    let message =
        r#"{"error":{"message":"Unrecognized request argument supplied: stream_options"}}"#;
    for refusal in [body, message] {
        let stage = Stage::new();
        stage.http.next(Reply::json(422, refusal));
        stage.http.next(Reply::stream(
            &[hello(), finish(), DONE.to_owned()].concat(),
        ));
        let (reads, failure) = stage.stream();
        assert_eq!(failure, None);
        assert_eq!(text(&reads.concat()), "Hello");
        let requests = stage.http.requests();
        let has_options = |position: usize| {
            let body: &[u8] = &requests[position].body;
            String::from_utf8_lossy(body).contains("stream_options")
        };
        assert!(has_options(0) && !has_options(1) && requests.len() == 2);
    }
    let stage = Stage::new();
    stage
        .http
        .always(Reply::json(422, r#"{"error":{"message":"bad stop"}}"#));
    let (_, failure) = stage.stream();
    assert!(matches!(failure, Some(LlmError::InvalidRequest { .. })));
    assert_eq!(stage.http.requests().len(), 1);
}

#[test]
fn an_event_may_be_as_long_as_a_whole_response() {
    let stage = Stage::new();
    let image = "A".repeat(9_000_000);
    let delta = format!(
        r#""delta":{{"content":"a","images":[{{"image_url":{{"url":"data:image/png;base64,{image}"}}}}]}}"#
    );
    let stream = [chunk(&delta), finish(), DONE.to_owned()].concat();
    stage.http.next(Reply::stream(&stream));
    let (reads, failure) = stage.stream();
    assert_eq!(failure, None);
    assert_eq!(text(&reads.concat()), "a");
}
