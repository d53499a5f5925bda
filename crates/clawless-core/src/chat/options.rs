//! The parameters of a completion request besides its messages.

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

/// `OpenAI`'s limit for `n`.
const MAX_CHOICES: u32 = 128;
/// The maximum of `max_tokens`: providers use signed 32-bit integers.
const MAX_OUTPUT: u32 = i32::MAX.unsigned_abs();
/// The most tools of one request. Profiles of providers hold the lower limits.
const MAX_TOOLS: usize = 1024;

/// Sampling, limits, tools and formats, under `OpenAI`'s names. Absent members are not sent to the
/// provider.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, Validate)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ChatOptions {
    /// Sampling temperature, 0 to 2.
    #[garde(range(min = 0.0, max = 2.0))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub temperature: Option<f64>,
    /// Nucleus sampling, 0 to 1.
    #[garde(range(min = 0.0, max = 1.0))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub top_p: Option<f64>,
    /// The number of choices.
    #[garde(range(min = 1, max = MAX_CHOICES))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub n: Option<u32>,
    /// The maximum number of output tokens, under the deprecated name.
    #[garde(range(min = 1, max = MAX_OUTPUT))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_tokens: Option<u32>,
    /// The maximum number of output tokens.
    #[garde(range(min = 1, max = MAX_OUTPUT))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_completion_tokens: Option<u32>,
    /// Stop sequences.
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
    /// The seed for reproducible sampling.
    #[garde(skip)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seed: Option<i64>,
    /// Whether to return log probabilities.
    #[garde(skip)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub logprobs: Option<bool>,
    /// The number of alternatives for each token.
    #[garde(range(max = 20))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub top_logprobs: Option<u8>,
    /// Biases by token id, −100 to 100. At most 1,024.
    #[garde(custom(check_logit_bias))]
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(extend("maxProperties" = 1024, "additionalProperties" = { "type": "number", "minimum": -100, "maximum": 100 })))]
    pub logit_bias: Option<BTreeMap<String, f64>>,
    /// `text`, `json_object` or `json_schema`, unparsed.
    #[garde(skip)]
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<crate::members::Members>"))]
    pub response_format: Option<Json>,
    /// The tools that the model may call.
    #[garde(length(max = MAX_TOOLS), custom(check_tools))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tools: Option<Vec<Tool>>,
    /// The tool that the model must call, unparsed.
    #[garde(skip)]
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(
        feature = "schema",
        schemars(with = "Option<crate::schema::TextOrObject>")
    )]
    pub tool_choice: Option<Json>,
    /// Whether the model may call several tools at once.
    #[garde(skip)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parallel_tool_calls: Option<bool>,
    /// The functions that the model may call, in the legacy form.
    #[garde(length(max = MAX_TOOLS), custom(check_function_names))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub functions: Option<Vec<FunctionTool>>,
    /// The function that the model must call, in the legacy form, unparsed.
    #[garde(skip)]
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(
        feature = "schema",
        schemars(with = "Option<crate::schema::TextOrObject>")
    )]
    pub function_call: Option<Json>,
    /// The reasoning effort.
    #[garde(skip)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reasoning_effort: Option<ReasoningEffort>,
    /// The verbosity of the response.
    #[garde(skip)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verbosity: Option<Verbosity>,
    /// The provider's service tier.
    #[garde(inner(length(max = 64)))]
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(length(max = 64)))]
    pub service_tier: Option<String>,
    /// The output types: `text`, `audio`.
    #[garde(length(max = 8))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub modalities: Option<Vec<String>>,
    /// The audio format and voice, unparsed.
    #[garde(skip)]
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<crate::members::Members>"))]
    pub audio: Option<Json>,
    /// The predicted output, unparsed.
    #[garde(skip)]
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<crate::members::Members>"))]
    pub prediction: Option<Json>,
    /// Whether the provider may store the response.
    #[garde(skip)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub store: Option<bool>,
    /// Labels of the client: at most 16 pairs, keys of 64 and values of 512 characters.
    #[garde(custom(check_metadata))]
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<crate::schema::Metadata>"))]
    pub metadata: Option<BTreeMap<String, String>>,
    /// The end user of the client.
    #[garde(inner(length(max = 512)))]
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(length(max = 512)))]
    pub user: Option<String>,
    /// The end user of the client, hashed.
    #[garde(inner(length(max = 512)))]
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(length(max = 512)))]
    pub safety_identifier: Option<String>,
    /// Identifies requests with a common prefix.
    #[garde(inner(length(max = 512)))]
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(length(max = 512)))]
    pub prompt_cache_key: Option<String>,
    /// How the client of an Anthropic API controls reasoning. `reasoning_effort` has the closest effort,
    /// for other wires.
    #[garde(skip)]
    #[serde(skip)]
    pub thinking: Option<ThinkingMode>,
    /// The beta features of Anthropic's API that the client names.
    #[garde(skip)]
    #[serde(skip)]
    pub betas: Vec<String>,
    /// Parameters that the surface does not define, unparsed. The profile of the provider decides
    /// which of them are sent.
    #[garde(skip)]
    #[serde(skip)]
    pub extensions: Vec<(String, Json)>,
}

/// The reasoning effort of a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum ReasoningEffort {
    /// No reasoning. Also accepted as `off`.
    #[serde(alias = "off")]
    None,
    /// Minimal.
    Minimal,
    /// Low.
    Low,
    /// Medium.
    Medium,
    /// High.
    High,
    /// Extra high.
    Xhigh,
    /// Maximum.
    Max,
    /// The model decides. An extension of `OpenAI`'s values; the provider's default where the
    /// provider does not support it.
    Adaptive,
}

/// How a client of an Anthropic API controls reasoning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ThinkingMode {
    /// Not at all: the model's default.
    Unset,
    /// No reasoning.
    Disabled,
    /// At most this many tokens of reasoning.
    Budget(u32),
    /// The model decides.
    Adaptive,
}

/// The verbosity of a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Verbosity {
    /// Short.
    Low,
    /// Default.
    Medium,
    /// Detailed.
    High,
}

impl ChatOptions {
    /// The requested maximum of output tokens, under either name.
    pub fn max_output(&self) -> Option<u32> {
        self.max_completion_tokens.or(self.max_tokens)
    }

    /// Sets the maximum of output tokens, under the name that the client used; by default the older
    /// one, which every server knows. A provider's profile renames it.
    pub fn limit_output(&mut self, max: Tokens) {
        let max = Some(u32::try_from(max.get()).unwrap_or(u32::MAX));
        if self.max_completion_tokens.is_some() {
            self.max_completion_tokens = max;
        } else {
            self.max_tokens = max;
        }
    }
}
