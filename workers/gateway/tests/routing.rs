//! Model selection, from the request to the response headers.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "an unexpected value must stop the test"
)]

mod support;

use std::rc::Rc;

use clawless_core::chat::ReasoningEffort;
use clawless_core::routing::Fallback;
use clawless_core::session::Change;
use clawless_core::tenant::TenantSettings;
use clawless_testkit::provider::Reply;
use serde_json::{Value, json};
use support::{Customer, Deployment, Response, chat_request, completion_reply};

/// Two servers. A model's absent features are unknown, and absent roles are none.
const PROVIDERS: &str = r#"[
    {"name": "one", "kind": "openai", "base_url": "https://one.example/v1", "models": [
        {"id": "quick", "roles": ["fast"], "context": 8000, "max_output": 1000,
         "features": {"tools": false, "vision": false, "json_schema": false},
         "price": {"input": 100000, "output": 400000}},
        {"id": "deep", "roles": ["smart"], "context": 100000, "thinking": "adaptive", "effort": "medium",
         "features": {"vision": false}, "price": {"input": 2000000, "output": 8000000}},
        {"id": "shared"}]},
    {"name": "two", "kind": "openai", "base_url": "https://two.example/v1", "models": [
        {"id": "eyes", "roles": ["vision"], "context": 50000, "price": {"input": 500000, "output": 900000}},
        {"id": "shared"}]}
]"#;

const HARD: &str = "Compare the economic consequences of the two world wars for Europe, and argue \
                    which of them changed more, step by step, with the evidence for each claim.";

fn deployment_with(settings: TenantSettings) -> (Rc<Deployment>, Customer) {
    let deployment = Deployment::with_providers(PROVIDERS);
    let customer = deployment.customer_with(settings, |_| {});
    (deployment, customer)
}

fn image() -> Value {
    json!({"role": "user", "content": [
        {"type": "text", "text": "What is this?"},
        {"type": "image_url", "image_url": {"url": "https://x.example/y.png"}}]})
}

/// Sends a request and returns the model that answered and the reason for its selection.
fn route_of(deployment: &Rc<Deployment>, customer: &Customer, body: &Value) -> String {
    deployment.http.next(completion_reply("ok"));
    describe_route(&deployment.chat(customer, body))
}

fn describe_route(response: &Response) -> String {
    assert_eq!(response.status, 200, "{}", response.body);
    let header = |name| response.headers[name].as_str();
    // The probability of the class follows the reason.
    let route = header("x-clawless-route").split(';').next();
    format!(
        "{} {}",
        header("x-clawless-model"),
        route.unwrap_or_default()
    )
}

/// The URL and body of the last request to a provider.
fn last_provider_request(deployment: &Deployment) -> (String, Value) {
    let requests = deployment.http.requests();
    let last = requests.last().expect("a request");
    let body = serde_json::from_slice(&last.body).expect("JSON");
    (last.url.clone(), body)
}

#[test]
fn auto_and_the_aliases_select_by_class_features_and_price() {
    let (deployment, customer) = deployment_with(TenantSettings::default());
    let tools = json!([{"type": "function", "function": {"name": "f"}}]);
    let schema = json!({"type": "json_schema", "json_schema": {"name": "s", "schema": {}}});
    let long = format!("{HARD}\n\n").repeat(600);
    let cases = [
        (
            json!({"model": "auto", "messages": [{"role": "user", "content": "Hi"}]}),
            "quick class:simple",
        ),
        (
            json!({"model": "auto", "messages": [{"role": "user", "content": HARD}]}),
            "deep class:complex",
        ),
        (
            json!({"model": "auto", "messages": [image()]}),
            "eyes class:vision",
        ),
        (
            json!({"model": "auto", "tools": tools, "messages": [{"role": "user", "content": "Hi"}]}),
            "deep able",
        ),
        (
            json!({"model": "auto", "response_format": schema, "messages": [{"role": "user", "content": "Hi"}]}),
            "deep able",
        ),
        (
            json!({"model": "smart", "messages": [{"role": "user", "content": "Hi"}]}),
            "deep alias:smart",
        ),
        (
            json!({"model": "fast", "messages": [{"role": "user", "content": HARD}]}),
            "quick alias:fast",
        ),
        (
            json!({"model": "eyes", "messages": [{"role": "user", "content": "Hi"}]}),
            "eyes named",
        ),
        (
            json!({"model": "auto", "messages": [{"role": "user", "content": long}]}),
            "deep class:complex",
        ),
    ];
    for (body, expected) in cases {
        assert_eq!(route_of(&deployment, &customer, &body), expected);
    }
}

