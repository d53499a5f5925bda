//! The schemas agree with the parsers: what one accepts, the other accepts, and what is invalid for a
//! reason that a schema can express is invalid for both.

use clawless_api::admin::keys::{KeyRotation, NewKey};
use clawless_api::admin::tenants::{TenantBody, TenantPatch};
use clawless_api::admin::tokens::{NewToken, TokenPatch};
use clawless_api::admin::widgets::{WidgetPatch, parse_logo};
use clawless_api::widget::OpenSession;
use clawless_api::{chat, messages, responses, sessions};
use clawless_core::admin_role::AdminRole;
use clawless_core::admin_token::AdminToken;
use clawless_core::tenant::{TenantSettings, TenantStatus, Tier};
use clawless_core::widget::WidgetSettings;
use clawless_core::{Tenant, Timestamp};
use serde_json::{Value, json};

use crate::document;
use crate::surface::Surface;

const NOW: Timestamp = Timestamp::from_millis(1_767_225_600_500);

/// Checks that a parser and the schema of this name accept the same samples.
fn check(
    surface: &Surface,
    name: &str,
    accepts: impl Fn(&[u8]) -> bool,
    valid: &[Value],
    invalid: &[Value],
) {
    let document = document::build(surface).expect("a description");
    let schema = json!({
        "$ref": format!("#/components/schemas/{name}"),
        "components": document["components"],
    });
    let validator = jsonschema::validator_for(&schema).expect("a valid schema");
    for (samples, expected) in [(valid, true), (invalid, false)] {
        for sample in samples {
            let parsed = accepts(sample.to_string().as_bytes());
            assert_eq!(parsed, expected, "the parser on {sample}");
            let matched = validator.is_valid(sample);
            assert_eq!(matched, expected, "the schema {name} on {sample}");
        }
    }
}

fn gateway() -> Surface {
    Surface::gateway().expect("valid texts")
}

fn admin() -> Surface {
    Surface::admin().expect("valid texts")
}

/// A chat request with one message.
fn message(message: &Value) -> Value {
    json!({ "model": "m", "messages": [message] })
}

/// A chat request with one more member.
fn option(name: &str, value: &Value) -> Value {
    json!({ "model": "m", "messages": [{ "role": "user", "content": "a" }], (name): value })
}

#[test]
fn messages_of_chat_requests() {
    let valid = [
        json!({ "role": "user", "content": "a", "x_extra": 1 }),
        json!({ "role": "developer", "content": [{ "type": "text", "text": "a" }] }),
        json!({ "role": "user", "content": [
            { "type": "image_url", "image_url": { "url": "https://x/y.png", "detail": "low" } },
            { "type": "input_audio", "input_audio": { "data": "", "format": "wav" } },
            { "type": "file", "file": { "file_id": "f" } },
            { "type": "video_url", "video_url": { "url": "https://x/y.mp4" } },
            { "type": "image_url", "image_url": "https://x/y.png" },
            { "type": "hologram", "hologram": 1 },
        ] }),
        json!({ "role": "assistant", "content": null, "tool_calls": [
            { "id": "c", "type": "function", "function": { "name": "f", "arguments": "{}" } },
        ] }),
        json!({ "role": "assistant", "refusal": "no" }),
        json!({ "role": "assistant", "function_call": { "name": "f", "arguments": "{}" } }),
        json!({ "role": "tool", "tool_call_id": "c", "content": "1" }),
        json!({ "role": "function", "name": "f", "content": null }),
    ];
    let invalid = [
        json!({ "role": "user" }),
        json!({ "role": "wizard", "content": "a" }),
        json!({ "role": "user", "content": 5 }),
        json!({ "role": "user", "content": [] }),
        json!({ "role": "user", "content": null }),
        json!({ "role": "user", "content": [{ "type": "text" }] }),
        json!({ "role": "user", "content": [{ "type": "hologram" }] }),
        json!({ "role": "user", "content": [{ "type": "file", "file": null }] }),
        json!({ "role": "tool", "content": "a" }),
        json!({ "role": "function", "content": "a" }),
        json!({ "role": "assistant" }),
        json!({ "role": "assistant", "content": null }),
        json!({ "role": "assistant", "tool_calls": [["c", ["f", "{}"]]] }),
        json!({ "role": "assistant", "function_call": ["f", "{}"] }),
        json!("user"),
    ];
    check(
        &gateway(),
        "ChatRequest",
        |body| chat::parse(body).is_ok(),
        &valid.each_ref().map(message),
        &invalid.each_ref().map(message),
    );
}

