//! The checks of a smoke test.

use std::{
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};

use super::http::{Api, Response};
use crate::progress::Progress;

/// How long a new deployment may take to respond everywhere.
const START_TIMEOUT: Duration = Duration::from_mins(2);

/// Pause between two requests for the health.
const POLL: Duration = Duration::from_secs(2);

/// The start of the names of the tenants.
const TENANT: &str = "smoke-test-";

/// Age from which a tenant of an interrupted smoke test is deleted, in seconds.
const LEFTOVER_AGE: u64 = 3600;

/// Requests that a deletion may take.
const MAX_DELETIONS: usize = 50;

/// The session of the streamed turn.
const SESSION: &str = "smoke-test";

/// A running smoke test.
pub(super) struct Smoke<'a> {
    api: &'a Api,
    token: Option<String>,
    model: Option<String>,
    progress: &'a Progress,
    tenant: Option<String>,
}

impl<'a> Smoke<'a> {
    pub(super) const fn new(
        api: &'a Api,
        token: Option<String>,
        model: Option<String>,
        progress: &'a Progress,
    ) -> Self {
        Self {
            api,
            token,
            model,
            progress,
            tenant: None,
        }
    }

    pub(super) const fn has_token(&self) -> bool {
        self.token.is_some()
    }

    /// Waits until the gateway is healthy and, with a token, until the right commit responds.
    pub(super) fn health(&self, commit: Option<&str>) -> Result<()> {
        let task = self.progress.task("health");
        let started = Instant::now();
        loop {
            let problem = match self.health_problem(commit) {
                Ok(None) => {
                    task.done();
                    return Ok(());
                }
                Ok(Some(problem)) => problem,
                Err(error) => format!("{error:#}"),
            };
            if started.elapsed() > START_TIMEOUT {
                bail!("GET /health: {problem}");
            }
            task.message(problem);
            thread::sleep(POLL);
        }
    }

    /// What is wrong with the gateway's health.
    fn health_problem(&self, commit: Option<&str>) -> Result<Option<String>> {
        let response = self
            .api
            .send("GET", "/health", self.token.as_deref(), None, None)?;
        let status = response.status;
        let health = response.json()?;
        let problems = health.get("problems").and_then(Value::as_array);
        let problems: Vec<String> = problems
            .into_iter()
            .flatten()
            .map(|it| {
                let member = |name: &str| {
                    it.get(name)
                        .and_then(Value::as_str)
                        .unwrap_or_default()
                        .to_owned()
                };
                format!(
                    "{} of {}: {}",
                    member("name"),
                    member("worker"),
                    member("reason")
                )
            })
            .collect();
        let word = text(&health, "/status");
        if status != 200 || word != "ok" {
            let parts = health.get("dependencies").and_then(Value::as_object);
            let parts = parts
                .into_iter()
                .flatten()
                .filter(|(_, word)| *word != "ok")
                .map(|(part, _)| part.clone());
            let details = if problems.is_empty() {
                parts.collect()
            } else {
                problems
            };
            return Ok(Some(format!("{status} {word}: {}", details.join("; "))));
        }
        let Some(commit) = commit.filter(|_| self.token.is_some()) else {
            return Ok(None);
        };
        let admin = self.admin("GET", "/health", None)?.expect(&[200])?.json()?;
        for (worker, health) in [("gateway", &health), ("admin", &admin)] {
            let found = text(health, "/build/commit");
            if found != commit {
                return Ok(Some(format!(
                    "commit `{found}` of {worker} responds instead of `{commit}`"
                )));
            }
        }
        Ok(None)
    }

