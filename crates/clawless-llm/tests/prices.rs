//! Every parameter that changes the price of a call, on every profile: dropped and reported, rejected
//! by name, or sent because the usage that is charged contains its price.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "test code: what is not as expected must stop the test"
)]

use clawless_api::chat;
use clawless_core::llm::{LlmRequest, LlmResponse, ProviderKind};
use clawless_core::model::Model;
use clawless_core::{ApiError, Tokens, Usage};
use clawless_llm::LlmError;
use clawless_llm::anthropic::Anthropic;
use clawless_llm::openai::OpenAi;
use clawless_llm::plausible;
use clawless_llm::profile::{DEFAULT, PROFILES, Profile};
use clawless_llm::protocol::{Mode, Protocol};
use clawless_llm::tokens;
use clawless_llm::workers_ai::WorkersAi;
use serde_json::{Value, json};

/// What may happen to a parameter that changes the price.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Rule {
    /// Never sent: dropped and named, or rejected by name.
    NotSent,
    /// May be sent: the provider's usage contains the price, and the reservation covers it.
    ByUsage,
}

/// The parameters: a name, its JSON, and the rule.
fn parameters() -> Vec<(&'static str, Value, Rule)> {
    use Rule::{ByUsage, NotSent};
    vec![
        ("service_tier", json!("priority"), NotSent),
        ("service_tier", json!("flex"), NotSent),
        ("service_tier", json!("scale"), NotSent),
        ("service_tier", json!("standard_only"), NotSent),
        ("service_tier", json!("PRIORITY"), NotSent),
        ("priority", json!(1), NotSent),
        ("processing_type", json!("priority"), NotSent),
        ("speed", json!("fast"), NotSent),
        (
            "web_search_options",
            json!({"search_context_size": "high"}),
            NotSent,
        ),
        ("search_parameters", json!({"mode": "on"}), NotSent),
        ("enable_search", json!(true), NotSent),
        ("search_domain_filter", json!(["x.example"]), NotSent),
        ("plugins", json!([{"id": "web"}]), NotSent),
        ("provider", json!({"order": ["x"]}), NotSent),
        ("models", json!(["x", "y"]), NotSent),
        ("route", json!("fallback"), NotSent),
        ("transforms", json!(["x"]), NotSent),
        ("preset", json!("x"), NotSent),
        ("best_of", json!(4), NotSent),
        ("use_beam_search", json!(true), NotSent),
        ("n_predict", json!(100_000), NotSent),
        ("max_new_tokens", json!(100_000), NotSent),
        ("max_output_tokens", json!(100_000), NotSent),
        ("prompt_cache_retention", json!("24h"), NotSent),
        (
            "cache_control",
            json!({"type": "ephemeral", "ttl": "1h"}),
            NotSent,
        ),
        ("background", json!(true), NotSent),
        ("container", json!("x"), NotSent),
        (
            "mcp_servers",
            json!([{"url": "https://x.example"}]),
            NotSent,
        ),
        ("inference_geo", json!("us"), NotSent),
        ("extra_body", json!({"service_tier": "priority"}), NotSent),
        ("modalities", json!(["text", "audio"]), NotSent),
        ("modalities", json!(["image"]), NotSent),
        ("audio", json!({"voice": "v", "format": "wav"}), NotSent),
        ("n", json!(3), ByUsage),
        (
            "prediction",
            json!({"type": "content", "content": "x"}),
            ByUsage,
        ),
        ("reasoning_effort", json!("high"), ByUsage),
        // Storing an answer has no price.
        ("store", json!(true), ByUsage),
    ]
}

fn wire(profile: &'static Profile, model: &Model) -> Box<dyn Protocol> {
    let models = std::slice::from_ref(model);
    match profile.kind {
        ProviderKind::OpenAi => Box::new(OpenAi::with_profile(
            "https://o.example/v1",
            None,
            profile,
            models,
        )),
        ProviderKind::Anthropic => Box::new(Anthropic::new("https://a.example/v1", None, models)),
        ProviderKind::WorkersAi => Box::new(WorkersAi::new(models)),
    }
}

fn parse(body: &Value) -> Result<LlmRequest, ApiError> {
    let request = chat::parse(&serde_json::to_vec(body).expect("JSON"))?.request;
    Ok(LlmRequest {
        model: request.model,
        messages: request.messages,
        options: request.options,
    })
}

fn body() -> Value {
    json!({"model": "m", "messages": [{"role": "user", "content": "Hi"}]})
}