#[test]
fn options_of_chat_requests() {
    let valid = [
        ("temperature", json!(2)),
        ("temperature", json!(null)),
        ("stop", json!("x")),
        ("stop", json!(["a", "b"])),
        ("logit_bias", json!({ "1": -100 })),
        ("response_format", json!({ "type": "json_object" })),
        (
            "tools",
            json!([{ "type": "function", "function": { "name": "f", "parameters": {} } }]),
        ),
        (
            "tools",
            json!([{ "type": "custom", "custom": { "name": "f" } }]),
        ),
        ("tool_choice", json!("auto")),
        (
            "tool_choice",
            json!({ "type": "function", "function": { "name": "f" } }),
        ),
        ("reasoning_effort", json!("adaptive")),
        ("metadata", json!({ "a": "b" })),
        ("session_id", json!("user-1:chat")),
        ("unknown_member", json!([1])),
        ("n", json!(128)),
        ("service_tier", json!("flex")),
    ];
    let invalid = [
        ("temperature", json!(2.1)),
        ("top_p", json!(-0.1)),
        ("n", json!(0)),
        ("n", json!(129)),
        ("max_tokens", json!(0)),
        ("max_tokens", json!(2_147_483_648_u64)),
        ("max_tokens", json!("5")),
        ("max_tokens", json!(1.5)),
        ("stop", json!(["a", "b", "c", "d", "e"])),
        ("stop", json!("")),
        ("presence_penalty", json!(3)),
        ("top_logprobs", json!(21)),
        ("logit_bias", json!({ "1": 101 })),
        ("response_format", json!("json")),
        ("tool_choice", json!(5)),
        ("tools", json!([{ "type": "function" }])),
        (
            "tools",
            json!([{ "type": "function", "function": { "name": "a b" } }]),
        ),
        (
            "tools",
            json!([{ "type": "function", "function": { "name": "a", "parameters": [] } }]),
        ),
        ("tools", json!([{ "type": "custom", "custom": {} }])),
        (
            "tools",
            json!([{ "type": "other", "other": { "name": "a" } }]),
        ),
        ("functions", json!([{ "name": "a b" }])),
        ("reasoning_effort", json!("huge")),
        ("verbosity", json!("loud")),
        ("metadata", json!({ "a": 1 })),
        ("session_id", json!("a b")),
        ("service_tier", json!("x".repeat(65))),
        ("modalities", json!(vec!["text"; 9])),
        ("stream", json!("yes")),
        ("model", json!("")),
        ("messages", json!([])),
    ];
    let body = |(name, value): &(&str, Value)| option(name, value);
    check(
        &gateway(),
        "ChatRequest",
        |body| chat::parse(body).is_ok(),
        &valid.each_ref().map(body),
        &invalid.each_ref().map(body),
    );
}

