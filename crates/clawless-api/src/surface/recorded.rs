//! Facts about recorded answers, of which only the text is known.

use serde::Deserialize;

/// The model in a recorded answer: in the body, or in the first event that names one.
pub fn recorded_model(text: &str, is_stream: bool) -> Option<String> {
    /// Chat names the model at the top; other surfaces put the answer into their first event.
    #[derive(Deserialize)]
    struct Answer {
        model: Option<String>,
        message: Option<Named>,
        response: Option<Named>,
    }
    #[derive(Deserialize)]
    struct Named {
        model: String,
    }
    let parse = |json: &str| {
        let answer: Answer = serde_json::from_str(json).ok()?;
        answer
            .model
            .or_else(|| Some(answer.message.or(answer.response)?.model))
    };
    if is_stream {
        let mut events = text.lines().filter_map(|line| line.strip_prefix("data: "));
        events.find_map(parse)
    } else {
        parse(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_model_is_read_from_the_recorded_answer() {
        let event = r#"data: {"choices":[],"model":"large"}"#;
        let failed = format!(": note\n\n{event}\n\ndata: {{\"error\":{{}}}}\n\n");
        let start = r#"{"type":"message_start","message":{"model":"medium"}}"#;
        let started = format!("event: ping\ndata: {{\"type\":\"ping\"}}\n\ndata: {start}\n\n");
        for (text, is_stream, model) in [
            (
                r#"{"id":"a","model":"small","choices":[]}"#,
                false,
                Some("small"),
            ),
            (&*failed, true, Some("large")),
            (&*started, true, Some("medium")),
            (
                "event: response.created\ndata: {\"response\":{\"model\":\"tiny\"}}\n\n",
                true,
                Some("tiny"),
            ),
            ("data: {\"error\":{}}\n\ndata: [DONE]\n\n", true, None),
            ("", true, None),
            ("", false, None),
        ] {
            assert_eq!(recorded_model(text, is_stream).as_deref(), model, "{text}");
        }
    }
}
