//! Content parts of many types.

use super::*;

fn part_sent(name: &str, part: &str) -> Result<String, String> {
    let body = format!(r#"{{"model":"auto","messages":[{{"role":"user","content":[{part}]}}]}}"#);
    match super::super::body(&request(&body), profile(name), None, Mode::Whole) {
        Ok(sent) => {
            let sent = String::from_utf8(sent).expect("UTF-8");
            let (_, part) = sent.split_once(r#""content":["#).expect("a list");
            Ok(part.trim_end_matches("]}]}").to_owned())
        }
        Err(LlmError::Unsupported { message, param }) => {
            assert_eq!(param, "messages[0].content");
            Err(message)
        }
        Err(other) => panic!("{other:?}"),
    }
}

#[test]
fn parts_are_sent_to_providers_that_may_know_them() {
    let document = r#"{"type":"document_url","document_url":"https://x.example/a.pdf"}"#;
    let unknown = r#"{"type":"hologram","hologram":{"url":"https://x.example/a"}}"#;
    for (name, part, is_sent) in [
        ("mistral", document, true),
        ("default", document, true),
        ("openai", document, false),
        ("ollama", document, false),
        ("default", unknown, true),
        ("openrouter", unknown, true),
        ("vllm", unknown, true),
        ("openai", unknown, false),
        ("mistral", unknown, false),
        ("deepseek", unknown, false),
    ] {
        match part_sent(name, part) {
            Ok(sent) => assert!(is_sent && sent == part, "{name}: {sent}"),
            Err(message) => {
                let kind = if part == unknown {
                    "hologram"
                } else {
                    "document_url"
                };
                assert!(!is_sent && message.contains(kind), "{name}: {message}");
            }
        }
    }
}

#[test]
fn an_image_that_is_a_text_becomes_an_object() {
    let object = r#"{"type":"image_url","image_url":{"url":"data:image/png;base64,AA=="}}"#;
    for part in [
        r#"{"type":"image_url","image_url":"data:image/png;base64,AA=="}"#,
        r#"{"type":"image_url","image_url" : "data:image/png;base64,AA=="}"#,
        object,
    ] {
        for name in ["default", "openai", "mistral"] {
            assert_eq!(part_sent(name, part).as_deref(), Ok(object), "{name}");
        }
    }
    let quoted = r#"{"type":"text","text":"\"image_url\":\"x\""}"#;
    assert_eq!(part_sent("default", quoted).as_deref(), Ok(quoted));
    let text = part_sent("deepseek", object).expect_err("no images");
    assert!(text.contains("image_url"), "{text}");
}