#[test]
fn requests_for_messages() {
    let headers = messages::Headers {
        version: Some("2023-06-01"),
        beta: None,
    };
    let with = |name: &str, value: Value| {
        let mut body = json!({ "model": "m", "max_tokens": 64, "messages": [{ "role": "user", "content": "a" }] });
        body[name] = value;
        body
    };
    let valid = [
        with("stream", json!(true)),
        with("system", json!("Be brief.")),
        with(
            "system",
            json!([{ "type": "text", "text": "a", "cache_control": { "type": "ephemeral" } }]),
        ),
        with(
            "messages",
            json!([{ "role": "user", "content": [{ "type": "text", "text": "a" }] }]),
        ),
        with("stop_sequences", json!(["a", "b"])),
        with("metadata", json!({ "user_id": "u" })),
        with("service_tier", json!("auto")),
        with("temperature", json!(1)),
        with("session_id", json!("user-1:chat")),
        with("unknown_member", json!([1])),
    ];
    let invalid = [
        with("model", json!("")),
        with("messages", json!([])),
        with("messages", json!([{ "role": "tool", "content": "a" }])),
        with("messages", json!([{ "role": "user" }])),
        with("messages", json!([{ "role": "user", "content": [] }])),
        with("messages", json!([{ "role": "user", "content": 5 }])),
        with("max_tokens", json!(0)),
        with("temperature", json!(1.5)),
        with("top_p", json!(-1)),
        with("system", json!(5)),
        with("stop_sequences", json!([""])),
        with("metadata", json!("u")),
        with("service_tier", json!("flex")),
        with("session_id", json!("a b")),
    ];
    let parse = |body: &[u8]| messages::parse(&headers, body).is_ok();
    check(&gateway(), "MessageRequest", parse, &valid, &invalid);
    let uncounted = [json!({ "model": "m", "messages": [{ "role": "user", "content": "a" }] })];
    check(&gateway(), "MessageRequest", parse, &[], &uncounted);
    let count = |body: &[u8]| messages::parse_count(&headers, body).is_ok();
    check(
        &gateway(),
        "MessageCountRequest",
        count,
        &uncounted,
        &invalid,
    );
}

#[test]
fn requests_for_responses() {
    let with = |name: &str, value: Value| {
        let mut body = json!({ "model": "m", "input": "a" });
        body[name] = value;
        body
    };
    let input = |item: Value| with("input", json!([item, { "role": "user", "content": "a" }]));
    let tools = |tool: Value| with("tools", json!([tool]));
    let valid = [
        with("stream", json!(true)),
        with(
            "previous_response_id",
            json!("resp_01ARZ3NDEKTSV4RRFFQ69G5FAV"),
        ),
        with("conversation", json!({ "id": "my-session" })),
        with("instructions", json!(null)),
        with("metadata", json!({ "a": "b" })),
        with("reasoning", json!({ "effort": "low", "summary": "auto" })),
        with(
            "text",
            json!({ "format": { "type": "json_schema", "name": "n", "schema": {} }, "verbosity": "low" }),
        ),
        with("text", json!({ "format": null })),
        with("tool_choice", json!({ "type": "function", "name": "f" })),
        with("tool_choice", json!("required")),
        with("include", json!(["reasoning.encrypted_content"])),
        with("truncation", json!("disabled")),
        with("unknown_member", json!([1])),
        tools(json!({ "type": "function", "name": "f", "parameters": {}, "strict": true })),
        tools(json!({ "type": "custom", "name": "f", "format": { "type": "text" } })),
        tools(
            json!({ "type": "namespace", "name": "n", "tools": [{ "type": "function", "name": "f" }] }),
        ),
        tools(json!({ "type": "time_now" })),
        input(json!({ "role": "developer", "content": [{ "type": "input_text", "text": "a" }] })),
        input(
            json!({ "type": "message", "role": "user", "content": [{ "type": "input_image", "image_url": "https://x/y.png" }] }),
        ),
        input(json!({ "type": "function_call_output", "call_id": "c", "output": "1" })),
        input(json!({ "type": "reasoning", "summary": [{ "type": "summary_text", "text": "a" }] })),
    ];
    let invalid = [
        json!({ "model": "m" }),
        with("model", json!("")),
        with("input", json!(5)),
        with("input", json!([])),
        with("temperature", json!(2.1)),
        with("top_p", json!(-1)),
        with("top_logprobs", json!(21)),
        with("max_output_tokens", json!(0)),
        with("max_tool_calls", json!(0)),
        with("truncation", json!("middle")),
        with("conversation", json!("a b")),
        with("background", json!(true)),
        with("prompt", json!({ "id": "p" })),
        with("reasoning", json!({ "effort": "huge" })),
        with("reasoning", json!({ "summary": "long" })),
        with("text", json!({ "format": { "type": "xml" } })),
        with("metadata", json!({ "a": 1 })),
        with("tool_choice", json!("some")),
        tools(json!({ "type": "function" })),
        tools(json!({ "type": "web_search" })),
        input(json!({ "role": "tool", "content": "a" })),
        input(json!({ "role": "user" })),
        input(json!({ "role": "user", "content": [{ "type": "hologram" }] })),
        input(json!({ "role": "user", "content": [{ "type": "input_image", "file_id": "f" }] })),
        input(json!({ "type": "function_call", "name": "f", "arguments": "{}" })),
        input(json!({ "type": "function_call_output", "output": "1" })),
        input(json!({ "type": "web_search_call", "id": "w" })),
    ];
    let parse = |body: &[u8]| responses::parse(body, &[]).is_ok();
    check(&gateway(), "ResponseRequest", parse, &valid, &invalid);
    let count = |body: &[u8]| responses::parse_count(body, &[]).is_ok();
    check(&gateway(), "ResponseRequest", count, &valid, &invalid);
    let labels = |body: &[u8]| responses::parse_conversation(body).is_ok();
    let valid = [
        json!({}),
        json!({ "metadata": { "a": "b" }, "items": [] }),
        json!({ "metadata": null }),
    ];
    let invalid = [
        json!({ "items": [1] }),
        json!({ "title": "a" }),
        json!({ "metadata": { "a": 1 } }),
        json!([]),
    ];
    check(&gateway(), "ConversationSettings", labels, &valid, &invalid);
}

