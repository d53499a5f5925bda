//! The models that this deployment offers, and what each can take.

use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

use crate::chat::{ReasoningEffort, Usage};
use crate::llm::ProviderKind;
use crate::money::{MicroDollars, Tokens};

/// A model as one provider offers it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Model {
    /// The name by which clients ask for it, and by which the provider knows it.
    pub id: String,
    /// The provider that serves it: the `name` of its entry in the configuration.
    #[serde(default)]
    pub provider: String,
    /// The context window.
    #[serde(default = "default_context")]
    pub context: Tokens,
    /// The longest answer; the provider decides where it is absent.
    #[serde(default)]
    pub max_output: Option<Tokens>,
    /// How long an answer may be where the client does not say; the longest that it gives where
    /// this is absent.
    #[serde(default)]
    pub default_output: Option<Tokens>,
    /// How it is told to think.
    #[serde(default)]
    pub thinking: ThinkingStyle,
    /// How much it thinks where neither the request nor its session or tenant says; the
    /// provider's own default where it is absent.
    #[serde(default)]
    pub effort: Option<ReasoningEffort>,
    /// How it takes its inputs, where it is one of the platform's own.
    #[serde(default)]
    pub inputs: InputForm,
    /// What it can do.
    #[serde(default)]
    pub features: Features,
    /// What the router takes it for.
    #[serde(default)]
    pub roles: Vec<ModelRole>,
    /// What it costs; nothing where it is absent.
    #[serde(default)]
    pub price: Option<ModelPrice>,
}

/// What a model can do. Of a model that nobody described everything is assumed, so that nobody is
/// refused: its provider knows best.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Features {
    /// It calls tools.
    pub tools: bool,
    /// It sees images.
    pub vision: bool,
    /// It answers by a JSON schema.
    pub json_schema: bool,
}

impl Default for Features {
    fn default() -> Self {
        Self {
            tools: true,
            vision: true,
            json_schema: true,
        }
    }
}

/// What a model is good for. Each is an alias too: a request may name it instead of a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ModelRole {
    /// Quick and cheap answers.
    Fast,
    /// Hard questions.
    Smart,
    /// Programming.
    Code,
    /// Images.
    Vision,
}

impl ModelRole {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Fast, Self::Smart, Self::Code, Self::Vision];

    /// The role's name, by which a request may ask for it.
    pub const fn alias(self) -> &'static str {
        match self {
            Self::Fast => "fast",
            Self::Smart => "smart",
            Self::Code => "code",
            Self::Vision => "vision",
        }
    }

    /// The role that goes by this name.
    pub fn by_alias(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.alias() == name)
    }
}

/// A model's prices, in micro-dollars per million tokens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelPrice {
    /// For tokens of the request.
    pub input: MicroDollars,
    /// For tokens of the answer.
    pub output: MicroDollars,
    /// For tokens of the request that were read from the prompt cache; as `input` where absent.
    #[serde(default)]
    pub cached_input: Option<MicroDollars>,
    /// For tokens of the request that were written to the prompt cache; as `input` where absent.
    #[serde(default)]
    pub cache_write: Option<MicroDollars>,
    /// The day on which the price was looked up.
    #[serde(default)]
    pub as_of: String,
    /// Where.
    #[serde(default)]
    pub source: String,
}

impl ModelPrice {
    /// What a call cost, rounded up to a whole micro-dollar once, at the end.
    pub fn cost(&self, usage: &Usage) -> MicroDollars {
        let details = usage.prompt_tokens_details.unwrap_or_default();
        let read = details.cached_tokens.unwrap_or(0).min(usage.prompt_tokens);
        let written = details.cache_write_tokens.unwrap_or(0);
        let written = written.min(usage.prompt_tokens - read);
        let fresh = usage.prompt_tokens - read - written;
        let parts = [
            (fresh, self.input),
            (read, self.cached_input.unwrap_or(self.input)),
            (written, self.cache_write.unwrap_or(self.input)),
            (usage.completion_tokens, self.output),
        ];
        let exact = parts.iter().fold(0_u128, |sum, (tokens, price)| {
            sum.saturating_add(u128::from(*tokens) * u128::from(price.get()))
        });
        MicroDollars::new(u64::try_from(exact.div_ceil(1_000_000)).unwrap_or(u64::MAX))
    }
}

/// A model of the table in `data/models.json`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct KnownModel {
    /// The wire of the provider that serves it.
    pub kind: ProviderKind,
    /// What is known of it.
    #[serde(flatten)]
    pub model: Model,
}

/// The models that are known by name: one data file, so that a new price is one line.
pub fn known_models() -> &'static [KnownModel] {
    static KNOWN: LazyLock<Vec<KnownModel>> = LazyLock::new(|| {
        // A test reads the file, so it is readable here.
        serde_json::from_str(include_str!("../data/models.json")).unwrap_or_default()
    });
    &KNOWN
}

