//! Every command against a server whose responses consist of terminal control sequences and hidden text.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail by panics")]

mod support;

use std::process::{Command, Output};

use serde_json::{Map, Value, json};

/// A screen clear, a line feed, a C1 sequence, a bidirectional override, separators, hidden characters.
const HOSTILE: &str =
    "a\u{1b}[2J\r\n\u{9b}31m\u{202e}\u{2028}\u{2029}\u{2066}\u{200b}\u{ad}\u{feff}\u{e0041}\u{7f}b";

/// All commands, with the tenant `t`.
const COMMANDS: [&str; 22] = [
    "admin tenants list",
    "admin tenants create x",
    "admin tenants show t",
    "admin tenants set t a=1",
    "admin tenants suspend t",
    "admin tenants resume t",
    "admin tenants delete t --yes",
    "admin usage",
    "admin usage t",
    "admin sessions list t",
    "admin sessions show t s",
    "admin sessions messages t s",
    "admin erase t --yes",
    "admin audit",
    "admin tokens list",
    "admin tokens mint x --role owner",
    "admin tokens set x role=viewer",
    "admin tokens revoke x",
    "keys --tenant t list",
    "keys --tenant t mint x",
    "keys --tenant t rotate x",
    "keys --tenant t revoke x",
];

/// A row that has every member that a table shows, and some that none knows.
fn row() -> Value {
    let members = [
        "id",
        "name",
        "tier",
        "status",
        "title",
        "role",
        "day",
        "model",
        "key_id",
        "tenant_id",
        "actor",
        "action",
        "target",
        "request_id",
        "kind",
        "key",
        "token",
        "limits",
        HOSTILE,
    ];
    let mut row = Map::from_iter(members.map(|name| (name.to_owned(), json!(HOSTILE))));
    row.insert(
        "message".to_owned(),
        json!({"content": [{HOSTILE: HOSTILE}]}),
    );
    row.insert("scopes".to_owned(), json!([HOSTILE]));
    row.insert("allowed_origins".to_owned(), json!([HOSTILE]));
    row.insert("labels".to_owned(), json!({HOSTILE: HOSTILE}));
    Value::Object(row)
}

fn success() -> Value {
    let mut response = row();
    let members = response.as_object_mut().unwrap();
    members.insert("data".to_owned(), json!([row()]));
    members.insert("replaces".to_owned(), row());
    members.insert("deleted".to_owned(), json!(true));
    members.insert("erased".to_owned(), json!(true));
    response
}

/// Starts a server that answers every request in the same way. Returns its URL.
fn serve(status: u16, body: String) -> String {
    support::serve(move |_, _| (status, body.clone()))
}

fn run(command: &str, url: &str, json: bool) -> Output {
    Command::new(env!("CARGO_BIN_EXE_clawless"))
        .args(command.split(' '))
        .args(["--url", url, "--token", "cl_at_x"])
        .args(json.then_some("--json"))
        .output()
        .unwrap()
}

fn expect_safe(command: &str, bytes: &[u8]) -> String {
    let text = String::from_utf8(bytes.to_vec()).unwrap();
    for letter in HOSTILE.chars().filter(|letter| !letter.is_ascii_graphic()) {
        let is_kept = letter == '\n';
        assert!(is_kept || !text.contains(letter), "{command}: {text:?}");
    }
    text
}

#[test]
fn no_command_prints_a_control_sequence_or_hidden_text_of_a_response() {
    let url = serve(200, success().to_string());
    for command in COMMANDS {
        let output = run(command, &url, false);
        let shown = expect_safe(command, &[output.stdout, output.stderr].concat());
        assert!(output.status.success(), "{command}: {shown}");
        assert!(
            !shown
                .lines()
                .any(|line| line.starts_with("\u{9b}") || line.starts_with("\\u{9b}"))
        );
        let output = run(command, &url, true);
        let printed = expect_safe(command, &output.stdout);
        serde_json::from_str::<Value>(&printed)
            .unwrap_or_else(|error| panic!("{command}: {error}"));
    }
    let shown = run("admin tenants show t", &url, true).stdout;
    let shown: Value = serde_json::from_slice(&shown).unwrap();
    assert_eq!(shown, success(), "escapes stand for the same value");
}

#[test]
fn no_error_prints_a_control_sequence_or_hidden_text_of_a_response() {
    let refusal = json!({"error": {"message": HOSTILE, "code": HOSTILE}}).to_string();
    for url in [serve(400, refusal), serve(200, format!("<html>{HOSTILE}"))] {
        for command in COMMANDS {
            let output = run(command, &url, false);
            assert!(!output.status.success(), "{command}");
            let shown = expect_safe(command, &[output.stdout, output.stderr].concat());
            assert_eq!(shown.lines().count(), 1, "{command}: {shown}");
        }
    }
}

#[test]
fn an_exported_file_has_escapes_and_the_same_values() {
    let url = serve(200, success().to_string());
    let file = std::env::temp_dir().join(format!("clawless-export-{}", std::process::id()));
    let output = run(
        &format!("admin export t --out {}", file.display()),
        &url,
        false,
    );
    assert!(output.status.success());
    let written = std::fs::read(&file).unwrap();
    std::fs::remove_file(&file).unwrap();
    let line = expect_safe("admin export", &written);
    assert_eq!(serde_json::from_str::<Value>(&line).unwrap(), row());
}