#[test]
fn sessions_and_changes_of_them() {
    let settings = [
        json!({}),
        json!({ "title": null, "metadata": null, "tools": null, "expires_at": null }),
        json!({ "title": "Trip 🌍", "metadata": { "user": "42" }, "system_prompt": "Be brief.", "ttl": 60 }),
        json!({ "thinking_level": "high", "model": "auto", "time_zone": "-03:30" }),
    ];
    let invalid = [
        json!({ "title": "" }),
        json!({ "title": "x".repeat(201) }),
        json!({ "title": 5 }),
        json!({ "metadata": { "a": 1 } }),
        json!({ "metadata": { "a".repeat(65): "b" } }),
        json!({ "system_prompt": "" }),
        json!({ "model": "" }),
        json!({ "thinking_level": "huge" }),
        json!({ "time_zone": "Europe/Berlin" }),
        json!({ "time_zone": "+14:01" }),
        json!({ "tools": "time_now" }),
        json!({ "ttl": -1 }),
        json!({ "unknown": 1 }),
        json!([]),
    ];
    let (new, change) = (
        |body: &[u8]| sessions::parse_new(body, NOW).is_ok(),
        |body: &[u8]| sessions::parse_change(body, NOW).is_ok(),
    );
    check(&gateway(), "NewSession", new, &settings, &invalid);
    check(&gateway(), "SessionChange", change, &settings, &invalid);
    let named = [json!({ "id": "my-session" })];
    check(
        &gateway(),
        "NewSession",
        new,
        &named,
        &[json!({ "id": "a b" })],
    );
    check(&gateway(), "SessionChange", change, &[], &named);
}

