//! What a client may ask for beside the messages.

use std::collections::BTreeMap;

use garde::Validate;
use serde::{Deserialize, Serialize};

use super::rules::{
    check_function_names, check_logit_bias, check_metadata, check_stop, check_tools,
};
use super::stop::Stop;
use crate::json::Json;
use crate::money::Tokens;
use crate::tool::{FunctionTool, Tool};

/// The most answers to one request, as `OpenAI` has it.
const MAX_CHOICES: u32 = 128;
/// The longest answer that can be asked for: what every provider's 32-bit integer holds.
const MAX_OUTPUT: u32 = i32::MAX.unsigned_abs();

/// Sampling, limits, tools and formats: every member that is carried to the provider, under
/// `OpenAI`'s own names. Absent members are not sent.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, Validate)]
pub struct ChatOptions {
    /// Randomness, 0 to 2.
    #[garde(range(min = 0.0, max = 2.0))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub temperature: Option<f64>,
    /// Nucleus sampling, 0 to 1.
    #[garde(range(min = 0.0, max = 1.0))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub top_p: Option<f64>,
    /// How many answers.
    #[garde(range(min = 1, max = MAX_CHOICES))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub n: Option<u32>,
    /// The longest answer in tokens, in the older name.
    #[garde(range(min = 1, max = MAX_OUTPUT))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_tokens: Option<u32>,
    /// The longest answer in tokens.
    #[garde(range(min = 1, max = MAX_OUTPUT))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_completion_tokens: Option<u32>,
    /// Texts at which the answer ends.
    #[garde(custom(check_stop))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stop: Option<Stop>,
    /// −2 to 2.
    #[garde(range(min = -2.0, max = 2.0))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub presence_penalty: Option<f64>,
    /// −2 to 2.
    #[garde(range(min = -2.0, max = 2.0))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub frequency_penalty: Option<f64>,
    /// For repeatable answers.
    #[garde(skip)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seed: Option<i64>,
    /// Whether to tell log probabilities.
    #[garde(skip)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub logprobs: Option<bool>,
    /// How many alternatives to tell at each token.
    #[garde(range(max = 20))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub top_logprobs: Option<u8>,
    /// Token ids and how much to favour them, −100 to 100; at most 1,024.
    #[garde(custom(check_logit_bias))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub logit_bias: Option<BTreeMap<String, f64>>,
    /// `text`, `json_object` or `json_schema`, as it came in.
    #[garde(skip)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub response_format: Option<Json>,
    /// The tools that the model may call.
    #[garde(length(max = 128), custom(check_tools))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tools: Option<Vec<Tool>>,
    /// Which tool must be called, as it came in.
    #[garde(skip)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tool_choice: Option<Json>,
    /// Whether several tools may be called at once.
    #[garde(skip)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parallel_tool_calls: Option<bool>,
    /// The functions that the model may call, in the older form.
    #[garde(length(max = 128), custom(check_function_names))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub functions: Option<Vec<FunctionTool>>,
    /// Which function must be called, in the older form, as it came in.
    #[garde(skip)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub function_call: Option<Json>,
    /// How much the model should think.
    #[garde(skip)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reasoning_effort: Option<ReasoningEffort>,
    /// `low`, `medium` or `high`.
    #[garde(skip)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verbosity: Option<Verbosity>,
    /// The provider's class of service.
    #[garde(inner(length(max = 64)))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service_tier: Option<String>,
    /// `text`, `audio`.
    #[garde(length(max = 8))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub modalities: Option<Vec<String>>,
    /// How audio should sound, as it came in.
    #[garde(skip)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub audio: Option<Json>,
    /// The answer that the client expects, as it came in.
    #[garde(skip)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prediction: Option<Json>,
    /// Whether the provider may keep the answer.
    #[garde(skip)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub store: Option<bool>,
    /// The client's own labels: 16 pairs at most, keys of 64 and values of 512 characters.
    #[garde(custom(check_metadata))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metadata: Option<BTreeMap<String, String>>,
    /// The client's own user.
    #[garde(inner(length(max = 512)))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The client's own user, hashed.
    #[garde(inner(length(max = 512)))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub safety_identifier: Option<String>,
    /// Names requests that share a prefix.
    #[garde(inner(length(max = 512)))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prompt_cache_key: Option<String>,
    /// Parameters that the wire does not define, as they came in. A provider's profile decides
    /// which of them are sent.
    #[garde(skip)]
    #[serde(skip)]
    pub extensions: Vec<(String, Json)>,
}

/// How much a model should think before it answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ReasoningEffort {
    /// Not at all; `off` where people choose it.
    #[serde(alias = "off")]
    None,
    /// Hardly.
    Minimal,
    /// A little.
    Low,
    /// Some.
    Medium,
    /// Much.
    High,
    /// Very much.
    Xhigh,
    /// As much as it can.
    Max,
    /// As much as the model finds fit. Not `OpenAI`'s word: where a provider lacks it, the
    /// provider's default stands for it.
    Adaptive,
}

/// How wordy an answer should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verbosity {
    /// Terse.
    Low,
    /// As usual.
    Medium,
    /// At length.
    High,
}

impl ChatOptions {
    /// The longest answer that the client asked for, under either name.
    pub fn max_output(&self) -> Option<u32> {
        self.max_completion_tokens.or(self.max_tokens)
    }

    /// Sets the longest answer, under the name that the client used, else under the newer one.
    pub fn limit_output(&mut self, most: Tokens) {
        let most = Some(u32::try_from(most.get()).unwrap_or(u32::MAX));
        if self.max_tokens.is_some() && self.max_completion_tokens.is_none() {
            self.max_tokens = most;
        } else {
            self.max_completion_tokens = most;
        }
    }
}