#[test]
fn an_unsupported_feature_is_refused_before_the_provider_is_called() {
    let (deployment, customer) = deployment_with(TenantSettings::default());
    let hi = json!([{"role": "user", "content": "Hi"}]);
    let cases = [
        (
            json!({"model": "gone", "messages": hi}),
            404,
            "model_not_found",
            "model",
        ),
        // No model has the role.
        (
            json!({"model": "code", "messages": hi}),
            404,
            "model_not_found",
            "model",
        ),
        (
            json!({"model": "quick", "messages": [image()]}),
            400,
            "unsupported_parameter",
            "messages",
        ),
        (
            json!({"model": "quick", "messages": hi, "tools": [{"type": "function", "function": {"name": "f"}}]}),
            400,
            "unsupported_parameter",
            "tools",
        ),
        (
            json!({"model": "quick", "messages": hi, "functions": [{"name": "f"}]}),
            400,
            "unsupported_parameter",
            "functions",
        ),
        (
            json!({"model": "quick", "messages": hi,
                   "response_format": {"type": "json_schema", "json_schema": {"name": "s", "schema": {}}}}),
            400,
            "unsupported_parameter",
            "response_format",
        ),
        (
            json!({"model": "quick", "messages": [{"role": "user", "content": "word ".repeat(20_000)}]}),
            400,
            "context_length_exceeded",
            "messages",
        ),
        (
            json!({"model": "smart", "messages": [{"role": "user", "content": "word ".repeat(200_000)}]}),
            400,
            "context_length_exceeded",
            "messages",
        ),
    ];
    for (body, status, code, param) in cases {
        let response = deployment.chat(&customer, &body);
        assert_eq!((response.status, response.code().as_str()), (status, code));
        assert_eq!(response.json()["error"]["param"], param);
    }
    assert!(deployment.http.requests().is_empty());
}