fn model() -> Model {
    serde_json::from_value(json!({"id": "m", "thinking": "adaptive"})).expect("a model")
}

#[test]
fn no_parameter_changes_the_price_unnoticed() {
    let model = model();
    for profile in PROFILES.iter().chain([&DEFAULT]) {
        let wire = wire(profile, &model);
        for (name, value, rule) in parameters() {
            let mut body = body();
            body[name] = value.clone();
            let request = parse(&body).expect("a request");
            let case = format!("{name}: {value} on {}", profile.name);
            let sent = match wire.encode(&request, Mode::Whole) {
                Ok(sent) => sent.body,
                Err(LlmError::Unsupported { param, .. }) => {
                    assert_eq!(param, name, "{case}");
                    continue;
                }
                Err(error) => panic!("{case}: {error:?}"),
            };
            let sent: Value = serde_json::from_slice(&sent).expect("JSON");
            let is_sent = sent.get(name).is_some();
            let part = format!("{name}.");
            let mut dropped = wire.dropped(&request).into_iter();
            let is_named = dropped.any(|it| it == name || it.starts_with(&part));
            match rule {
                Rule::NotSent => assert!(!is_sent && is_named, "{case}: {sent}"),
                // A wire may have another name for it.
                Rule::ByUsage => assert!(!(is_sent && is_named), "{case}: {sent}"),
            }
        }
    }
}

#[test]
fn tools_that_a_provider_runs_are_rejected() {
    for kind in [
        "web_search",
        "web_search_preview",
        "file_search",
        "code_interpreter",
        "browser_search",
        "image_generation",
        "mcp",
        "computer_use_preview",
    ] {
        let mut body = body();
        body["tools"] = json!([{"type": kind}]);
        let error = parse(&body).expect_err(kind);
        assert_eq!(error.param.as_deref(), Some("tools[0].type"), "{kind}");
        assert!(error.message.contains("`function`"), "{}", error.message);
    }
}

#[test]
fn a_longer_lifetime_of_a_cached_prefix_is_dropped_and_reported() {
    let model = model();
    let mark = json!({"type": "ephemeral", "ttl": "1h"});
    let tool = |more: Value| json!([{"type": "function", "function": {"name": "f"}}, more]);
    for (member, value) in [
        (
            "messages",
            json!([{"role": "user", "content": "Hi", "cache_control": mark}]),
        ),
        (
            "messages",
            json!([{"role": "user", "content": [{"type": "text", "text": "Hi", "cache_control": mark}]}]),
        ),
        (
            "tools",
            tool(json!({"type": "function", "function": {"name": "g"}, "cache_control": mark})),
        ),
        (
            "tools",
            tool(json!({"type": "function", "function": {"name": "g", "cache_control": mark}})),
        ),
    ] {
        let mut body = body();
        body[member] = value;
        let request = parse(&body).expect("a request");
        for profile in PROFILES.iter().chain([&DEFAULT]) {
            let wire = wire(profile, &model);
            let sent = wire.encode(&request, Mode::Whole).expect("encodes").body;
            let sent = String::from_utf8(sent).expect("UTF-8");
            assert!(!sent.contains("1h"), "{}: {sent}", profile.name);
        }
        let openai = wire(&DEFAULT, &model);
        let dropped = openai.dropped(&request);
        assert_eq!(dropped, ["cache_control.ttl"]);
    }
}

#[test]
fn rejected_predictions_are_charged_as_the_provider_reports_them() {
    let mut body = body();
    body["prediction"] = json!({"type": "content", "content": "word ".repeat(1000)});
    let request = parse(&body).expect("a request");
    let answer = |rejected: u64| {
        let mut usage = Usage::new(1200, 20 + rejected);
        usage.completion_tokens_details = Some(
            serde_json::from_value(json!({"rejected_prediction_tokens": rejected}))
                .expect("details"),
        );
        LlmResponse {
            usage: Some(usage),
            ..LlmResponse::default()
        }
    };
    let check = |rejected| plausible::check(&request, &answer(rejected), &model(), &DEFAULT);
    let model = serde_json::from_value(json!({"id": "m"})).expect("a model");
    let check_plain = |rejected| plausible::check(&request, &answer(rejected), &model, &DEFAULT);
    for check in [check(2000), check_plain(2000)] {
        assert_eq!(check.map(|usage| usage.completion_tokens), Some(2020));
    }
    assert_eq!(check_plain(1_000_000), None, "more than was predicted");
    let reserved = tokens::of_request(&request);
    assert!(reserved > Tokens::new(1250), "{reserved:?}");
}
