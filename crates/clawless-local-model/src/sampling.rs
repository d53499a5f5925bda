//! Choosing the next token from the network's scores.

use std::collections::HashMap;

/// The sampling settings of a request.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Sampling {
    /// 0 always takes the best token.
    pub(crate) temperature: f32,
    /// The share of probability that the candidates must reach together.
    pub(crate) top_p: f32,
    /// Scores of tokens of the answer so far are divided by this; 1 changes nothing.
    pub(crate) repeat_penalty: f32,
    /// Subtracted from a token's score for each occurrence in the answer.
    pub(crate) frequency_penalty: f32,
    /// Subtracted from a token's score once if the answer contains it.
    pub(crate) presence_penalty: f32,
    /// Added to the scores of single tokens.
    pub(crate) bias: Vec<(u32, f32)>,
    /// The same seed on the same prompt gives the same answer.
    pub(crate) seed: u64,
}

/// The number of previous tokens that the repeat penalty considers.
const REPEAT_WINDOW: usize = 128;

/// Candidates beyond this rank are never drawn: sorting the whole vocabulary would cost more than it
/// could change.
const MAX_CANDIDATES: usize = 1024;

/// The sampler of one answer: its settings, random numbers and previous tokens.
#[derive(Debug)]
pub(crate) struct Sampler {
    settings: Sampling,
    random: SplitMix64,
    written: Vec<u32>,
    counts: HashMap<u32, f32>,
}

impl Sampler {
    pub(crate) fn new(settings: Sampling) -> Self {
        Self {
            random: SplitMix64(settings.seed),
            settings,
            written: Vec::new(),
            counts: HashMap::new(),
        }
    }

    /// Selects the next token and records it.
    pub(crate) fn next(&mut self, mut scores: Vec<f32>) -> u32 {
        self.adjust(&mut scores);
        let token = if self.settings.temperature <= 0.0 {
            best(&scores)
        } else {
            self.draw(&scores)
        };
        self.written.push(token);
        *self.counts.entry(token).or_default() += 1.0;
        token
    }

    fn adjust(&self, scores: &mut [f32]) {
        let recent = self.written.len().saturating_sub(REPEAT_WINDOW);
        let mut recent: Vec<u32> = self.written.iter().skip(recent).copied().collect();
        recent.sort_unstable();
        recent.dedup();
        for token in recent {
            if let Some(score) = score_of(scores, token) {
                let penalty = self.settings.repeat_penalty;
                *score = if *score > 0.0 {
                    *score / penalty
                } else {
                    *score * penalty
                };
            }
        }
        for (token, count) in &self.counts {
            if let Some(score) = score_of(scores, *token) {
                *score -= self.settings.presence_penalty + count * self.settings.frequency_penalty;
            }
        }
        for (token, bias) in &self.settings.bias {
            if let Some(score) = score_of(scores, *token) {
                *score += bias;
            }
        }
    }

    fn draw(&mut self, scores: &[f32]) -> u32 {
        let mut candidates: Vec<(u32, f32)> = (0_u32..).zip(scores.iter().copied()).collect();
        let by_score = |a: &(u32, f32), b: &(u32, f32)| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0));
        if candidates.len() > MAX_CANDIDATES {
            candidates.select_nth_unstable_by(MAX_CANDIDATES, by_score);
            candidates.truncate(MAX_CANDIDATES);
        }
        candidates.sort_unstable_by(by_score);

        let top = candidates.first().map_or(0.0, |(_, score)| *score);
        for (_, score) in &mut candidates {
            *score = ((*score - top) / self.settings.temperature).exp();
        }
        let total: f32 = candidates.iter().map(|(_, weight)| weight).sum();
        let wanted = total * self.settings.top_p;
        let mut kept = 0.0;
        let count = candidates
            .iter()
            .position(|(_, weight)| {
                kept += weight;
                kept >= wanted
            })
            .map_or(candidates.len(), |last| last + 1);
        candidates.truncate(count);

        let kept: f32 = candidates.iter().map(|(_, weight)| weight).sum();
        let mut left = self.random.unit() * kept;
        for (token, weight) in &candidates {
            left -= weight;
            if left < 0.0 {
                return *token;
            }
        }
        candidates.last().map_or(0, |(token, _)| *token)
    }
}

