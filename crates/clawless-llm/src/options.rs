//! Request parameters by name, for providers that reject some of them.

use std::borrow::Cow;

use clawless_core::chat::ChatOptions;
use clawless_core::json::Json;
use serde::{Serialize, Serializer};

use crate::profile::Profile;

/// The maximum length of a parameter name that is reported to the client.
const MAX_NAME_BYTES: usize = 64;

/// The maximum number of unknown parameters that are counted.
const MAX_NAMES: usize = 256;

macro_rules! parameters {
    ($($name:ident),* $(,)?) => {
        /// Whether a request has this parameter.
        pub(crate) fn is_set(options: &ChatOptions, name: &str) -> bool {
            match name {
                $(stringify!($name) => options.$name.is_some(),)*
                _ => false,
            }
        }

        /// The value of a parameter.
        fn value(options: &ChatOptions, name: &str) -> Option<Json> {
            match name {
                $(stringify!($name) => Json::from_value(options.$name.as_ref()?).ok(),)*
                _ => None,
            }
        }

        /// Removes a parameter.
        pub(crate) fn clear(options: &mut ChatOptions, name: &str) {
            match name {
                $(stringify!($name) => options.$name = None,)*
                _ => {}
            }
        }
    };
}

/// Gives a parameter the name that the provider uses, unless the client set that one, too.
pub(crate) fn rename(options: &mut Cow<'_, ChatOptions>, name: &str, renamed: &str) {
    if !is_set(options, name) {
        return;
    }
    let is_known = options.extensions.iter().any(|(known, _)| known == renamed);
    let value = value(options, name).filter(|_| !is_known);
    let options = options.to_mut();
    clear(options, name);
    let value = value.map(|value| (renamed.to_owned(), value));
    options.extensions.extend(value);
}

parameters!(
    temperature,
    top_p,
    n,
    stop,
    presence_penalty,
    frequency_penalty,
    seed,
    logprobs,
    top_logprobs,
    logit_bias,
    parallel_tool_calls,
    reasoning_effort,
    verbosity,
    service_tier,
    prediction,
    store,
    metadata,
    user,
    safety_identifier,
    prompt_cache_key,
);

/// The parameters of a request that the wire does not define and that a profile passes through.
pub(crate) struct Extensions<'a> {
    all: &'a [(String, Json)],
    passes: &'a [&'a str],
}

impl<'a> Extensions<'a> {
    pub(crate) fn new(options: &'a ChatOptions, profile: &'a Profile) -> Self {
        Self {
            all: &options.extensions,
            passes: profile.passes,
        }
    }
}

impl Serialize for Extensions<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let passed = self.all.iter();
        let passed = passed.filter(|(name, _)| self.passes.contains(&name.as_str()));
        serializer.collect_map(passed.map(|(name, value)| (name, value)))
    }
}

/// The unknown parameters of a request that a profile does not pass through. Names that are invalid
/// in headers, and names beyond the maximum, are omitted.
pub(crate) fn unknown(options: &ChatOptions, profile: &Profile) -> Vec<Cow<'static, str>> {
    let is_printable = |name: &str| {
        (1..=MAX_NAME_BYTES).contains(&name.len())
            && name
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'))
    };
    let names = options.extensions.iter().map(|(name, _)| name.as_str());
    names
        .filter(|name| !profile.passes.contains(name) && is_printable(name))
        .take(MAX_NAMES)
        .map(|name| Cow::Owned(name.to_owned()))
        .collect()
}
