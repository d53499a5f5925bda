//! The HTTP server: routes, errors, the queue, disconnects and shutdown.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a failed test should show the location, and it runs natively"
)]

mod support;

use serde_json::{Value, json};
use std::time::{Duration, Instant};
use support::{MODEL, Server, binary, model_path};

fn endless() -> Value {
    json!({
        "messages": [{"role": "user", "content": "Tell a very long story."}],
        "max_tokens": 4000, "stream": true, "logit_bias": {"0": -100, "1": -100, "2": -100},
    })
}

#[test]
fn models_and_health_are_listed() {
    let server = Server::start(&[]);
    let list = server.send("GET", "/v1/models", "").json();
    assert_eq!(
        (&list["object"], &list["data"][0]["id"]),
        (&"list".into(), &MODEL.into())
    );
    let one = server
        .send("GET", &format!("/v1/models/{MODEL}"), "")
        .json();
    assert_eq!(one, list["data"][0]);
    let health = server.send("GET", "/health", "").json();
    assert_eq!(
        (&health["status"], &health["busy"]),
        (&"ok".into(), &0.into())
    );
}

#[test]
fn every_refusal_is_a_4xx_in_openais_envelope() {
    let server = Server::start(&["--context", "128"]);
    let user = |text: &str| json!([{"role": "user", "content": text}]);
    let null = Value::Null;

    let garbage = server.send("POST", "/v1/chat/completions", "{\"model\":");
    assert_eq!(garbage.error(), (400, null.clone(), null.clone()));
    let hot = server.chat(&json!({"messages": user("Hi"), "temperature": "hot"}));
    assert_eq!(hot.error(), (400, "temperature".into(), null.clone()));
    let tools = json!([{"type": "function", "function": {"name": "f"}}]);
    let tools = server.chat(&json!({"messages": user("Hi"), "tools": tools}));
    assert_eq!(tools.error(), (400, "tools".into(), null.clone()));
    let long = server.chat(&json!({"messages": user(&"word ".repeat(400))}));
    assert_eq!(
        long.error(),
        (400, "messages".into(), "context_length_exceeded".into())
    );
    let other = json!({"model": "gpt-9", "messages": user("Hi")}).to_string();
    let other = server.send("POST", "/v1/chat/completions", &other);
    assert_eq!(
        other.error(),
        (404, "model".into(), "model_not_found".into())
    );
    let nowhere = server.send("GET", "/v1/nowhere", "");
    assert_eq!(nowhere.error(), (404, null.clone(), null.clone()));
    assert!(nowhere.header("x-request-id").is_some());
    let method = server.send("GET", "/v1/chat/completions", "");
    assert_eq!(method.error(), (405, null.clone(), null));

    // A limit beyond the context window is not an error: the answer ends with the window.
    let body = json!({"messages": user("Hi"), "max_tokens": 4000,
        "logit_bias": {"2": -100, "0": -100, "1": -100}});
    let answer = server.chat(&body).json();
    assert_eq!(answer["choices"][0]["finish_reason"], "length");
    assert_eq!(answer["usage"]["total_tokens"], 128);
}

#[test]
fn the_queue_is_bounded_and_a_disconnect_releases_its_place() {
    let server = Server::start(&["--queue", "1"]);
    let mut decoding = server.begin(&endless());
    while !decoding.line().unwrap().starts_with("data: ") {}
    let waiting = server.begin(&endless());
    server.wait_until_busy(2);

    let refused = server.chat(&endless());
    assert_eq!(
        refused.error(),
        (429, Value::Null, "rate_limit_exceeded".into())
    );
    let seconds: u64 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=20).contains(&seconds));

    let started = Instant::now();
    drop(waiting);
    drop(decoding);
    server.wait_until_busy(0);
    assert!(started.elapsed() < Duration::from_secs(10));
    let body = json!({"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 2});
    assert_eq!(server.chat(&body).status, 200);
}

#[test]
fn a_signal_ends_the_process_and_open_streams_get_an_error() {
    let mut server = Server::start(&[]);
    let mut stream = server.begin(&endless());
    while !stream.line().unwrap().starts_with("data: ") {}
    let status = server.terminate();
    assert!(status.success(), "{status}");
    let rest: Vec<String> = std::iter::from_fn(|| stream.line()).collect();
    assert!(
        rest.iter()
            .any(|line| line.starts_with("data: {\"error\":{"))
    );
    assert!(!rest.iter().any(|line| line.contains("[DONE]")));
}

#[test]
fn a_missing_model_and_a_used_port_give_a_one_line_error() {
    let missing = binary()
        .args(["serve", "--model", "no-such.gguf"])
        .output()
        .unwrap();
    assert!(!missing.status.success());
    assert!(String::from_utf8_lossy(&missing.stderr).contains("cannot read or write no-such.gguf"));

    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let output = binary()
        .args(["serve", "--model", &model_path(), "--port", &port])
        .output()
        .unwrap();
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("choose another --port"));
    assert!(output.stdout.is_empty());
}

#[test]
fn prepare_is_reproducible_and_leaves_no_temporary_file() {
    let folder = std::env::temp_dir().join(format!("clawless-prepare-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let prepare = |name: &str| {
        let output = folder.join(name);
        let status = binary()
            .arg("prepare")
            .arg(model_path())
            .arg(&output)
            .status()
            .unwrap();
        assert!(status.success());
        std::fs::read(output).unwrap()
    };
    assert!(prepare("a.gguf") == prepare("b.gguf"), "two runs differ");
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 2);

    let broken = binary()
        .arg("prepare")
        .arg(file!())
        .arg(folder.join("c.gguf"))
        .status();
    assert!(!broken.unwrap().success());
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 2);
    std::fs::remove_dir_all(folder).unwrap();
}