fn score_of(scores: &mut [f32], token: u32) -> Option<&mut f32> {
    scores.get_mut(usize::try_from(token).ok()?)
}

fn best(scores: &[f32]) -> u32 {
    (0_u32..)
        .zip(scores)
        .reduce(|best, this| if this.1 > best.1 { this } else { best })
        .map_or(0, |(token, _)| token)
}

/// Steele, Lea and Flood's `SplitMix64`: eight lines are enough to make a seed repeatable.
#[derive(Debug)]
struct SplitMix64(u64);

impl SplitMix64 {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number from 0 up to but without 1.
    #[allow(clippy::cast_precision_loss, reason = "24 bits fit in an f32")]
    fn unit(&mut self) -> f32 {
        (self.next() >> 40) as f32 / (1_u32 << 24) as f32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> Sampling {
        Sampling {
            temperature: 1.0,
            top_p: 1.0,
            repeat_penalty: 1.0,
            frequency_penalty: 0.0,
            presence_penalty: 0.0,
            bias: Vec::new(),
            seed: 7,
        }
    }

    fn draws(settings: Sampling, scores: &[f32], count: usize) -> Vec<u32> {
        let mut sampler = Sampler::new(settings);
        (0..count).map(|_| sampler.next(scores.to_vec())).collect()
    }

    #[test]
    fn temperature_zero_takes_the_best() {
        let greedy = Sampling {
            temperature: 0.0,
            ..settings()
        };
        assert_eq!(draws(greedy, &[0.1, 3.0, 2.9], 3), [1, 1, 1]);
    }

    #[test]
    fn equal_seeds_give_equal_answers_and_other_seeds_differ() {
        let scores = vec![0.0; 50];
        let other = Sampling {
            seed: 8,
            ..settings()
        };
        assert_eq!(
            draws(settings(), &scores, 20),
            draws(settings(), &scores, 20)
        );
        assert_ne!(draws(settings(), &scores, 20), draws(other, &scores, 20));
    }

    #[test]
    fn top_p_leaves_out_the_unlikely() {
        let nucleus = Sampling {
            top_p: 0.5,
            ..settings()
        };
        assert!(
            draws(nucleus, &[5.0, 1.0, 1.0], 200)
                .iter()
                .all(|t| *t == 0)
        );
    }

    #[test]
    fn draws_follow_the_probabilities() {
        let scores = [0.75_f32.ln(), 0.25_f32.ln()];
        let first = draws(settings(), &scores, 4000)
            .iter()
            .filter(|t| **t == 0)
            .count();
        assert!((2850..3150).contains(&first), "{first}");
    }

    #[test]
    fn penalties_lower_the_scores_of_previous_tokens() {
        let base = Sampling {
            temperature: 0.0,
            ..settings()
        };
        let scores = [1.05, 1.0];
        let repeat = Sampling {
            repeat_penalty: 1.1,
            ..base.clone()
        };
        let presence = Sampling {
            presence_penalty: 0.5,
            ..base.clone()
        };
        let frequency = Sampling {
            frequency_penalty: 0.5,
            ..base
        };
        for penalised in [repeat, presence, frequency] {
            assert_eq!(draws(penalised, &scores, 2), [0, 1]);
        }
    }

    #[test]
    fn a_bias_can_forbid_a_token() {
        let biased = Sampling {
            temperature: 0.0,
            bias: vec![(0, -100.0), (999, 5.0)],
            ..settings()
        };
        assert_eq!(draws(biased, &[3.0, 1.0], 1), [1]);
    }
}
