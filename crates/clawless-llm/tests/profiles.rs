//! What each profile does with each feature of a request: the table "By profile" of
//! `docs/models.md` is generated from the encoders. The test fails if they differ;
//! `CLAWLESS_WRITE_DOCS=1 cargo test -p clawless-llm --test profiles` writes the table. Each profile
//! also has recordings of its streams and of its whole responses (`tests/streams`).
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "test code: what is not as expected must stop the test"
)]

use std::fmt::Write as _;
use std::path::Path;

use clawless_api::chat;
use clawless_core::llm::{LlmRequest, ProviderKind};
use clawless_llm::LlmError;
use clawless_llm::anthropic::Anthropic;
use clawless_llm::openai::OpenAi;
use clawless_llm::profile::{PROFILES, Profile};
use clawless_llm::protocol::{Mode, Protocol};
use clawless_llm::workers_ai::WorkersAi;
use serde_json::{Value, json};

const START: &str =
    "<!-- Generated: CLAWLESS_WRITE_DOCS=1 cargo test -p clawless-llm --test profiles -->\n";
const END: &str = "<!-- End of the generated table. -->\n";

/// The features, by the name in the table.
fn features() -> Vec<(&'static str, Value)> {
    let part = |part: Value| json!({"messages": [{"role": "user", "content": [{"type": "text", "text": "Hi"}, part]}]});
    let tools =
        json!([{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}]);
    let with_tools = |name: &str, value: Value| json!({"tools": tools, name: value});
    let mark = json!({"type": "ephemeral"});
    vec![
        ("tools", json!({"tools": tools})),
        ("tool_choice", with_tools("tool_choice", json!("required"))),
        (
            "parallel_tool_calls",
            with_tools("parallel_tool_calls", json!(false)),
        ),
        (
            "custom tools",
            json!({"tools": [{"type": "custom", "custom": {"name": "c"}}]}),
        ),
        (
            "response_format",
            json!({"response_format": {"type": "json_schema", "json_schema": {"name": "s", "schema": {"type": "object"}}}}),
        ),
        (
            "images",
            part(json!({"type": "image_url", "image_url": {"url": "https://x.example/y.png"}})),
        ),
        (
            "audio",
            part(json!({"type": "input_audio", "input_audio": {"data": "AA==", "format": "wav"}})),
        ),
        (
            "files",
            part(json!({"type": "file", "file": {"file_id": "f"}})),
        ),
        (
            "video",
            part(json!({"type": "video_url", "video_url": {"url": "https://x.example/y.mp4"}})),
        ),
        (
            "cache_control",
            part(json!({"type": "text", "text": "x", "cache_control": mark})),
        ),
        (
            "messages[].name",
            json!({"messages": [{"role": "user", "name": "Ann", "content": "Hi"}]}),
        ),
        ("stop", json!({"stop": ["x"]})),
        ("seed", json!({"seed": 7})),
        ("n", json!({"n": 2})),
        ("logprobs", json!({"logprobs": true, "top_logprobs": 2})),
        ("logit_bias", json!({"logit_bias": {"1": 5}})),
        ("presence_penalty", json!({"presence_penalty": 1.0})),
        ("frequency_penalty", json!({"frequency_penalty": 1.0})),
        ("temperature", json!({"temperature": 0.5})),
        ("top_p", json!({"top_p": 0.5})),
        ("max_tokens", json!({"max_tokens": 5})),
        ("max_completion_tokens", json!({"max_completion_tokens": 5})),
        ("reasoning_effort", json!({"reasoning_effort": "high"})),
        ("verbosity", json!({"verbosity": "low"})),
        ("service_tier", json!({"service_tier": "flex"})),
        (
            "prediction",
            json!({"prediction": {"type": "content", "content": "x"}}),
        ),
        ("store", json!({"store": true})),
        ("metadata", json!({"metadata": {"a": "b"}})),
        ("user", json!({"user": "u"})),
        ("safety_identifier", json!({"safety_identifier": "u"})),
        ("prompt_cache_key", json!({"prompt_cache_key": "k"})),
        ("top_k", json!({"top_k": 5})),
    ]
}

