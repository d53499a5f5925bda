//! Validation rules of [`super::ChatOptions`] beyond ranges and lengths.

#![allow(
    clippy::ref_option,
    clippy::trivially_copy_pass_by_ref,
    reason = "garde hands every rule the field and its context by reference"
)]

use std::collections::BTreeMap;

use super::stop::Stop;
use crate::tool::{FunctionTool, Tool, ToolKind};

/// The longest token that can be favoured, in bytes.
const MAX_TOKEN_BYTES: usize = 64;

/// The longest name of a function, in bytes. Profiles of providers hold the shorter limits.
const MAX_NAME_BYTES: usize = 256;

pub(super) fn check_logit_bias(bias: &Option<BTreeMap<String, f64>>, (): &()) -> garde::Result {
    let Some(bias) = bias else { return Ok(()) };
    if bias.len() > 1024 {
        return Err(garde::Error::new("at most 1024 tokens can have a bias"));
    }
    // Token ids are digits at OpenAI; other servers take texts.
    let is_token = |token: &String| token.len() <= MAX_TOKEN_BYTES;
    if bias
        .iter()
        .all(|(token, weight)| is_token(token) && (-100.0..=100.0).contains(weight))
    {
        return Ok(());
    }
    Err(garde::Error::new("maps tokens to numbers from -100 to 100"))
}

pub(super) fn check_stop(stop: &Option<Stop>, (): &()) -> garde::Result {
    let texts = stop.as_ref().map_or(&[][..], Stop::texts);
    if texts.len() > 4 || texts.iter().any(|text| !(1..=4096).contains(&text.len())) {
        return Err(garde::Error::new("up to 4 texts of 1 to 4096 bytes"));
    }
    Ok(())
}

pub(super) fn check_tools(tools: &Option<Vec<Tool>>, (): &()) -> garde::Result {
    tools.iter().flatten().try_for_each(|tool| {
        let is_complete = match tool.r#type {
            ToolKind::Function => tool.function.is_some() && tool.custom.is_none(),
            ToolKind::Custom => tool.custom.is_some() && tool.function.is_none(),
        };
        match tool.name().filter(|_| is_complete) {
            Some(name) => check_name(&name),
            None => Err(garde::Error::new(
                "a tool needs the member that its `type` names, with a `name` in it",
            )),
        }
    })
}

pub(super) fn check_function_names(
    functions: &Option<Vec<FunctionTool>>,
    (): &(),
) -> garde::Result {
    let mut functions = functions.iter().flatten();
    functions.try_for_each(|function| check_name(&function.name))
}

fn check_name(name: &str) -> garde::Result {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.:/".contains(&byte);
    if (1..=MAX_NAME_BYTES).contains(&name.len()) && name.bytes().all(allowed) {
        return Ok(());
    }
    Err(garde::Error::new(
        "a function's name is 1 to 256 characters of a-z A-Z 0-9 _ - . : /",
    ))
}

/// Checks the limits of `metadata`: 16 pairs, keys of 64 and values of 512 characters, no NUL.
pub fn check_metadata(metadata: &Option<BTreeMap<String, String>>, (): &()) -> garde::Result {
    let Some(metadata) = metadata else {
        return Ok(());
    };
    if metadata.len() > 16 {
        return Err(garde::Error::new("at most 16 pairs are allowed"));
    }
    for (key, value) in metadata {
        if key.chars().count() > 64 || value.chars().count() > 512 {
            return Err(garde::Error::new(
                "a key has at most 64 characters, a value at most 512",
            ));
        }
        if key.contains('\0') || value.contains('\0') {
            return Err(garde::Error::new("NUL characters are not allowed"));
        }
    }
    Ok(())
}