impl Model {
    /// The context window, where anybody told it.
    pub fn known_context(&self) -> Option<Tokens> {
        (self.context != default_context()).then_some(self.context)
    }

    /// The longest answer that it can give, as far as anybody told: where its provider keeps that to
    /// itself, no answer is longer than the window.
    pub fn longest_answer(&self) -> Option<Tokens> {
        self.max_output.or_else(|| self.known_context())
    }

    /// Whether it is known to think, and how it is told to.
    pub fn thinks(&self) -> bool {
        self.thinking != ThinkingStyle::Unknown
    }

    /// The model with what the table knows of it, where the configuration says nothing.
    #[must_use]
    pub fn completed(mut self, kind: ProviderKind) -> Self {
        let known = known_models()
            .iter()
            .find(|known| known.kind == kind && known.model.id == self.id);
        let Some(KnownModel { model, .. }) = known else {
            return self;
        };
        if self.context == default_context() {
            self.context = model.context;
        }
        if self.thinking == ThinkingStyle::default() {
            self.thinking = model.thinking;
        }
        if self.inputs == InputForm::default() {
            self.inputs = model.inputs;
        }
        if self.features == Features::default() {
            self.features = model.features;
        }
        if self.roles.is_empty() {
            self.roles.clone_from(&model.roles);
        }
        self.max_output = self.max_output.or(model.max_output);
        self.default_output = self.default_output.or(model.default_output);
        self.effort = self.effort.or(model.effort);
        self.price = self.price.or_else(|| model.price.clone());
        self
    }
}

/// How a model is told how much to think before it answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ThinkingStyle {
    /// It is not told: it does not think, or nobody knows how. To a server that speaks `OpenAI`'s
    /// wire `reasoning_effort` goes out as it came.
    #[default]
    Unknown,
    /// By a budget of tokens.
    Budget,
    /// By an effort; how many tokens that takes is the model's affair.
    Adaptive,
    /// By an effort, and it cannot be switched off.
    Always,
}

/// The form in which a model of the platform takes its inputs. Its catalogue gives a schema for
/// each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InputForm {
    /// The platform's own form, which any of its text models takes.
    #[default]
    Native,
    /// `OpenAI`'s chat completions, whole: stop texts, log probabilities, `n`, named tools.
    #[serde(rename = "openai")]
    OpenAi,
}

/// A small window that any current model has, for models of which nothing is known.
const fn default_context() -> Tokens {
    Tokens::new(8192)
}

/// The name that leaves the choice of the model to the router.
pub const AUTO: &str = "auto";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::PromptDetails;

    #[test]
    fn the_table_is_readable_and_every_price_has_its_day_and_source() {
        let table: Vec<KnownModel> =
            serde_json::from_str(include_str!("../data/models.json")).expect("readable");
        assert!(!table.is_empty());
        for KnownModel { model, .. } in &table {
            let price = model.price.as_ref().expect("a price");
            assert!(
                price.as_of.len() == 10 && !price.source.is_empty(),
                "{}",
                model.id
            );
            assert!(price.input <= price.output, "{}", model.id);
            assert!(!model.roles.is_empty(), "{}", model.id);
            assert!(model.known_context().is_some(), "{}", model.id);
        }
    }

    #[test]
    fn a_configured_model_is_completed_and_what_it_says_stands() {
        let model: Model =
            serde_json::from_str(r#"{"id":"gpt-6-luna","context":1000}"#).expect("a model");
        let model = model.completed(ProviderKind::OpenAi);
        assert_eq!(model.context, Tokens::new(1000));
        assert_eq!(model.thinking, ThinkingStyle::Adaptive);
        assert!(model.price.is_some() && model.roles.contains(&ModelRole::Fast));
        let other = model.clone().completed(ProviderKind::Anthropic);
        assert_eq!(other, model);
    }

    #[test]
    fn a_cost_tells_the_cache_from_the_rest_and_is_rounded_once() {
        let price = ModelPrice {
            input: MicroDollars::new(4_000_000),
            output: MicroDollars::new(20_000_000),
            cached_input: Some(MicroDollars::new(200_000)),
            cache_write: Some(MicroDollars::new(5_000_000)),
            as_of: String::new(),
            source: String::new(),
        };
        let mut usage = Usage::of(5100, 89);
        usage.prompt_tokens_details = Some(PromptDetails {
            cached_tokens: Some(3000),
            cache_write_tokens: Some(2000),
            ..PromptDetails::default()
        });
        // 100 × 4 + 3000 × 0.2 + 2000 × 5 + 89 × 20
        assert_eq!(price.cost(&usage), MicroDollars::new(12_780));
        assert_eq!(price.cost(&Usage::of(u64::MAX, u64::MAX)).get(), u64::MAX);
        let one = ModelPrice {
            input: MicroDollars::new(1),
            ..price
        };
        assert_eq!(one.cost(&Usage::of(1, 0)), MicroDollars::new(1));
    }
}
