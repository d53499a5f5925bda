//! What a deployment lacks, per part. Operators see the names of bindings, secrets and variables;
//! everyone else sees only which parts work. Values are never shown.

use js_sys::Reflect;
use serde::{Deserialize, Serialize};
use worker::Env;

/// A part of a deployment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema),
    schemars(rename = "HealthPart")
)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// D1.
    Database,
    /// The schema of D1.
    Migrations,
    /// The tenants' ledgers.
    Ledger,
    /// KV.
    Cache,
    /// The queue of messages between sessions.
    Queue,
    /// The limits on guessed keys and tokens.
    RateLimits,
    /// The model providers.
    Providers,
    /// Other variables and secrets.
    Configuration,
    /// The admin Worker.
    Admin,
    /// The widget server.
    Widget,
}

impl Part {
    /// All parts.
    pub const ALL: [Self; 10] = [
        Self::Database,
        Self::Migrations,
        Self::Ledger,
        Self::Cache,
        Self::Queue,
        Self::RateLimits,
        Self::Providers,
        Self::Configuration,
        Self::Admin,
        Self::Widget,
    ];
}

/// Something that is missing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema),
    schemars(rename = "HealthProblem")
)]
pub struct Problem {
    /// The Worker that lacks it.
    pub worker: String,
    /// The part of the deployment.
    pub part: Part,
    /// The name of the binding, secret, variable, provider or migration.
    pub name: String,
    /// What is wrong with it; never its value.
    pub reason: String,
}

/// The problems of one Worker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problems {
    worker: &'static str,
    found: Vec<Problem>,
}

impl Problems {
    /// No problems of a Worker yet.
    pub const fn of(worker: &'static str) -> Self {
        Self {
            worker,
            found: Vec::new(),
        }
    }

    /// Adds a problem.
    pub fn add(&mut self, part: Part, name: impl Into<String>, reason: impl Into<String>) {
        self.found.push(Problem {
            worker: self.worker.to_owned(),
            part,
            name: name.into(),
            reason: reason.into(),
        });
    }

    /// Adds a problem if a binding is absent. Returns whether it is there.
    pub fn require(&mut self, env: &Env, part: Part, binding: &str) -> bool {
        let is_there = is_bound(env, binding);
        if !is_there {
            self.add(part, binding, "the binding is absent");
        }
        is_there
    }

    /// Adds a problem if a binding is absent or what it leads to does not respond.
    pub fn require_response(&mut self, env: &Env, part: Part, binding: &str, responds: bool) {
        if self.require(env, part, binding) && !responds {
            self.add(part, binding, "it does not respond");
        }
    }

    /// All problems.
    pub fn into_vec(self) -> Vec<Problem> {
        self.found
    }
}

/// Whether a Worker has a binding of this name.
pub fn is_bound(env: &Env, name: &str) -> bool {
    Reflect::get(env.as_ref(), &name.into()).is_ok_and(|binding| !binding.is_undefined())
}