#[test]
fn keys_and_tokens() {
    let valid = [
        json!({ "name": "a", "scopes": ["chat", "sessions:read"] }),
        json!({ "name": "a", "kind": "public", "allowed_origins": ["https://example.org"] }),
        json!({ "name": "a", "scopes": ["chat"], "limits": { "requests_per_minute": 60, "burst": null } }),
    ];
    let invalid = [
        json!({ "scopes": ["chat"] }),
        json!({ "name": "", "scopes": ["chat"] }),
        json!({ "name": "a", "kind": "admin", "scopes": ["chat"] }),
        json!({ "name": "a", "scopes": ["all"] }),
        json!({ "name": "a", "scopes": ["chat"], "limits": { "tokens": 1 } }),
        json!({ "name": "a", "scopes": ["chat"], "tenant_id": "t" }),
    ];
    let key = |body: &[u8]| NewKey::parse(body, NOW).is_ok();
    check(&admin(), "NewApiKey", key, &valid, &invalid);
    let rotation = |body: &[u8]| KeyRotation::parse(body, NOW).is_ok();
    let valid = [
        json!({}),
        json!({ "grace_seconds": 0 }),
        json!({ "expires_at": null }),
    ];
    let invalid = [
        json!({ "grace_seconds": 7_776_001 }),
        json!({ "grace_seconds": -1 }),
        json!({ "x": 1 }),
    ];
    check(&admin(), "ApiKeyRotation", rotation, &valid, &invalid);
    let token = |body: &[u8]| NewToken::parse(body, NOW).is_ok();
    let valid = [
        json!({ "name": "a", "role": "owner" }),
        json!({ "name": "a", "role": "viewer", "tenant_id": null, "expires_at": 1_893_456_000 }),
        json!({ "name": "a", "role": "tenant_admin", "tenant_id": "ten_01ARZ3NDEKTSV4RRFFQ69G5FAV" }),
    ];
    let invalid = [
        json!({}),
        json!({ "name": "a" }),
        json!({ "name": "a", "role": "admin" }),
        json!({ "name": "a", "role": "tenant_admin", "tenant_id": "acme" }),
        json!({ "name": "x".repeat(201), "role": "owner" }),
        json!({ "name": "a", "role": "owner", "expires_at": "soon" }),
    ];
    check(&admin(), "NewAdminToken", token, &valid, &invalid);
    let present = AdminToken {
        id: "adm_01ARZ3NDEKTSV4RRFFQ69G5FAV".parse().expect("an id"),
        name: "a".to_owned(),
        role: AdminRole::Owner,
        expires_at: None,
        revoked_at: None,
        created_at: NOW,
    };
    let patch = |body: &[u8]| {
        let patch = TokenPatch::parse(body);
        let patched = patch.and_then(|patch| patch.apply_to(present.clone(), NOW));
        patched.is_ok()
    };
    let valid = [
        json!({}),
        json!({ "name": "b", "role": "viewer" }),
        json!({ "role": "tenant_admin", "tenant_id": "ten_01ARZ3NDEKTSV4RRFFQ69G5FAV" }),
        json!({ "expires_at": null, "tenant_id": null }),
    ];
    let invalid = [
        json!({ "name": null }),
        json!({ "name": "" }),
        json!({ "role": null }),
        json!({ "role": "admin" }),
        json!({ "tenant_id": "acme" }),
        json!({ "revoked_at": 5 }),
        json!([]),
    ];
    check(&admin(), "AdminTokenPatch", patch, &valid, &invalid);
}

fn tenant() -> Tenant {
    Tenant {
        id: "ten_01ARZ3NDEKTSV4RRFFQ69G5FAV".parse().expect("an id"),
        name: "a".to_owned(),
        tier: Tier::default(),
        status: TenantStatus::default(),
        settings: TenantSettings::default(),
        version: 1,
        created_at: NOW,
        updated_at: NOW,
    }
}

