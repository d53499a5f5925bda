use super::*;

#[test]
fn statuses_map_to_errors() {
    let wait = None;
    let cases = [
        (429, "{}", LlmError::RateLimited { retry_after: wait }),
        (
            429,
            r#"{"error":{"message":"pay","code":"insufficient_quota"}}"#,
            LlmError::Misconfigured { status: 429 },
        ),
        (529, "<html>", LlmError::Overloaded { retry_after: wait }),
        (
            503,
            "",
            LlmError::ServerError {
                status: 503,
                retry_after: wait,
            },
        ),
        (401, "{}", LlmError::Misconfigured { status: 401 }),
        (404, "{}", LlmError::Misconfigured { status: 404 }),
        (
            400,
            r#"{"error":{"message":"x","code":"context_length_exceeded"}}"#,
            LlmError::ContextLength,
        ),
        (
            400,
            r#"{"object":"error","message":"This model's maximum context length is 9"}"#,
            LlmError::ContextLength,
        ),
        (
            400,
            "{\"error\":{\"message\":\"bad\\r\\n\\u001b[31mstop\",\"param\":\"stop\"}}",
            LlmError::InvalidRequest {
                message: "bad   [31mstop".to_owned(),
                param: Some("stop".to_owned()),
            },
        ),
        (
            400,
            r#"{"type":"error","error":{"type":"invalid_request_error","message":"Your credit balance is too low"}}"#,
            LlmError::Misconfigured { status: 400 },
        ),
        (
            400,
            r#"{"object":"error","message":"max_tokens must be at least 1, got -5.","type":"BadRequestError","param":null,"code":400}"#,
            LlmError::ContextLength,
        ),
        (
            400,
            r#"{"error":{"message":"max_completion_tokens must be at least 1, got 0.","code":400}}"#,
            LlmError::ContextLength,
        ),
        (
            422,
            "<html>secret</html>",
            LlmError::InvalidRequest {
                message: "The model's provider refuses the request as invalid.".to_owned(),
                param: None,
            },
        ),
    ];
    for (status, body, expected) in cases {
        assert_eq!(
            refusal(status, body.as_bytes()),
            expected,
            "{status} {body}"
        );
    }
}

