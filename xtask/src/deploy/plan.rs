//! The answers of a preview: an account with exactly the resources that `environments.jsonc` records.

use serde_json::{Value, json};

use crate::deploy::{
    configuration::{name_of, title_of},
    environment::Environment,
};

/// The answer to a question.
pub(crate) enum Answer {
    /// The standard output.
    Found(String),
    /// What the question is about does not exist.
    Missing,
}

/// The account that a preview assumes.
pub(crate) struct Plan(Environment);

/// Stands for an id that a deployment would find or create.
pub(crate) const UNKNOWN: &str = "00000000-0000-0000-0000-000000000000";

impl Plan {
    /// The account after what an environment records.
    pub(crate) const fn new(environment: Environment) -> Self {
        Self(environment)
    }

    /// Whether the environment was deployed before, so that its Workers and queues exist.
    fn is_deployed(&self) -> bool {
        !self.0.databases.is_empty() && !self.0.namespaces.is_empty()
    }

    /// The answer to a question, as wrangler prints it.
    pub(crate) fn answer(&self, arguments: &[&str]) -> Answer {
        let found = |value: Value| Answer::Found(value.to_string());
        match arguments {
            ["whoami", ..] => {
                let id = self.0.account_id.as_deref().unwrap_or(UNKNOWN);
                found(json!({"loggedIn": true, "accounts": [{"id": id, "name": "the account"}]}))
            }
            ["d1", "list", ..] => {
                let databases = self.0.databases.iter();
                let databases = databases.map(
                    |(name, id)| json!({"uuid": id, "name": format!("{name}{}", self.0.suffix)}),
                );
                found(databases.collect())
            }
            ["kv", ..] => {
                let namespaces = self.0.namespaces.iter();
                let namespaces = namespaces.map(|(binding, id)| json!({"id": id, "title": format!("{}{}", title_of(binding), self.0.suffix)}));
                found(namespaces.collect())
            }
            ["d1", "migrations", ..] => Answer::Found(String::new()),
            _ if !self.is_deployed() => Answer::Missing,
            ["deployments", "list", "--name", worker, ..] => {
                let id = format!("the current version of {worker}");
                found(
                    json!([{"created_on": "", "versions": [{"version_id": id, "percentage": 100}]}]),
                )
            }
            ["versions", "list", ..] => found(json!([])),
            ["secret", "list", "--name", worker, ..] => {
                let is_admin = *worker == name_of("admin", &self.0);
                let name = if is_admin {
                    "ADMIN_TOKEN"
                } else {
                    "SIGNING_KEY"
                };
                found(json!([{"name": name, "type": "secret_text"}]))
            }
            _ => Answer::Found(String::new()),
        }
    }
}
