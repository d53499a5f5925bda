//! Stage 6: the call, along the chain of models, up to the first byte of an answer.

use std::borrow::Cow;

use clawless_core::{ApiError, Provenance};
use clawless_llm::call::{Answered, ChainCall, DEFAULT_RETRIES, Failed, Target};
use clawless_llm::egress::Egress;
use clawless_llm::{AnswerStream, Http, Io, LlmClient, Timeouts, make_client, tokens};

use crate::platform::Platform;
use crate::route::Link;
use crate::turn::{Outcome, Turn};

/// An answer that has begun.
pub struct Begun<P: Platform> {
    /// What is still to come of it.
    pub answers: AnswerStream<<P::Http as Http>::Body, P::Time>,
    /// The model that answers.
    pub link: Link,
    /// What it took.
    pub way: CallTrace,
}

/// How a call came to its answer, for the answer's headers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallTrace {
    /// How many requests went out.
    pub tries: usize,
    /// The parameters that the model's provider has no word for and that were left out.
    pub dropped: Vec<Cow<'static, str>>,
}

/// Asks for an answer in one piece; says how it came.
///
/// # Errors
/// The last provider's failure, in words for the client.
pub async fn complete<P: Platform>(
    platform: &P,
    turn: &Turn,
) -> Result<(Outcome, CallTrace), ApiError> {
    let (chain, io) = (Chain::of(platform, turn)?, io(platform));
    let asked = caller(platform, &io, turn)
        .complete(&chain.targets(), &turn.llm, turn.deadline)
        .await;
    let Answered {
        answer,
        target,
        failed,
        dropped,
    } = asked.map_err(refusal)?;
    let link = chain.link(target)?;
    let (usage, provenance) = match answer.usage {
        Some(usage) => (usage, Provenance::Provider),
        None => (
            tokens::estimate_usage(&turn.llm, &answer),
            Provenance::Estimated,
        ),
    };
    let outcome = Outcome::of(link, answer, usage, provenance, None);
    let tries = failed.len() + 1;
    Ok((outcome, CallTrace { tries, dropped }))
}

/// Asks for a stream, and returns once an answer has begun.
///
/// # Errors
/// The last provider's failure, in words for the client.
pub async fn stream<P: Platform>(platform: &P, turn: &Turn) -> Result<Begun<P>, ApiError> {
    let (chain, io) = (Chain::of(platform, turn)?, io(platform));
    let asked = caller(platform, &io, turn)
        .stream(&chain.targets(), &turn.llm, turn.deadline)
        .await;
    let Answered {
        answer,
        target,
        failed,
        dropped,
    } = asked.map_err(refusal)?;
    Ok(Begun {
        answers: answer,
        link: chain.link(target)?.clone(),
        way: CallTrace {
            tries: failed.len() + 1,
            dropped,
        },
    })
}

/// The models of a turn's route, each with its client.
struct Chain<'a>(Vec<(LlmClient, &'a Link)>);

impl<'a> Chain<'a> {
    fn of<P: Platform>(platform: &P, turn: &'a Turn) -> Result<Self, ApiError> {
        let config = platform.config();
        let egress = if config.allow_private_providers {
            Egress::Any
        } else {
            Egress::Public
        };
        let clients = turn.route.chain().map(|link| {
            let client = make_client(&link.provider, config.key_of(&link.provider), egress);
            Ok((client.map_err(ApiError::internal)?, link))
        });
        clients.collect::<Result<_, _>>().map(Self)
    }

    fn targets(&self) -> Vec<Target<'_>> {
        self.0
            .iter()
            .map(|(client, link)| Target {
                client,
                model: &link.model,
            })
            .collect()
    }

    fn link(&self, position: usize) -> Result<&'a Link, ApiError> {
        let found = self.0.get(position).map(|(_, link)| *link);
        found.ok_or_else(|| ApiError::internal("a model answered that was not asked"))
    }
}

fn io<P: Platform>(platform: &P) -> Io<&P::Http, P::Time> {
    Io {
        http: platform.http(),
        time: platform.time().clone(),
    }
}

fn caller<'a, P: Platform>(
    platform: &'a P,
    io: &'a Io<&'a P::Http, P::Time>,
    turn: &'a Turn,
) -> ChainCall<'a, &'a P::Http, P::Time, P::Entropy> {
    let config = platform.config();
    ChainCall {
        io,
        entropy: platform.entropy(),
        breakers: &platform.memory().breakers,
        timeouts: Timeouts {
            first_byte: config.first_byte_timeout,
            whole: config.whole_timeout,
            idle: config.idle_timeout,
            total: config.total_timeout,
        },
        retries: DEFAULT_RETRIES,
        in_flight: &turn.in_flight,
    }
}

fn refusal(failed: Failed) -> ApiError {
    for try_ in &failed.failed {
        tracing::warn!(position = try_.target, error = %try_.error, "a model did not answer");
    }
    failed.error.into()
}