    /// A tenant with a key makes calls, until its key is revoked.
    pub(super) fn calls(&mut self) -> Result<()> {
        self.step(
            "leftovers of interrupted smoke tests",
            Self::delete_leftovers,
        )?;
        self.step("new tenant", |smoke| {
            let body = json!({"name": format!("{TENANT}{}", now())});
            let tenant = smoke
                .admin("POST", "/tenants", Some(&body))?
                .expect(&[201])?
                .json()?;
            smoke.tenant = Some(text(&tenant, "/id"));
            Ok(())
        })?;
        let tenant = self.tenant.clone().unwrap_or_default();
        let (mut key, mut key_id) = (String::new(), String::new());
        self.step("new API key", |smoke| {
            let body = json!({"name": "smoke", "scopes": ["chat", "sessions:read"]});
            let minted = smoke
                .admin("POST", &format!("/tenants/{tenant}/keys"), Some(&body))?
                .expect(&[201])?
                .json()?;
            key = text(&minted, "/key");
            key_id = text(&minted, "/id");
            ensure!(
                !key.is_empty() && !key_id.is_empty(),
                "the response has no key"
            );
            Ok(())
        })?;
        let mut model = String::new();
        self.step("list of models", |smoke| {
            let models = smoke
                .api
                .send("GET", "/v1/models", Some(&key), None, None)?
                .expect(&[200])?
                .json()?;
            let first = text(&models, "/data/0/id");
            model = smoke.model.clone().unwrap_or(first);
            ensure!(!model.is_empty(), "the gateway offers no model");
            Ok(())
        })?;
        self.step(&format!("chat with {model}"), |smoke| {
            let response = smoke.chat(&key, &model, false)?.expect(&[200])?.json()?;
            ensure!(
                response.pointer("/choices/0/message").is_some(),
                "the response has no message"
            );
            ensure!(
                response.pointer("/usage/total_tokens").is_some(),
                "the response has no usage"
            );
            Ok(())
        })?;
        self.step("streamed chat in a session", |smoke| {
            let response = smoke.chat(&key, &model, true)?.expect(&[200])?;
            ensure!(
                response.text.trim_end().ends_with("data: [DONE]"),
                "the stream did not end with [DONE]"
            );
            Ok(())
        })?;
        self.step("the turn is stored", |smoke| {
            let path = format!("/v1/sessions/{SESSION}/messages");
            let messages = smoke
                .api
                .send("GET", &path, Some(&key), None, None)?
                .expect(&[200])?
                .json()?;
            let count = messages
                .get("data")
                .and_then(Value::as_array)
                .map_or(0, Vec::len);
            ensure!(count == 2, "{count} messages instead of 2");
            Ok(())
        })?;
        self.step("a revoked key is refused", |smoke| {
            smoke
                .admin(
                    "POST",
                    &format!("/tenants/{tenant}/keys/{key_id}/revoke"),
                    Some(&json!({})),
                )?
                .expect(&[200])?;
            smoke.chat(&key, &model, false)?.expect(&[401]).map(drop)
        })
    }

    /// Deletes the tenant and all its data.
    pub(super) fn clean_up(&mut self) -> Result<()> {
        let Some(tenant) = self.tenant.take() else {
            return Ok(());
        };
        self.step("the tenant is deleted", |smoke| {
            smoke
                .delete(&tenant)
                .with_context(|| format!("delete it: cargo xtask admin tenants delete {tenant}"))
        })
    }

    fn delete(&self, tenant: &str) -> Result<()> {
        for _ in 0..MAX_DELETIONS {
            let response = self
                .admin("DELETE", &format!("/tenants/{tenant}"), None)?
                .expect(&[200, 202, 404])?;
            if response.status != 202 {
                return Ok(());
            }
        }
        bail!("the deletion is not complete after {MAX_DELETIONS} requests")
    }

    /// Deletes tenants of smoke tests that were interrupted.
    fn delete_leftovers(&mut self) -> Result<()> {
        let list = self
            .admin("GET", "/tenants?limit=100", None)?
            .expect(&[200])?
            .json()?;
        for tenant in list
            .get("data")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
        {
            let (id, name) = (text(tenant, "/id"), text(tenant, "/name"));
            let started = name
                .strip_prefix(TENANT)
                .and_then(|time| time.parse::<u64>().ok());
            if started.is_some_and(|started| started + LEFTOVER_AGE < now()) {
                self.delete(&id)?;
            }
        }
        Ok(())
    }

    fn step(&mut self, title: &str, run: impl FnOnce(&mut Self) -> Result<()>) -> Result<()> {
        let task = self.progress.task(title.to_owned());
        run(self).with_context(|| format!("smoke test, {title}"))?;
        task.done();
        Ok(())
    }

    fn admin(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Response> {
        self.api.send(
            method,
            &format!("/admin{path}"),
            self.token.as_deref(),
            body,
            None,
        )
    }

    fn chat(&self, key: &str, model: &str, stream: bool) -> Result<Response> {
        let body = json!({
            "model": model, "stream": stream, "max_tokens": 64,
            "messages": [{"role": "user", "content": "Say hello."}],
        });
        self.api.send(
            "POST",
            "/v1/chat/completions",
            Some(key),
            Some(&body),
            stream.then_some(SESSION),
        )
    }
}

fn text(value: &Value, pointer: &str) -> String {
    value
        .pointer(pointer)
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned()
}

/// Seconds since 1970.
fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |it| it.as_secs())
}
