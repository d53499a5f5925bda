//! The result of a health check.

use clawless_edge::health::{Part, Problem};

/// What the deployment lacks, as the gateway sees it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Health {
    /// The problems.
    pub problems: Vec<Problem>,
}

/// The parts without which no chat can be served.
const ESSENTIAL: [Part; 3] = [Part::Database, Part::Migrations, Part::Ledger];

impl Health {
    /// Whether a part has no problem.
    pub fn works(&self, part: Part) -> bool {
        self.problems.iter().all(|problem| problem.part != part)
    }

    /// Whether chats can be served. `has_models`: whether a provider offers a model.
    pub fn serves(&self, has_models: bool) -> bool {
        has_models && ESSENTIAL.into_iter().all(|part| self.works(part))
    }
}
