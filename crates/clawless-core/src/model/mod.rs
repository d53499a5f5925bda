//! Models: configuration, known defaults and prices.

mod definition;
mod known;
mod price;

pub use definition::{AUTO, Features, InputForm, Model, ModelRole, ThinkingStyle};
pub use known::{KnownModel, known_models};
pub use price::ModelPrice;
