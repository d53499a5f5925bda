//! The time to classify one request.

use anyhow::{Context, Result};
use clawless_core::routing::{ClassifierRules, classify};
use clawless_core::{Message, Role};

use crate::timing::nanoseconds_per_operation;

const OPERATIONS: u32 = 500;

/// Nanoseconds to classify a question of one line, and a long text.
pub(crate) fn nanoseconds() -> Result<(f64, f64)> {
    let question = "Why does my borrow of `self` outlive the loop, and how do I fix it?";
    let long = format!(
        "Summarise this.\n\n{}",
        "The delivery arrived late again.\n\n".repeat(300)
    );
    Ok((measure(question)?, measure(&long)?))
}

fn measure(text: &str) -> Result<f64> {
    let messages = [Message::text(Role::User, text).context("invalid text message")?];
    nanoseconds_per_operation(OPERATIONS, || {
        for _ in 0..OPERATIONS {
            std::hint::black_box(classify(&messages, false, ClassifierRules::default()));
        }
        Ok(())
    })
}