#[test]
fn reported_errors_are_parsed_in_every_form() {
    let read = |text| reported(&serde_json::from_str(text).expect("JSON"));
    assert_eq!(read(r#""boom""#), LlmError::Reported("boom".to_owned()));
    assert_eq!(
        read(r#"{"message":"boom"}"#),
        LlmError::Reported("boom".to_owned())
    );
    assert!(matches!(read("{}"), LlmError::Reported(_)));
    let busy = LlmError::Overloaded { retry_after: None };
    assert_eq!(read(r#"{"message":"x","code":503}"#), busy);
    assert_eq!(read(r#"{"type":"overloaded_error"}"#), busy);
    assert_eq!(
        read(r#"{"code":"rate_limit_exceeded"}"#),
        LlmError::RateLimited { retry_after: None }
    );
}

#[test]
fn context_window_errors_are_recognized_for_every_server() {
    for (status, body) in [
        (
            400,
            r#"{"error":{"message":"You passed 202753 input tokens and requested 0 output tokens. However, the model's context length is only 202752 tokens.","type":"BadRequestError","param":null,"code":400}}"#,
        ),
        (
            400,
            r#"{"error":"Trying to keep the first 9000 tokens when context the overflows. However, the model is loaded with context length of only 4096 tokens, which is not enough."}"#,
        ),
        (
            400,
            r#"{"object":"error","message":"Prompt contains 140000 tokens and 0 draft tokens, too large for model with 131072 maximum context length","type":"invalid_request_prompt","code":"3051"}"#,
        ),
        (
            400,
            r#"[{"error":{"code":400,"message":"The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).","status":"INVALID_ARGUMENT"}}]"#,
        ),
        (
            400,
            r#"{"error":{"message":"Please reduce the length of the messages or completion.","code":"context_length_exceeded"}}"#,
        ),
        (
            422,
            r#"{"error":{"message":"Input validation error: `inputs` tokens + `max_new_tokens` must be <= 8193. Given: 9000 `inputs` tokens and 512 `max_new_tokens`","param":"max_tokens"}}"#,
        ),
        (
            400,
            r#"{"error":{"code":"1261","message":"Prompt exceeds max length"}}"#,
        ),
        (
            400,
            r#"{"error":{"object":"error","code":"invalid_request_error","message":"The prompt is too long: 140000, model maximum context length: 131071"}}"#,
        ),
        (
            400,
            r#"{"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: 210000 tokens > 200000 maximum"}}"#,
        ),
        (
            400,
            r#"{"message":"Input is too long for requested model."}"#,
        ),
        (
            400,
            r#"{"error":{"message":"prompt token count of 140000 exceeds the limit of 128000","code":"model_max_prompt_tokens_exceeded"}}"#,
        ),
        (
            500,
            r#"{"error":{"message":"input length exceeds maximum context length","type":"api_error"}}"#,
        ),
        (
            400,
            r#"{"error":{"code":400,"message":"the request exceeds the available context size, try increasing it","type":"exceed_context_size_error","n_prompt_tokens":9000,"n_ctx":4096}}"#,
        ),
        (
            400,
            r#"{"error":"This model's maximum prompt length is 131072 but the request contains 140000 tokens."}"#,
        ),
        (
            400,
            r#"{"error":{"message":"Invalid request: Your request exceeded model token limit: 8192","type":"invalid_request_error"}}"#,
        ),
        (
            400,
            r#"{"error":{"message":"<400> InternalError.Algo.InvalidParameter: Range of input length should be [1, 98304]","code":"invalid_parameter_error"}}"#,
        ),
        (
            413,
            r#"{"error":{"code":"tokens_limit_reached","message":"Request body too large for gpt-4o model. Max size: 8000 tokens."}}"#,
        ),
        (
            400,
            r#"{"error":{"message":"input length and `max_tokens` exceed context limit: 190000 + 20000 > 200000"}}"#,
        ),
    ] {
        assert_eq!(
            refusal(status, body.as_bytes()),
            LlmError::ContextLength,
            "{body}"
        );
    }
    for body in [
        r#"{"error":{"message":"max_tokens: 100000 > 64000, which is the maximum allowed number of output tokens"}}"#,
        r#"{"error":{"message":"Invalid 'messages[1].tool_calls[0].id': string too long.","code":"string_above_max_length","param":"messages[1].tool_calls[0].id"}}"#,
        r#"{"detail":[{"loc":["body","temperature"],"msg":"Input should be less than or equal to 2"}]}"#,
    ] {
        let error = refusal(400, body.as_bytes());
        assert!(
            matches!(error, LlmError::InvalidRequest { .. }),
            "{body}: {error:?}"
        );
    }
}

#[test]
fn rate_limits_are_recognized_with_any_status() {
    let body = r#"{"error":{"message":"Request too large for model `m` on tokens per minute (TPM): Limit 6000, Requested 9000, please reduce your message size and try again.","type":"tokens","code":"rate_limit_exceeded"}}"#;
    for status in [400, 413, 429] {
        assert_eq!(
            refusal(status, body.as_bytes()),
            LlmError::RateLimited { retry_after: None }
        );
    }
}

#[test]
fn retry_delay_in_the_body_is_parsed() {
    let body = r#"[{"error":{"code":429,"message":"You exceeded your current quota. Please retry in 34.07s.","status":"RESOURCE_EXHAUSTED","details":[{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"34s"}]}}]"#;
    let wait = Some(Millis::from_secs(34));
    assert_eq!(
        refusal(429, body.as_bytes()),
        LlmError::RateLimited { retry_after: wait }
    );
    let body: Value = serde_json::from_str(body).expect("JSON");
    assert_eq!(reported(&body), LlmError::RateLimited { retry_after: wait });
}

#[test]
fn flagged_input_is_a_client_error_with_any_status() {
    for (status, body) in [
        (
            403,
            r#"{"error":{"message":"Input was flagged","code":403,"metadata":{"reasons":["violence"],"flagged_input":"...","provider_name":"OpenAI"}}}"#,
        ),
        (
            404,
            r#"{"error":{"message":"Your input was blocked by moderation."}}"#,
        ),
        (
            400,
            r#"{"error":{"code":"data_inspection_failed","message":"Input data may contain inappropriate content."}}"#,
        ),
    ] {
        let error = refusal(status, body.as_bytes());
        assert!(
            matches!(error, LlmError::InvalidRequest { .. }),
            "{body}: {error:?}"
        );
        assert!(!error.is_providers_fault());
    }
    for (status, body) in [
        (403, "{}"),
        (
            403,
            r#"{"error":{"message":"Your account was suspended: it violates our usage policies."}}"#,
        ),
        (
            404,
            r#"{"error":{"message":"The model does not exist","code":"model_not_found"}}"#,
        ),
    ] {
        assert_eq!(
            refusal(status, body.as_bytes()),
            LlmError::Misconfigured { status }
        );
    }
    let images =
        r#"{"error":{"message":"No endpoints found that support image input","code":404}}"#;
    assert!(matches!(
        refusal(404, images.as_bytes()),
        LlmError::Unsupported { param, .. } if param == "messages"
    ));
}

#[test]
fn details_of_a_validation_error_name_the_parameter() {
    let body = r#"{"object":"error","message":{"detail":[{"type":"extra_forbidden","loc":["body","max_completion_tokens"],"msg":"Extra inputs are not permitted"}]},"type":"invalid_request_error","param":null}"#;
    assert_eq!(
        refusal(422, body.as_bytes()),
        LlmError::InvalidRequest {
            message: "Extra inputs are not permitted".to_owned(),
            param: Some("max_completion_tokens".to_owned()),
        }
    );
}

#[test]
fn long_messages_are_truncated() {
    assert_eq!(one_line(&"\u{e4}".repeat(10_000)).chars().count(), 400);
}

/// Bodies with the message in the places where servers put it.
fn bodies(message: &str) -> [String; 7] {
    let message = serde_json::to_string(message).expect("JSON");
    [
        format!(r#"{{"error":{{"message":{message}}}}}"#),
        format!(r#"[{{"error":{{"code":400,"message":{message}}}}}]"#),
        format!(r#"{{"error":{message}}}"#),
        format!(r#"{{"object":"error","message":{message},"code":400}}"#),
        format!(r#"{{"detail":{message}}}"#),
        format!(r#"{{"errors":[{{"message":{message}}}]}}"#),
        format!(r#"{{"msg":{message}}}"#),
    ]
}

#[test]
fn context_window_messages_of_many_servers_are_recognized() {
    for message in [
        "This model's maximum context length is 131072 tokens. However, you requested 140000 tokens (139000 in the messages, 1000 in the completion). Please reduce the length of the messages or completion.",
        "The decoder prompt (length 5000) is longer than the maximum model length of 4096. Make sure that `max_model_len` is no smaller than the number of text tokens.",
        "The input (5000 tokens) is longer than the model's context length (4096 tokens).",
        "Requested token count exceeds the model's maximum context length of 4096 tokens.",
        "Input validation error: `inputs` must have less than 4096 tokens. Given: 5000",
        "the request exceeds the available context size. try increasing the context size or enable context shift",
        "input is too large to process. increase the physical batch size",
        "the input length exceeds the context length",
        "Reached context length of 4096 tokens with this model, but this model does not support mid-generation context overflow.",
        "The number of tokens to keep from the initial prompt is greater than the context length.",
        "Context size has been exceeded.",
        "Prompt contains 140000 tokens and 0 draft tokens, too large for model with 131072 maximum context length",
        "Please reduce the length of the messages or completion. Current length is 8500 while limit is 8192",
        "The prompt is too long: 140000, model maximum context length: 131071",
        "The input token count exceeds the maximum number of tokens allowed 1048576.",
        "Unable to submit request because the input token count is 1200000 but model only supports up to 1048576.",
        "Invalid request: Your request exceeded model token limit: 262144 (requested: 270000)",
        "Range of input length should be [1, 129024]",
        "Total message token length exceed model limit",
        "prompt tokens too long",
        "invalid params, context window exceeds limit (2013)",
        "This model's maximum prompt length is 131072 but the request contains 140000 tokens.",
        "too many tokens: total number of tokens in the prompt exceeds the limit of 4081",
        "Prompt length (5000) exceeds maximum input length (4096)",
        "The estimated number of input and maximum output tokens (9000) exceeded this model context window limit (8000).",
        "prompt is too long: 210000 tokens > 200000 maximum",
        "input length and `max_tokens` exceed context limit: 190000 + 20000 > 200000, decrease input length",
        "tokens in request more than max tokens allowed",
        "Input tokens exceed the configured limit of 272000 tokens. Your messages resulted in 300000 tokens.",
        "Prompt \u{8d85}\u{957f}",
        "CONTEXT LENGTH EXCEEDED",
    ] {
        for body in bodies(message) {
            for status in [400, 413, 422, 500] {
                let error = refusal(status, body.as_bytes());
                assert_eq!(error, LlmError::ContextLength, "{status} {body}");
            }
            let reported = reported(&serde_json::from_str(&body).expect("JSON"));
            assert_eq!(reported, LlmError::ContextLength, "{body}");
        }
        assert_eq!(
            refusal(400, message.as_bytes()),
            LlmError::ContextLength,
            "{message}"
        );
    }
    for message in [
        "max_tokens is too large: 100000. This model supports at most 16384 completion tokens.",
        "Request payload size exceeds the limit: 20971520 bytes.",
        "The tool name is too long: at most 64 characters.",
        "Image is too large: at most 20 MB.",
        "Invalid value for `temperature`: expected a number less than or equal to 2.",
    ] {
        for body in bodies(message) {
            let error = refusal(400, body.as_bytes());
            assert!(
                matches!(error, LlmError::InvalidRequest { .. }),
                "{body}: {error:?}"
            );
        }
    }
}

#[test]
fn moderation_messages_of_many_providers_are_the_clients_fault() {
    for message in [
        "Your input was flagged by our moderation.",
        "The response was filtered due to the prompt triggering Azure OpenAI's content management policy.",
        "Your request was rejected as a result of our safety system.",
        "Invalid prompt: your prompt was flagged as potentially violating our usage policy.",
        "Output blocked by content filtering policy",
        "Content violates usage guidelines. Team: t, API key ID: k, Model: m, Failed check: SAFETY_CHECK_TYPE_BIO",
        "The request was rejected because it was considered high risk",
        "Content Exists Risk",
        "Input data may contain inappropriate content.",
        "<400> InternalError.Algo.DataInspectionFailed: Output data may contain inappropriate content.",
        "The input contains sensitive words. Names are case-sensitive.",
        "The content was blocked: PROHIBITED_CONTENT",
        "Blocked by guardrails",
        "\u{7cfb}\u{7edf}\u{68c0}\u{6d4b}\u{5230}\u{8f93}\u{5165}\u{5185}\u{5bb9}\u{53ef}\u{80fd}\u{5305}\u{542b}\u{654f}\u{611f}\u{5185}\u{5bb9}",
    ] {
        for body in bodies(message) {
            for status in [400, 403, 404, 422, 451] {
                let error = refusal(status, body.as_bytes());
                assert!(
                    matches!(error, LlmError::InvalidRequest { .. }),
                    "{status} {body}: {error:?}"
                );
            }
            let reported = reported(&serde_json::from_str(&body).expect("JSON"));
            assert!(
                matches!(reported, LlmError::InvalidRequest { .. }),
                "{body}: {reported:?}"
            );
        }
    }
    for message in [
        "Your account is suspended for a violation of our usage policies.",
        "Your organization has no access to this model.",
        "The model `x` does not exist.",
        "No model `X`: names are case-sensitive.",
        "No model `X`: names are Case Sensitive.",
        "No model `X`: names are not case-insensitive.",
    ] {
        for body in bodies(message) {
            for status in [403, 404] {
                let error = refusal(status, body.as_bytes());
                assert_eq!(error, LlmError::Misconfigured { status }, "{body}");
                assert!(!error.is_providers_fault());
            }
        }
    }
}

#[test]
fn rate_limits_are_never_the_clients_fault() {
    for message in [
        "Rate limit reached for requests",
        "Request too large for model `m` on tokens per minute (TPM): Limit 6000, Requested 9000",
        "Too many requests",
        "Your account reached max organization concurrency limit",
        "too many concurrent requests",
        "You have exceeded the rate limit: 60 requests per minute",
    ] {
        for body in bodies(message) {
            for status in [400, 403, 413, 422, 429] {
                let error = refusal(status, body.as_bytes());
                assert!(
                    matches!(error, LlmError::RateLimited { .. }),
                    "{status} {body}: {error:?}"
                );
            }
        }
    }
}

#[test]
fn errors_after_a_successful_status_are_classified_by_their_code() {
    let read = |text: &str| reported(&serde_json::from_str(text).expect("JSON"));
    for text in [
        r#"{"message":"bad","type":"BadRequestError","param":null,"code":400}"#,
        r#"{"message":"bad","type":"invalid_request_error"}"#,
        r#"{"error":{"message":"bad","code":"422"}}"#,
    ] {
        let error = read(text);
        assert!(
            matches!(error, LlmError::InvalidRequest { .. }),
            "{text}: {error:?}"
        );
        assert!(!error.is_providers_fault());
    }
    assert_eq!(
        read(r#"{"message":"no","code":401}"#),
        LlmError::Misconfigured { status: 401 }
    );
    assert_eq!(
        read(r#"{"message":"no","code":"404"}"#),
        LlmError::Misconfigured { status: 404 }
    );
    assert_eq!(
        read(r#"{"message":"Insufficient Balance","code":402}"#),
        LlmError::Misconfigured { status: 200 }
    );
    for text in [
        r#"{"message":"Internal error","code":500}"#,
        r#"{"message":"Upstream error","code":502}"#,
        r#"{"message":"x","code":"internal_error"}"#,
        r#"{"detail":"boom"}"#,
        r#"["boom"]"#,
    ] {
        let error = read(text);
        assert!(matches!(error, LlmError::Reported(_)), "{text}: {error:?}");
    }
}
