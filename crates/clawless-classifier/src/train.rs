//! Multinomial logistic regression by stochastic gradient descent.
//!
//! Reproducible to the byte: fixed order, fixed seeds, `libm` instead of the platform's `exp`.

use clawless_core::routing::{BUCKETS, CLASSES, RequestText, extract};

use crate::rows::Row;

/// Passes over the rows.
const EPOCHS: u32 = 40;

/// Step size at the beginning; it falls to a tenth.
const STEP: f64 = 0.6;

/// Strength of the pull of weights towards zero.
const DECAY: f64 = 1e-3;

/// Weight of an error on a row of each class: taking a hard request for a simple one is the worse
/// mistake.
const ROW_WEIGHT: [f64; CLASSES] = [1.0, 1.1, 1.1];

/// The features of one request: bucket and value, by bucket, each bucket once.
pub(crate) type Features = Vec<(usize, f64)>;

/// The features of a request.
pub(crate) fn features(request: &RequestText<'_>) -> Features {
    let mut all = Vec::new();
    extract(request, &mut |bucket, value| {
        all.push((bucket, f64::from(value)));
    });
    all.sort_by_key(|(bucket, _)| *bucket);
    all.dedup_by(|(bucket, value), (kept, sum)| {
        let is_same = bucket == kept;
        if is_same {
            *sum += *value;
        }
        is_same
    });
    all
}

/// A trained model before quantisation.
pub(crate) struct Model {
    /// The weights, by bucket and class.
    pub(crate) weights: Vec<[f64; CLASSES]>,
    /// The bias of each class.
    pub(crate) bias: [f64; CLASSES],
}

impl Model {
    /// Trains on the rows that have a text class.
    pub(crate) fn train<'a>(rows: impl Iterator<Item = &'a Row>) -> Self {
        let mut samples: Vec<(Features, usize)> = rows
            .filter_map(|row| Some((features(&row.request()), row.output()?)))
            .collect();
        let mut model = Self {
            weights: vec![[0.0; CLASSES]; BUCKETS],
            bias: [0.0; CLASSES],
        };
        let mut shuffle = Shuffle(0x9e37_79b9_7f4a_7c15);
        for epoch in 0..EPOCHS {
            shuffle.apply(&mut samples);
            let step = STEP * (1.0 - 0.9 * f64::from(epoch) / f64::from(EPOCHS));
            for (features, class) in &samples {
                model.learn(features, *class, step);
            }
        }
        model
    }

    fn learn(&mut self, features: &Features, class: usize, step: f64) {
        let row_weight = ROW_WEIGHT.get(class).copied().unwrap_or(1.0);
        let mut gradient = self.probabilities(features);
        if let Some(it) = gradient.get_mut(class) {
            *it -= 1.0;
        }
        let change = gradient.map(|it| it * step * row_weight);
        for (bias, change) in self.bias.iter_mut().zip(change) {
            *bias -= 0.1 * change;
        }
        for (bucket, value) in features {
            let Some(weights) = self.weights.get_mut(*bucket) else {
                continue;
            };
            for (weight, change) in weights.iter_mut().zip(change) {
                *weight -= change * value + step * DECAY * *weight;
            }
        }
    }

    /// The probability of each class.
    pub(crate) fn probabilities(&self, features: &Features) -> [f64; CLASSES] {
        let mut logits = self.bias;
        for (bucket, value) in features {
            let weights = self.weights.get(*bucket).copied().unwrap_or_default();
            for (logit, weight) in logits.iter_mut().zip(weights) {
                *logit += weight * value;
            }
        }
        let most = logits.iter().copied().fold(f64::MIN, f64::max);
        let exponentials = logits.map(|logit| libm::exp(logit - most));
        let sum: f64 = exponentials.iter().sum();
        exponentials.map(|it| it / sum)
    }
}

/// A deterministic shuffle: Fisher and Yates, with the generator `splitmix64`.
struct Shuffle(u64);

impl Shuffle {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn apply<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            let other = self.next() % (last as u64 + 1);
            items.swap(last, usize::try_from(other).unwrap_or(last));
        }
    }
}
