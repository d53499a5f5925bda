//! Token estimates for providers that report no usage.
//!
//! Each model has its own vocabulary, so an exact count is not possible. The estimate assumes four
//! ASCII characters per token, two characters of other alphabets, and one of scripts without
//! spaces. For English prose it is within 20 % of common vocabularies; for JSON it may be half of
//! the true count, for CJK it is somewhat high. Mark every use as an estimate; use
//! [`crate::vocabulary`] for context-window checks.

use clawless_core::chat::{ChatOptions, Content, Part};
use clawless_core::llm::{LlmChoice, LlmRequest, LlmResponse};
use clawless_core::tool::FunctionTool;
use clawless_core::{Message, Tokens, Usage};

/// Quarter tokens per message: its role and delimiters.
const PER_MESSAGE: u64 = 4 * QUARTERS;

/// An image, recording or file of typical size, in tokens.
const PER_MEDIUM: u64 = 800;

/// Estimates are summed in quarter tokens and rounded once, at the end.
pub(crate) const QUARTERS: u64 = 4;

/// The tokens of a text.
pub fn of_text(text: &str) -> Tokens {
    round_up(quarters(text))
}

/// The tokens of a request: messages, tools and formats.
pub fn of_request(request: &LlmRequest) -> Tokens {
    of_messages(&request.messages, &request.options)
}

/// The tokens of messages, including tools and formats.
pub fn of_messages(messages: &[Message], options: &ChatOptions) -> Tokens {
    let messages: u64 = messages.iter().map(|it| message(it, quarters)).sum();
    let tools = options.tools.iter().flatten();
    let schemas = tools.map(|tool| {
        let custom = tool.custom.as_ref();
        let custom = custom.map_or(0, |json| quarters(json.as_str()));
        tool.function.as_ref().map_or(0, function) + custom + PER_MESSAGE
    });
    let functions = options.functions.iter().flatten();
    let functions = functions.map(|it| function(it) + PER_MESSAGE);
    let format = options.response_format.as_ref();
    let format = format.map_or(0, |json| quarters(json.as_str()));
    round_up(messages + schemas.sum::<u64>() + functions.sum::<u64>() + format)
}

/// The tokens of a response or of its beginning.
pub fn of_answer(answer: &LlmResponse) -> Tokens {
    round_up(answer.choices.iter().map(choice).sum())
}

/// The estimated usage of a call whose provider reports none.
pub fn estimate_usage(request: &LlmRequest, answer: &LlmResponse) -> Usage {
    Usage::new(of_request(request).get(), of_answer(answer).get())
}

fn function(function: &FunctionTool) -> u64 {
    let texts = quarters(&function.name) + function.description.as_deref().map_or(0, quarters);
    let schema = function.parameters.as_ref();
    texts + schema.map_or(0, |json| quarters(json.as_str()))
}

const fn round_up(quarters: u64) -> Tokens {
    Tokens::new(quarters.div_ceil(QUARTERS))
}

fn quarters(text: &str) -> u64 {
    if text.is_ascii() {
        return text.len() as u64;
    }
    text.chars().map(weight).sum()
}

/// Quarter tokens of one character.
const fn weight(c: char) -> u64 {
    match c {
        '\0'..='\x7f' => 1,
        // Thai to Khmer, CJK, kana, Hangul, and everything beyond the basic plane.
        '\u{e00}'..='\u{eff}'
        | '\u{1000}'..='\u{11ff}'
        | '\u{1780}'..='\u{17ff}'
        | '\u{2e80}'..='\u{d7ff}'
        | '\u{f900}'..='\u{faff}'
        | '\u{ff00}'..='\u{ffef}'
        | '\u{10000}'.. => 4,
        _ => 2,
    }
}

/// Quarter tokens of a message; `quarters` counts a text.
pub(crate) fn message(message: &Message, quarters: impl Fn(&str) -> u64) -> u64 {
    let Ok(view) = message.view() else {
        return quarters(message.raw().as_str());
    };
    let texts: u64 = view
        .content
        .iter()
        .flat_map(Content::texts)
        .map(&quarters)
        .sum();
    let parts = match &view.content {
        Some(Content::Parts(parts)) => parts.as_slice(),
        _ => &[],
    };
    let heavy = parts
        .iter()
        .filter(|part| {
            let is_text = matches!(part, Part::Text(_) | Part::Refusal(_));
            !is_text
        })
        .count() as u64;
    let calls = view.tool_calls.iter().flatten();
    let customs = calls.clone().filter_map(|call| call.custom.as_ref());
    let customs = customs.map(|it| quarters(&it.name) + quarters(&it.input) + PER_MESSAGE);
    let functions = calls.filter_map(|call| call.function.as_ref());
    let functions = functions.chain(&view.function_call);
    let functions = functions.map(|it| quarters(&it.name) + quarters(&it.arguments) + PER_MESSAGE);
    let calls = functions.sum::<u64>() + customs.sum::<u64>();
    texts + heavy * PER_MEDIUM * QUARTERS + calls + PER_MESSAGE
}

fn choice(choice: &LlmChoice) -> u64 {
    let texts = [&choice.content, &choice.reasoning, &choice.refusal];
    let texts: u64 = texts.into_iter().flatten().map(|text| quarters(text)).sum();
    let calls = choice.tool_calls.iter();
    let calls: u64 = calls
        .map(|call| quarters(&call.name) + quarters(&call.arguments) + PER_MESSAGE)
        .sum();
    texts + calls
}

#[cfg(test)]
mod tests {
    use clawless_core::Role;
    use clawless_core::json::Json;

    use super::*;

    #[test]
    fn texts_are_estimated_by_their_script() {
        for (text, tokens) in [
            ("", 0),
            ("a", 1),
            ("The quick brown fox jumps over the lazy dog.", 11),
            ("\u{43f}\u{440}\u{438}\u{432}\u{435}\u{442}", 3),
            ("\u{6f22}\u{5b57}", 2),
            ("\u{1f600}", 1),
        ] {
            assert_eq!(of_text(text), Tokens::new(tokens), "{text}");
        }
    }

    #[test]
    fn an_inline_image_counts_as_image_tokens() {
        let url = format!("data:image/png;base64,{}", "A".repeat(100_000));
        let raw = format!(
            r#"{{"role":"user","content":[{{"type":"image_url","image_url":{{"url":"{url}"}}}}]}}"#
        );
        let image = Message::from_stored(Role::User, Json::parse(raw).expect("JSON"));
        assert_eq!(message(&image, quarters), (PER_MEDIUM + 4) * QUARTERS);
    }
}
