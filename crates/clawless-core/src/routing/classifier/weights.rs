//! The learned weights: one signed byte per bucket and class, written by `clawless-classifier`.

use super::features::BUCKETS;

/// Number of classes that the model tells apart.
pub const CLASSES: usize = 3;

/// The bytes before the weights: a scale and a bias per class, as little-endian `f32`.
pub const HEADER_BYTES: usize = 8 * CLASSES;

/// Bytes of the whole table.
pub const TABLE_BYTES: usize = HEADER_BYTES + CLASSES * BUCKETS;

static TABLE: &[u8; TABLE_BYTES] = include_bytes!("../../../data/classifier.bin");

/// The scores of a request in the making, one per class.
pub(super) struct Scores([f32; CLASSES]);

impl Scores {
    pub(super) const fn new() -> Self {
        Self([0.0; CLASSES])
    }

    /// Adds a feature.
    pub(super) fn add(&mut self, bucket: usize, value: f32) {
        // The weights of one bucket are adjacent: one cache line per feature.
        let at = HEADER_BYTES + bucket * CLASSES;
        let weights = TABLE.get(at..at + CLASSES).unwrap_or_default();
        for (score, weight) in self.0.iter_mut().zip(weights) {
            *score += f32::from(weight.cast_signed()) * value;
        }
    }

    /// The probability of each class.
    pub(super) fn probabilities(&self) -> [f32; CLASSES] {
        let mut logits = [0.0; CLASSES];
        for (class, logit) in logits.iter_mut().enumerate() {
            let score = self.0.get(class).copied().unwrap_or_default();
            *logit = header(2 * class) * score + header(2 * class + 1);
        }
        let most = logits.iter().copied().fold(f32::MIN, f32::max);
        let exponentials = logits.map(|logit| (logit - most).exp());
        let sum: f32 = exponentials.iter().sum();
        exponentials.map(|it| it / sum)
    }
}

/// A number of the header.
fn header(index: usize) -> f32 {
    let bytes = TABLE.get(4 * index..4 * index + 4);
    let bytes = bytes.and_then(|bytes| bytes.try_into().ok());
    bytes.map_or(0.0, f32::from_le_bytes)
}