#[test]
fn tenants_and_patches_of_them() {
    let valid = [
        json!({ "name": "a" }),
        json!({ "name": "a", "tier": "pro", "status": "suspended", "retention_days": 30 }),
        json!({ "name": "a", "limits": { "burst": "unlimited", "concurrent": null, "shares": { "read": 10 } } }),
        json!({ "name": "a", "fallback": ["m"], "classifier": { "off": ["code"], "simple_threshold": 0.5 } }),
        json!({ "name": "a", "fallback": { "code": ["m"] }, "quotas": { "tokens_per_month": 5 } }),
    ];
    let invalid = [
        json!({ "name": "" }),
        json!({ "name": "a", "tier": "gold" }),
        json!({ "name": "a", "status": "deleting" }),
        json!({ "name": "a", "limits": { "burst": -1 } }),
        json!({ "name": "a", "limits": { "burst": "none" } }),
        json!({ "name": "a", "limits": { "shares": { "read": 0 } } }),
        json!({ "name": "a", "limits": { "more": 1 } }),
        json!({ "name": "a", "retention_days": 0 }),
        json!({ "name": "a", "classifier": { "simple_threshold": 1.5 } }),
        json!({ "name": "a", "fallback": "m" }),
        json!({ "name": "a", "version": 2 }),
    ];
    let put = |body: &[u8]| {
        TenantBody::parse(body)
            .and_then(|body| body.apply_to(tenant()))
            .is_ok()
    };
    check(&admin(), "TenantSettings", put, &valid, &invalid);
    check(&admin(), "TenantSettings", put, &[], &[json!({})]);
    let patch = |body: &[u8]| {
        let patch = TenantPatch::parse(body);
        let merged = patch.and_then(|patch| patch.merge_into(&tenant()));
        merged.and_then(|body| body.apply_to(tenant())).is_ok()
    };
    check(&admin(), "TenantPatch", patch, &valid, &invalid);
    let partial = [
        json!({}),
        json!({ "retention_days": null, "limits": null, "tier": null }),
    ];
    check(
        &admin(),
        "TenantPatch",
        patch,
        &partial,
        &[json!({ "name": null })],
    );
}

#[test]
fn requests_for_widgets() {
    let opens = |body: &[u8]| OpenSession::parse(body).is_ok();
    let valid = [
        json!({}),
        json!({ "conversation": null, "later": { "a": 1 } }),
        json!({ "conversation": "web_1", "visitor_secret": "s", "user_token": "t", "widget_version": "1", "language": "de" }),
    ];
    let invalid = [json!({ "user_token": 1 }), json!([]), json!("a")];
    check(&gateway(), "WidgetSessionRequest", opens, &valid, &invalid);
    let patch = |body: &[u8]| {
        let patch = WidgetPatch::parse(body);
        patch
            .and_then(|it| it.apply_to(&WidgetSettings::default()))
            .is_ok()
    };
    let pem = "-----BEGIN PUBLIC KEY-----\nAQID\n-----END PUBLIC KEY-----";
    let valid = [
        json!({ "title": null, "welcome": "Hi", "theme": "midnight", "starter_prompts": ["a"] }),
        json!({ "colours": { "on_accent": "#ABCdef" }, "languages": ["pt-BR"] }),
        json!({ "user_tokens": { "algorithm": "EdDSA", "public_key": pem, "required": true } }),
        json!({ "user_tokens": null, "colours": null }),
    ];
    let invalid = [
        json!({ "title": "" }),
        json!({ "title": "x".repeat(81) }),
        json!({ "theme": "pink" }),
        json!({ "starter_prompts": ["a", ""] }),
        json!({ "starter_prompts": vec!["a"; 9] }),
        json!({ "colours": { "text": "red" } }),
        json!({ "colours": { "red": "#ff0000" } }),
        json!({ "languages": ["EN"] }),
        json!({ "languages": vec!["en"; 41] }),
        json!({ "logo_url": "https://example.org/x.svg" }),
        json!({ "user_tokens": { "algorithm": "HS256", "public_key": pem } }),
        json!({ "user_tokens": { "algorithm": "ES256" } }),
    ];
    check(&admin(), "WidgetPatch", patch, &valid, &invalid);
    let logo = |body: &[u8]| parse_logo(body).is_ok();
    let png = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
    let invalid = [
        json!({}),
        json!({ "image": 1 }),
        json!({ "image": png, "url": "a" }),
    ];
    check(
        &admin(),
        "WidgetLogo",
        logo,
        &[json!({ "image": png })],
        &invalid,
    );
}
