//! What goes back to a provider of its own answers.

use super::*;

#[test]
fn provider_members_are_replayed_within_a_tool_call_chain() {
    for (name, kept) in [
        ("default", [true, true, true]),
        ("deepseek", [true, false, false]),
        ("moonshot", [true, false, false]),
        ("openrouter", [false, true, false]),
        ("gemini", [false, false, true]),
        ("openai", [false, false, false]),
    ] {
        let sent = messages_sent(name, CHAIN);
        let members = ["reasoning_content", "reasoning_details", "extra_content"];
        for (member, kept) in members.into_iter().zip(kept) {
            assert_eq!(sent.contains(member), kept, "{name}, {member}: {sent}");
        }
        assert!(!sent.contains("refusal"), "{sent}");
        assert!(sent.contains(r#""content":null"#), "{sent}");
    }
}

#[test]
fn reasoning_of_earlier_turns_is_replayed_only_if_the_profile_requires_it() {
    let answered =
        format!(r#"{CHAIN},{{"role":"assistant","content":"18","reasoning_content":"so 18"}}"#);
    let later = format!(r#"{answered},{{"role":"user","content":"b"}}"#);
    for name in ["deepseek", "moonshot", "default"] {
        // All of a turn with tool calls, whatever follows.
        for messages in [&later, &format!("{later},{answered}")] {
            let sent = messages_sent(name, messages);
            let count = messages.matches(r#""reasoning_content":"#).count();
            let is_sent = sent.matches(r#""reasoning_content":"#).count() == count;
            assert!(is_sent, "{name}: {sent}");
        }
        let plain = concat!(
            r#"{"role":"user","content":"a"},"#,
            r#"{"role":"assistant","content":"b","reasoning_content":"hm","tool_calls":null},"#,
            r#"{"role":"user","content":"c"}"#
        );
        let sent = messages_sent(name, plain);
        assert!(!sent.contains("reasoning"), "{name}: {sent}");
    }
    for name in ["zai", "vllm", "groq"] {
        let sent = messages_sent(name, &later);
        assert!(!sent.contains("reasoning"), "{name}: {sent}");
    }
    assert!(messages_sent("openrouter", &later).contains("reasoning_details"));
    assert!(messages_sent("gemini", &later).contains("thought_signature"));
}

#[test]
fn missing_reasoning_is_filled_if_the_profile_requires_it() {
    const REASONING: &str = r#""reasoning_content":"hm","#;
    const FILLED: &str = r#""reasoning_content":"""#;
    let turns = format!(r#"{CHAIN},{{"role":"user","content":"b"}},{CHAIN}"#);
    for missing in [
        "",
        r#""reasoning_content":null,"#,
        r#""reasoning_content":"","#,
        r#""reasoning":"","#,
    ] {
        let messages = turns.replace(REASONING, missing);
        for name in ["deepseek", "moonshot"] {
            let sent = messages_sent(name, &messages);
            assert_eq!(sent.matches(FILLED).count(), 2, "{name}: {sent}");
            assert_eq!(sent.matches("\"reasoning").count(), 2, "{name}: {sent}");
        }
    }
    let missing = turns.replace(REASONING, "");
    for off in [
        r#""reasoning_effort":"none""#,
        r#""thinking":{"type":"disabled"}"#,
    ] {
        let body = format!(r#"{{"model":"auto","messages":[{missing}],{off}}}"#);
        let sent = encoded_for(profile("deepseek"), &body, Mode::Whole);
        assert!(sent.contains(off) && !sent.contains(FILLED), "{sent}");
    }
    for name in ["zai", "openai", "xai", "default"] {
        let sent = messages_sent(name, &turns.replace(REASONING, ""));
        assert!(!sent.contains(r#""reasoning_content""#), "{name}: {sent}");
    }
    // Present reasoning and messages without calls stay as they are.
    for name in ["deepseek", "moonshot"] {
        let sent = messages_sent(name, CHAIN);
        assert!(sent.contains(REASONING.trim_end_matches(',')), "{sent}");
        let plain = r#"{"role":"user","content":"a"},{"role":"assistant","content":"b"},{"role":"user","content":"c"}"#;
        assert_eq!(messages_sent(name, plain), plain);
    }
}

#[test]
fn a_user_message_after_results_does_not_end_the_chain() {
    let text = format!(r#"{CHAIN},{{"role":"user","content":"Mind the units."}}"#);
    let image = r#"{"type":"image_url","image_url":{"url":"https://x.example/a.png"}}"#;
    let image = format!(r#"{text},{{"role":"user","content":[{image}]}}"#);
    for (name, member, messages) in [
        ("deepseek", "reasoning_content", &text),
        ("zai", "reasoning_content", &image),
        ("groq", "reasoning", &image),
        ("vllm", "reasoning_content", &image),
        ("default", "extra_content", &image),
    ] {
        let sent = messages_sent(name, messages);
        assert!(sent.contains(&format!(r#""{member}":"#)), "{name}: {sent}");
    }
    // Content blocks of the Messages API: the result, its image and a text.
    let results = concat!(
        r#"[{"type":"tool_result","tool_use_id":"call_1","content":[{"type":"text","text":"18"},"#,
        r#"{"type":"image","source":{"type":"url","url":"https://x.example/a.png"}}]}]"#
    );
    let text = r#"[{"type":"text","text":"Mind the units."}]"#;
    let mut asked = request(&format!(r#"{{"model":"auto","messages":[{CHAIN}]}}"#));
    asked.messages.pop();
    for (role, blocks) in [(Role::Tool, results), (Role::User, text)] {
        let blocks: Vec<Json> = serde_json::from_str(blocks).expect("blocks");
        let message = Message::from_blocks(role, &blocks).expect("a message");
        asked.messages.push(message);
    }
    let sent = super::body(&asked, profile("zai"), None, Mode::Whole).expect("encodes");
    let sent = String::from_utf8(sent).expect("UTF-8");
    assert_eq!(sent.matches(r#""role":"user""#).count(), 3, "{sent}");
    assert!(sent.contains(r#""reasoning_content":"hm""#), "{sent}");
}

#[test]
fn reasoning_has_every_name_that_the_provider_reads() {
    for (name, content, bare) in [
        ("vllm", true, true),
        ("default", true, true),
        ("lmstudio", true, true),
        ("together", false, true),
        ("groq", false, true),
        ("ollama", false, true),
        ("fireworks", true, false),
        ("llama.cpp", true, false),
        ("qwen", true, false),
    ] {
        for member in ["reasoning_content", "reasoning"] {
            let messages = CHAIN.replace("reasoning_content", member);
            let sent = messages_sent(name, &messages);
            for (member, is_sent) in [("reasoning_content", content), ("reasoning", bare)] {
                let member = format!(r#""{member}":"hm""#);
                assert_eq!(sent.contains(&member), is_sent, "{name}: {sent}");
            }
        }
    }
}
