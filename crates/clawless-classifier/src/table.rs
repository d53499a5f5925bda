//! The table of weights that `clawless-core` contains: one signed byte per bucket and class.

use clawless_core::routing::{CLASSES, HEADER_BYTES, TABLE_BYTES};

use crate::train::Model;

/// Largest value of a weight.
const MAX_WEIGHT: f64 = 127.0;

/// Share of the weights that keep their value; the largest others are cut, which leaves finer steps for
/// the rest.
const KEPT_SHARE: f64 = 0.9995;

/// Rounds the weights to bytes. A scale and a bias per class come first.
pub(crate) fn quantise(model: &Model) -> Vec<u8> {
    let scales: Vec<f64> = (0..CLASSES).map(|class| scale(model, class)).collect();
    let mut table = Vec::with_capacity(TABLE_BYTES);
    for (scale, bias) in scales.iter().zip(model.bias) {
        table.extend(narrow(*scale).to_le_bytes());
        table.extend(narrow(bias).to_le_bytes());
    }
    debug_assert_eq!(table.len(), HEADER_BYTES);
    for weights in &model.weights {
        for (weight, scale) in weights.iter().zip(&scales) {
            table.push(byte(weight / scale).cast_unsigned());
        }
    }
    table
}

/// The value of one step of a class's weights.
fn scale(model: &Model, class: usize) -> f64 {
    let weights = model.weights.iter().filter_map(|it| it.get(class));
    let mut sizes: Vec<f64> = weights.map(|it| it.abs()).collect();
    sizes.sort_by(f64::total_cmp);
    #[allow(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "an index below the number of buckets"
    )]
    let at = (KEPT_SHARE * (sizes.len().saturating_sub(1)) as f64) as usize;
    let most = sizes.get(at).copied().unwrap_or_default();
    most.max(f64::MIN_POSITIVE) / MAX_WEIGHT
}

#[allow(clippy::cast_possible_truncation, reason = "the value is in range")]
fn byte(steps: f64) -> i8 {
    libm::round(steps).clamp(-MAX_WEIGHT, MAX_WEIGHT) as i8
}

#[allow(clippy::cast_possible_truncation, reason = "fewer digits suffice")]
fn narrow(value: f64) -> f32 {
    value as f32
}