#[test]
fn a_model_of_two_providers_fails_over_from_one_to_the_other() {
    let (deployment, customer) = deployment_with(TenantSettings::default());
    let failing = || Reply::json(401, r#"{"error":{"message":"no"}}"#);
    deployment.http.next(failing());
    deployment.http.next(completion_reply("ok"));
    let mut body = chat_request("Hi");
    body["model"] = json!("shared");
    let response = deployment.chat(&customer, &body);
    assert_eq!(describe_route(&response), "shared named");
    assert_eq!(response.headers["x-clawless-tries"], "2");
    assert!(
        last_provider_request(&deployment)
            .0
            .starts_with("https://two.example/")
    );
}

#[test]
fn each_class_of_requests_uses_the_tenants_fallbacks_for_it() {
    let fallback = json!({"complex": ["eyes"], "simple": ["deep"]});
    let (deployment, customer) = deployment_with(TenantSettings {
        fallback: serde_json::from_value(fallback).expect("fallbacks"),
        ..TenantSettings::default()
    });
    for (text, expected) in [("Hi", "deep named"), (HARD, "eyes named")] {
        deployment.http.next(Reply::json(529, "{}"));
        let requested = json!({"model": "quick", "messages": [{"role": "user", "content": text}]});
        let routed = route_of(&deployment, &customer, &requested);
        assert_eq!(routed, expected, "{text}");
    }
    // A class without a list has none.
    deployment.http.always(Reply::json(529, "{}"));
    let code = "Fix this Python script: def f(: pass";
    let requested = json!({"model": "quick", "messages": [{"role": "user", "content": code}]});
    let before = deployment.http.requests().len();
    assert_eq!(deployment.chat(&customer, &requested).status, 503);
    let requests = deployment.http.requests();
    let called_models: Vec<Value> = requests[before..]
        .iter()
        .map(|it| serde_json::from_slice::<Value>(&it.body).expect("JSON")["model"].clone())
        .collect();
    assert!(
        called_models.iter().all(|model| model == "quick"),
        "{called_models:?}"
    );
}

#[test]
fn the_sessions_default_model_precedes_the_tenants_and_yields_to_required_features() {
    let (deployment, customer) = deployment_with(TenantSettings {
        default_model: Some("eyes".to_owned()),
        ..TenantSettings::default()
    });
    let auto = json!({"model": "auto", "messages": [{"role": "user", "content": "Hi"}]});
    assert_eq!(route_of(&deployment, &customer, &auto), "eyes tenant");
    let in_session = |body: &Value| {
        let mut body = body.clone();
        body["session_id"] = json!("talk");
        route_of(&deployment, &customer, &body)
    };
    assert_eq!(in_session(&auto), "eyes tenant");
    let deep = Change {
        model: Some(Some("deep".to_owned())),
        ..Change::default()
    };
    deployment.change_session(&customer, "talk", &deep);
    assert_eq!(in_session(&auto), "deep session");
    let mut named = auto.clone();
    named["model"] = json!("quick");
    assert_eq!(in_session(&named), "quick named");
    // The session's model does not support images: a default model yields, a requested one does not.
    assert_eq!(
        in_session(&json!({"model": "auto", "messages": [image()]})),
        "eyes tenant"
    );
    // From now on there is an image in the history.
    assert_eq!(in_session(&auto), "eyes tenant");
    let mut refused = named.clone();
    refused["session_id"] = json!("talk");
    let response = deployment.chat(&customer, &refused);
    assert_eq!(
        (response.status, response.code().as_str()),
        (400, "unsupported_parameter")
    );
}

#[test]
fn the_effort_comes_from_the_request_then_the_tenant_then_the_model() {
    let effort = |settings: TenantSettings, model: &str, requested: Option<&str>| {
        let (deployment, customer) = deployment_with(settings);
        let mut body = chat_request("Hi");
        body["model"] = json!(model);
        if let Some(requested) = requested {
            body["reasoning_effort"] = json!(requested);
        }
        route_of(&deployment, &customer, &body);
        last_provider_request(&deployment).1["reasoning_effort"].clone()
    };
    let low = TenantSettings {
        thinking: Some(ReasoningEffort::Low),
        ..TenantSettings::default()
    };
    assert_eq!(effort(TenantSettings::default(), "deep", None), "medium");
    assert_eq!(effort(low.clone(), "deep", None), "low");
    assert_eq!(effort(low.clone(), "deep", Some("xhigh")), "xhigh");
    assert_eq!(effort(low.clone(), "deep", Some("off")), "none");
    // This model is not known to reason: a default effort would be rejected, a requested one is sent.
    assert_eq!(effort(low.clone(), "eyes", None), Value::Null);
    assert_eq!(effort(low, "eyes", Some("high")), "high");
}

#[test]
fn the_output_limit_is_clamped_to_the_models_maximum() {
    let (deployment, customer) = deployment_with(TenantSettings {
        fallback: Fallback::All(vec!["quick".to_owned()]),
        ..TenantSettings::default()
    });
    deployment.http.next(Reply::json(401, "{}"));
    deployment.http.next(completion_reply("ok"));
    let mut body = chat_request("Hi");
    body["model"] = json!("deep");
    body["max_completion_tokens"] = json!(5000);
    assert_eq!(
        describe_route(&deployment.chat(&customer, &body)),
        "quick named"
    );
    assert_eq!(
        last_provider_request(&deployment).1["max_completion_tokens"],
        1000
    );
}

#[test]
fn the_sessions_effort_ranks_between_the_requests_and_the_tenants() {
    let (deployment, customer) = deployment_with(TenantSettings {
        thinking: Some(ReasoningEffort::Low),
        ..TenantSettings::default()
    });
    let effort = |requested: Option<&str>| {
        let mut body = chat_request("Hi");
        body["model"] = json!("deep");
        body["session_id"] = json!("talk");
        if let Some(requested) = requested {
            body["reasoning_effort"] = json!(requested);
        }
        route_of(&deployment, &customer, &body);
        last_provider_request(&deployment).1["reasoning_effort"].clone()
    };
    assert_eq!(effort(None), "low");
    let high = Change {
        thinking_level: Some(Some(ReasoningEffort::High)),
        ..Change::default()
    };
    deployment.change_session(&customer, "talk", &high);
    assert_eq!(effort(None), "high");
    assert_eq!(effort(Some("minimal")), "minimal");
}

#[test]
fn signed_thoughts_are_kept_in_a_session_and_dropped_for_another_model() {
    let providers = r#"[{"name": "claude", "kind": "anthropic", "base_url": "https://a.example/v1",
        "models": [{"id": "signer", "thinking": "adaptive"}, {"id": "other", "thinking": "adaptive"}]}]"#;
    let deployment = Deployment::with_providers(providers);
    let customer = deployment.customer_with(
        TenantSettings {
            fallback: Fallback::All(vec!["other".to_owned()]),
            ..TenantSettings::default()
        },
        |_| {},
    );
    let answer = |content: Value, reason: &str| {
        let body = json!({"type": "message", "role": "assistant", "model": "x", "content": content,
            "stop_reason": reason, "usage": {"input_tokens": 5, "output_tokens": 5}});
        Reply::json(200, &body.to_string())
    };
    let thought = json!({"type": "thinking", "thinking": "hm", "signature": "signed-by-signer"});
    let call = json!({"type": "tool_use", "id": "call-1", "name": "f", "input": {}});
    deployment
        .http
        .next(answer(json!([thought, call]), "tool_use"));
    let tools = json!([{"type": "function", "function": {"name": "f"}}]);
    let send = |message: Value| {
        let body =
            json!({"model": "signer", "session_id": "talk", "tools": tools, "messages": [message]});
        deployment.chat(&customer, &body)
    };
    let first = send(json!({"role": "user", "content": "Hi"}));
    let message = &first.json()["choices"][0]["message"];
    assert_eq!(message["reasoning_content"], "hm");
    // The signer fails, and the fallback model is called.
    deployment.http.next(Reply::json(401, "{}"));
    deployment
        .http
        .next(answer(json!([{"type": "text", "text": "ok"}]), "end_turn"));
    let second = send(json!({"role": "tool", "tool_call_id": "call-1", "content": "1"}));
    assert_eq!(describe_route(&second), "other named");
    let requests = deployment.http.requests();
    let bodies: Vec<Value> = requests
        .iter()
        .map(|request| serde_json::from_slice(&request.body).expect("JSON"))
        .collect();
    assert_eq!(bodies[1]["messages"][1]["content"], json!([thought, call]));
    assert_eq!(bodies[2]["messages"][1]["content"], json!([call]));
    assert_eq!(bodies[2]["thinking"]["type"], "disabled");
}

