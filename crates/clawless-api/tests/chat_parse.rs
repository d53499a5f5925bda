//! Limits and unknown parameters of chat requests, through [`clawless_api::chat::parse`].
#![allow(clippy::expect_used, reason = "an unexpected value must fail the test")]

use clawless_api::chat::parse;

#[test]
fn all_schemas_of_a_request_share_one_budget() {
    let tool = |n| {
        let properties: Vec<_> = (0..200)
            .map(|p| format!(r#""p{p}":{{"type":"string"}}"#))
            .collect();
        let parameters = format!(
            r#"{{"type":"object","properties":{{{}}}}}"#,
            properties.join(",")
        );
        format!(r#"{{"type":"function","function":{{"name":"t{n}","parameters":{parameters}}}}}"#)
    };
    let request = |tools: usize| {
        let tools: Vec<_> = (0..tools).map(tool).collect();
        let body = format!(
            r#"{{"model":"m","messages":[{{"role":"user","content":"hi"}}],"tools":[{}]}}"#,
            tools.join(",")
        );
        parse(body.as_bytes())
    };
    request(60).expect("60 tools of 200 properties");
    let error = request(128).expect_err("128 tools of 200 properties");
    assert_eq!(
        (error.status(), error.param.as_deref()),
        (400, Some("tools"))
    );
    let custom = r#"{"type":"custom","custom":{"name":"c","x":1e400}}"#;
    let body = format!(
        r#"{{"model":"m","messages":[{{"role":"user","content":"hi"}}],"tools":[{custom}]}}"#
    );
    parse(body.as_bytes()).expect_err("custom tools are checked too");
}

fn extensions(more: &str) -> Vec<(String, String)> {
    let body = format!(r#"{{"model":"m","messages":[{{"role":"user","content":"a"}}]{more}}}"#);
    let request = parse(body.as_bytes()).expect("valid");
    let extensions = request.request.options.extensions.into_iter();
    extensions
        .map(|(name, value)| (name, value.as_str().to_owned()))
        .collect()
}

#[test]
fn unknown_parameters_are_kept_unparsed() {
    let unknown = extensions(
        r#","top_k":40,"temperature":0.5,"stream":true,"stream_options":{},"session_id":"s",
           "chat_template_kwargs":{ "enable_thinking":false },"user":"u","n":1"#,
    );
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    assert_eq!(
        unknown,
        [
            pair("top_k", "40"),
            pair("chat_template_kwargs", r#"{ "enable_thinking":false }"#)
        ]
    );
}

#[test]
fn unknown_parameters_are_limited_and_unique() {
    let many: Vec<String> = (0..1000).map(|n| format!(r#","x{n}":1"#)).collect();
    let many = many.concat();
    assert_eq!(extensions(&many).len(), 64);
    for more in [
        r#","top_k":1,"top_k":2"#.to_owned(),
        format!(r#","x":"{}""#, "a".repeat(600 * 1024)),
        r#","x":1e400"#.to_owned(),
    ] {
        let body = format!(r#"{{"model":"m","messages":[{{"role":"user","content":"a"}}]{more}}}"#);
        assert!(parse(body.as_bytes()).is_err());
    }
}