fn protocol(profile: &'static Profile) -> Box<dyn Protocol> {
    match profile.kind {
        ProviderKind::OpenAi => Box::new(OpenAi::with_profile(
            "https://o.example/v1",
            None,
            profile,
            &[],
        )),
        ProviderKind::Anthropic => {
            Box::new(Anthropic::new("https://a.example/v1", None, &[]).with_profile(profile))
        }
        ProviderKind::WorkersAi => Box::new(WorkersAi::new(&[])),
    }
}

fn request(members: &Value) -> LlmRequest {
    let mut body = json!({"model": "m", "messages": [{"role": "user", "content": "Hi"}]});
    for (name, value) in members.as_object().expect("an object") {
        body[name] = value.clone();
    }
    let body = serde_json::to_vec(&body).expect("JSON");
    let parsed = chat::parse(&body).unwrap_or_else(|error| panic!("{error:?}"));
    let request = parsed.request;
    LlmRequest {
        model: request.model,
        messages: request.messages,
        options: request.options,
    }
}

/// The features that a profile drops, and those that it rejects. Panics if one is lost in silence.
fn exceptions(profile: &'static Profile) -> (Vec<&'static str>, Vec<&'static str>) {
    let protocol = protocol(profile);
    let (mut dropped, mut rejected) = (Vec::new(), Vec::new());
    let plain = protocol
        .encode(&request(&json!({})), Mode::Whole)
        .expect("encodes");
    for (name, feature) in features() {
        let request = request(&feature);
        match protocol.encode(&request, Mode::Whole) {
            Err(LlmError::Unsupported { .. }) => rejected.push(name),
            Err(error) => panic!("{}, {name}: {error:?}", profile.name),
            Ok(_) if !protocol.dropped(&request).is_empty() => dropped.push(name),
            Ok(sent) => assert_ne!(sent.body, plain.body, "{}, {name}: lost", profile.name),
        }
    }
    (dropped, rejected)
}

fn table() -> String {
    let mut table = "| profile | dropped and listed | 400 |\n|---|---|---|\n".to_owned();
    let cell = |names: &[&str]| {
        let names: Vec<String> = names
            .iter()
            .map(|name| {
                if name.contains(' ') || matches!(*name, "images" | "audio" | "files" | "video") {
                    (*name).to_owned()
                } else {
                    format!("`{name}`")
                }
            })
            .collect();
        if names.is_empty() {
            "–".to_owned()
        } else {
            names.join(", ")
        }
    };
    for profile in PROFILES {
        let (dropped, rejected) = exceptions(profile);
        writeln!(
            table,
            "| `{}` | {} | {} |",
            profile.name,
            cell(&dropped),
            cell(&rejected)
        )
        .expect("a text");
    }
    table
}

#[test]
fn the_feature_table_by_profile_matches_the_encoders() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/models.md");
    let page = std::fs::read_to_string(&path).expect("the page");
    let (before, rest) = page.split_once(START).expect("the start of the table");
    let (known, after) = rest.split_once(END).expect("the end of the table");
    let table = format!("\n{}\n", table());
    if std::env::var_os("CLAWLESS_WRITE_DOCS").is_some() {
        let page = format!("{before}{START}{table}{END}{after}");
        return std::fs::write(&path, page).expect("the page is writable");
    }
    assert_eq!(known, table, "docs/models.md differs from the encoders");
}

/// The beginning of the names of a profile's recordings.
fn recordings_of(profile: &Profile) -> String {
    match profile.name {
        "llama.cpp" => "llama-cpp-".to_owned(),
        "lmstudio" => "lm-studio-".to_owned(),
        // A server without a profile of its own.
        "default" => "perplexity-".to_owned(),
        name => format!("{name}-"),
    }
}

#[test]
fn each_profile_has_recordings_of_streams_and_of_whole_responses() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/streams");
    let entries = std::fs::read_dir(folder).expect("the folder");
    let names: Vec<String> = entries
        .map(|entry| {
            entry
                .expect("an entry")
                .file_name()
                .to_string_lossy()
                .into_owned()
        })
        .collect();
    for profile in PROFILES {
        let start = recordings_of(profile);
        for (recording, expected) in [(".sse", ".json"), (".body", ".whole.json")] {
            let found: Vec<&String> = names
                .iter()
                .filter(|name| name.starts_with(&start) && name.ends_with(recording))
                .collect();
            assert!(!found.is_empty(), "no {start}*{recording} in tests/streams");
            for name in found {
                let expected = name.replace(recording, expected);
                assert!(names.contains(&expected), "{expected} is missing");
            }
        }
    }
}