#[test]
fn a_failed_call_reports_the_model_that_was_tried_last() {
    let (deployment, customer) = deployment_with(TenantSettings {
        fallback: Fallback::All(vec!["deep".to_owned()]),
        ..TenantSettings::default()
    });
    let request = json!({"model": "quick", "messages": [{"role": "user", "content": "Hi"}]});
    let report = |response: &Response| {
        let header = |name| response.headers[name].as_str();
        let names = ["x-clawless-model", "x-clawless-route", "x-clawless-tries"];
        names.map(header).join(" ")
    };
    for streamed in [false, true] {
        // Overload is not retried while there is another model, and the last one is tried three times.
        for _ in 0..4 {
            deployment.http.next(Reply::json(529, "{}"));
        }
        let mut request = request.clone();
        request["stream"] = json!(streamed);
        let response = deployment.chat(&customer, &request);
        assert_eq!(response.status, 503, "{}", response.body);
        assert_eq!(report(&response), "deep named 4");
    }
}

#[test]
fn auto_with_a_default_that_is_not_offered_names_the_setting() {
    for (settings, name) in [
        (json!({"default_model": "gone"}), "gone"),
        (json!({"default_model": "code"}), "code"),
        (
            json!({"default_model": "deep", "allowed_models": ["quick"]}),
            "deep",
        ),
    ] {
        let settings = serde_json::from_value(settings).expect("settings");
        let (deployment, customer) = deployment_with(settings);
        let auto = json!({"model": "auto", "messages": [{"role": "user", "content": "Hi"}]});
        let response = deployment.chat(&customer, &auto);
        assert_eq!(response.status, 404, "{}", response.body);
        let error = &response.json()["error"];
        assert_eq!(error["code"], "model_not_found");
        let message = error["message"].as_str().expect("a message");
        assert!(
            message.contains(&format!("`{name}`")) && message.contains("`default_model`"),
            "{message}"
        );
        assert!(deployment.http.requests().is_empty());
        let quick = json!({"model": "quick", "messages": [{"role": "user", "content": "Hi"}]});
        assert_eq!(route_of(&deployment, &customer, &quick), "quick named");
    }
}

