//! Uploads the Workers in the order that their bindings allow: all at once, or the gateway step by step.

use std::path::Path;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::deploy::{
    configuration::{Config, without_services},
    git::Commit,
    secrets::SecretFiles,
    target::{self, Target},
    versions::{self, Deployment, Share},
    wrangler::argument,
};

/// The Workers behind the gateway, in their order.
pub(crate) const SERVICES: [&str; 2] = ["admin", "widget-server"];

/// What a deployment changed.
#[derive(Debug, Default)]
pub(crate) struct Released {
    /// Worker, version and share of the requests, one line each.
    pub(crate) lines: Vec<String>,
    /// The platform's address of the gateway.
    pub(crate) url: Option<String>,
}

/// Deploys all Workers. The gateway of a new environment is deployed without its services first, because
/// admin binds the gateway's Durable Objects, and the gateway binds admin.
pub(crate) fn all(
    target: &Target<'_>,
    commit: &Commit,
    gateway: &Config,
    secrets: &SecretFiles<'_>,
    is_new: bool,
) -> Result<Released> {
    let mut released = Released::default();
    if is_new {
        let path = target.config("gateway-without-services");
        target::write(&path, &without_services(gateway.clone()))?;
        let title = "deploying gateway without its services".to_owned();
        upload(target, "gateway", &path, commit, secrets, &title)?;
    }
    services(target, commit, secrets, &mut released)?;
    let title = format!("deploying {}", target.worker("gateway"));
    let event = upload(
        target,
        "gateway",
        &target.config("gateway"),
        commit,
        secrets,
        &title,
    )?;
    released.add(target, "gateway", &event, 100.0);
    let targets = event.get("targets").and_then(Value::as_array);
    let mut urls = targets.into_iter().flatten().filter_map(Value::as_str);
    released.url = urls.find(|url| url.contains("://")).map(str::to_owned);
    Ok(released)
}

/// Deploys the services, and gives the gateway's new version a share of the requests. Run again with
/// another percentage, it changes the share of the same version.
pub(crate) fn gradually(
    target: &Target<'_>,
    commit: &Commit,
    secrets: &SecretFiles<'_>,
    percentage: u8,
    current: &[Deployment],
) -> Result<Released> {
    let shares = &current
        .first()
        .context("the gateway has no deployment yet: deploy it without --percentage first")?
        .versions;
    let mut released = Released::default();
    let uploaded = versions::uploaded(target, "gateway")?;
    let known = uploaded
        .iter()
        .find(|version| version.commit() == Some(&commit.tag));
    // New secrets need a new version.
    let known = known.filter(|_| secrets.of("gateway").is_none());
    let new = if let Some(version) = known {
        version.id.clone()
    } else {
        services(target, commit, secrets, &mut released)?;
        let config = target.config("gateway");
        let arguments = arguments(
            &["versions", "upload"],
            &config,
            commit,
            secrets.of("gateway"),
        )?;
        let event = target.wrangler.change(
            &format!("uploading {}", target.worker("gateway")),
            &arguments.iter().map(String::as_str).collect::<Vec<_>>(),
        )?;
        version_of(&event, target)?
    };
    let old = stable(shares, &new);
    let mut parts = vec![(new, percentage)];
    match old {
        Some(old) if percentage < 100 => parts.push((old.version_id.clone(), 100 - percentage)),
        None if percentage < 100 => bail!(
            "the gateway serves only version {} already: nothing to divide",
            parts.iter().map(|(id, _)| id.as_str()).collect::<String>()
        ),
        _ => {}
    }
    split(target, &parts, &format!("{} at {percentage}%", commit.tag))?;
    let name = target.worker("gateway");
    released.lines.extend(
        parts
            .iter()
            .map(|(id, share)| line(&name, id, f64::from(*share))),
    );
    Ok(released)
}

/// Divides the gateway's requests between versions.
fn split(target: &Target<'_>, parts: &[(String, u8)], message: &str) -> Result<()> {
    let name = target.worker("gateway");
    let parts: Vec<String> = parts
        .iter()
        .map(|(id, percentage)| format!("{id}@{percentage}%"))
        .collect();
    let mut arguments = vec!["versions", "deploy"];
    arguments.extend(parts.iter().map(String::as_str));
    arguments.extend(["--name", &name, "--message", message, "--yes"]);
    target
        .wrangler
        .change(&format!("dividing the requests of {name}"), &arguments)
        .map(drop)
}

/// The version that serves requests besides `new`: the one with the largest share.
fn stable<'a>(shares: &'a [Share], new: &str) -> Option<&'a Share> {
    let others = shares.iter().filter(|share| share.version_id != new);
    others.max_by(|a, b| a.percentage.total_cmp(&b.percentage))
}

fn services(
    target: &Target<'_>,
    commit: &Commit,
    secrets: &SecretFiles<'_>,
    released: &mut Released,
) -> Result<()> {
    for worker in SERVICES {
        let title = format!("deploying {}", target.worker(worker));
        let event = upload(
            target,
            worker,
            &target.config(worker),
            commit,
            secrets,
            &title,
        )?;
        released.add(target, worker, &event, 100.0);
    }
    Ok(())
}

fn upload(
    target: &Target<'_>,
    worker: &str,
    config: &Path,
    commit: &Commit,
    secrets: &SecretFiles<'_>,
    title: &str,
) -> Result<Value> {
    let arguments = arguments(&["deploy"], config, commit, secrets.of(worker))?;
    target.wrangler.change(
        title,
        &arguments.iter().map(String::as_str).collect::<Vec<_>>(),
    )
}

fn arguments(
    command: &[&str],
    config: &Path,
    commit: &Commit,
    secrets: Option<&Path>,
) -> Result<Vec<String>> {
    let mut arguments = command.to_vec();
    arguments.extend([
        "--config",
        argument(config)?,
        "--tag",
        &commit.tag,
        "--message",
        &commit.subject,
    ]);
    if let Some(secrets) = secrets {
        arguments.extend(["--secrets-file", argument(secrets)?]);
    }
    Ok(arguments.into_iter().map(str::to_owned).collect())
}

fn version_of(event: &Value, target: &Target<'_>) -> Result<String> {
    if target.wrangler.is_preview() {
        return Ok("<new version>".to_owned());
    }
    let id = event.get("version_id").and_then(Value::as_str);
    Ok(id
        .context("wrangler did not report the new version: run the command again")?
        .to_owned())
}

impl Released {
    fn add(&mut self, target: &Target<'_>, worker: &str, event: &Value, percentage: f64) {
        let id = event
            .get("version_id")
            .and_then(Value::as_str)
            .unwrap_or("?");
        self.lines
            .push(line(&target.worker(worker), id, percentage));
    }
}

fn line(worker: &str, id: &str, percentage: f64) -> String {
    format!("{worker:<32} {id:<36} {percentage:>3} %")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stable_version_is_the_largest_other_one() {
        let share = |id: &str, percentage| Share {
            version_id: id.to_owned(),
            percentage,
        };
        let shares = [share("old", 90.0), share("new", 10.0)];
        assert_eq!(
            stable(&shares, "new").map(|it| it.version_id.as_str()),
            Some("old")
        );
        assert_eq!(
            stable(&shares, "newer").map(|it| it.version_id.as_str()),
            Some("old")
        );
        assert!(stable(&[share("new", 100.0)], "new").is_none());
    }
}