#[test]
fn the_default_of_a_session_replaces_a_default_of_the_tenant_that_is_not_offered() {
    let (deployment, customer) = deployment_with(TenantSettings {
        default_model: Some("gone".to_owned()),
        ..TenantSettings::default()
    });
    let in_session = |model: &str| {
        json!({"model": model, "session_id": "talk",
            "messages": [{"role": "user", "content": "Hi"}]})
    };
    let refused = |setting: &str| {
        let response = deployment.chat(&customer, &in_session("auto"));
        let code = response.code();
        assert_eq!((response.status, code.as_str()), (404, "model_not_found"));
        assert!(response.body.contains(setting), "{}", response.body);
    };
    refused("`default_model`");
    assert_eq!(
        route_of(&deployment, &customer, &in_session("quick")),
        "quick named"
    );
    refused("`default_model`");
    let change = |model: &str| {
        let change = Change {
            model: Some(Some(model.to_owned())),
            ..Change::default()
        };
        deployment.change_session(&customer, "talk", &change);
    };
    change("deep");
    assert_eq!(
        route_of(&deployment, &customer, &in_session("auto")),
        "deep session"
    );
    change("also-gone");
    refused("The model `also-gone` of this session");
}

#[test]
fn the_route_reports_the_probability_of_the_class() {
    let (deployment, customer) = deployment_with(TenantSettings::default());
    deployment.http.next(completion_reply("ok"));
    let body = json!({"model": "auto", "messages": [{"role": "user", "content": "Hi"}]});
    let response = deployment.chat(&customer, &body);
    let route = response.headers["x-clawless-route"].clone();
    let probability = route.strip_prefix("class:simple; p=").expect(&route);
    let probability: f32 = probability.parse().expect("a number");
    assert!((0.5..=1.0).contains(&probability), "{route}");
}

#[test]
fn a_tenant_can_set_the_threshold_and_switch_classes_off() {
    let hi = json!({"model": "auto", "messages": [{"role": "user", "content": "Hi"}]});
    let hard = json!({"model": "auto", "messages": [{"role": "user", "content": HARD}]});
    let route = |classifier: Value, body: &Value| {
        let classifier = serde_json::from_value(classifier).expect("settings");
        let (deployment, customer) = deployment_with(TenantSettings {
            classifier,
            ..TenantSettings::default()
        });
        route_of(&deployment, &customer, body)
    };
    for settings in [json!({"simple_threshold": 1.0}), json!({"off": ["simple"]})] {
        let found = route(settings, &hi);
        assert!(found.starts_with("deep class:"), "{found}");
        assert_ne!(found, "deep class:simple");
    }
    assert_eq!(
        route(json!({"off": ["complex", "code"]}), &hard),
        "quick class:simple"
    );
}

#[test]
fn title_tags_and_follow_up_tasks_of_chat_clients_are_simple() {
    let (deployment, customer) = deployment_with(TenantSettings::default());
    let history =
        format!("<chat_history>\nUSER: {HARD}\nASSISTANT: The second one.\n</chat_history>");
    for task in [
        "### Task:\nGenerate a concise, 3-5 word title with an emoji summarizing the chat history.\n### Output:\nJSON format: { \"title\": \"your concise title here\" }\n### Chat History:\n",
        "Create a short title (max 6 words) for this conversation. Reply with the title only.\n\n",
        "### Task:\nGenerate 1-3 broad tags categorizing the main themes of the chat history, along with 1-3 more specific subtopic tags.\n### Output:\nJSON format: { \"tags\": [\"tag1\", \"tag2\"] }\n### Chat History:\n",
        "### Task:\nSuggest 3-5 relevant follow-up questions or prompts that the user might naturally ask next.\n### Output:\nJSON format: { \"follow_ups\": [\"Question 1?\"] }\n### Chat History:\n",
    ] {
        let content = format!("{task}{history}");
        let body = json!({"model": "auto", "messages": [{"role": "user", "content": content}]});
        assert_eq!(
            route_of(&deployment, &customer, &body),
            "quick class:simple",
            "{task}"
        );
    }
}
