//! The deployed versions of a Worker, as wrangler lists them.

use std::{cell::RefCell, collections::BTreeMap};

use anyhow::{Context, Result};
use serde::Deserialize;

use crate::deploy::{plan::Answer, target::Target};

/// The annotation of a version with the commit that it was built from.
const TAG: &str = "workers/tag";

/// The annotation of a version with what created it, and its value for a changed secret.
const TRIGGER: &str = "workers/triggered_by";
const SECRET_CHANGE: &str = "secret";

/// The annotation of a deployment with its description.
const MESSAGE: &str = "workers/message";

/// A deployment: the versions that share a Worker's requests. At most two.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Deployment {
    created_on: String,
    pub(crate) versions: Vec<Share>,
    #[serde(default)]
    annotations: Option<BTreeMap<String, String>>,
}

/// A version's share of the requests.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Share {
    pub(crate) version_id: String,
    pub(crate) percentage: f64,
}

/// An uploaded version.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Version {
    pub(crate) id: String,
    metadata: Metadata,
    #[serde(default)]
    annotations: Option<BTreeMap<String, String>>,
}

#[derive(Debug, Clone, Deserialize)]
struct Metadata {
    created_on: String,
}

impl Deployment {
    /// Its description.
    pub(crate) fn message(&self) -> Option<&str> {
        self.annotations.as_ref()?.get(MESSAGE).map(String::as_str)
    }
}

impl Version {
    /// The commit that it was built from, if a deployment of ours uploaded it.
    pub(crate) fn commit(&self) -> Option<&str> {
        self.annotations.as_ref()?.get(TAG).map(String::as_str)
    }

    /// Whether it differs from the version before it in a secret only.
    fn is_secret_change(&self) -> bool {
        let trigger = self.annotations.as_ref().and_then(|it| it.get(TRIGGER));
        trigger.is_some_and(|trigger| trigger == SECRET_CHANGE)
    }

    /// The time of its upload. Later times sort after earlier ones.
    pub(crate) fn created_on(&self) -> &str {
        &self.metadata.created_on
    }
}

/// The last deployments of a Worker, newest first; `None` if there is no such Worker.
pub(crate) fn deployments(target: &Target<'_>, worker: &str) -> Result<Option<Vec<Deployment>>> {
    let name = target.worker(worker);
    let answer = target
        .wrangler
        .ask(&["deployments", "list", "--name", &name, "--json"])?;
    let Answer::Found(text) = answer else {
        return Ok(None);
    };
    let deployments = serde_json::from_str(&text);
    let mut deployments: Vec<Deployment> =
        deployments.context("the list of deployments is not valid")?;
    deployments.sort_by(|a, b| b.created_on.cmp(&a.created_on));
    Ok(Some(deployments))
}

/// The last uploaded versions of a Worker, newest first.
pub(crate) fn uploaded(target: &Target<'_>, worker: &str) -> Result<Vec<Version>> {
    let name = target.worker(worker);
    let list = target
        .wrangler
        .ask_json(&["versions", "list", "--name", &name, "--json"])?;
    let mut versions: Vec<Version> =
        serde_json::from_value(list).context("the list of versions is not valid")?;
    versions.sort_by(|a, b| b.created_on().cmp(a.created_on()));
    Ok(versions)
}

/// The deployments and versions of one Worker.
pub(crate) struct History<'t> {
    target: &'t Target<'t>,
    pub(crate) worker: &'static str,
    /// Newest first.
    pub(crate) deployments: Vec<Deployment>,
    versions: RefCell<BTreeMap<String, Version>>,
}

impl<'t> History<'t> {
    /// Asks for the history of a Worker that was deployed.
    pub(crate) fn read(target: &'t Target<'t>, worker: &'static str) -> Result<Self> {
        let missing = || {
            format!(
                "{} does not exist: nothing was deployed to {}",
                target.worker(worker),
                target.name
            )
        };
        let deployments = deployments(target, worker)?.with_context(missing)?;
        let versions = uploaded(target, worker)?
            .into_iter()
            .map(|version| (version.id.clone(), version));
        Ok(Self {
            target,
            worker,
            deployments,
            versions: RefCell::new(versions.collect()),
        })
    }

    /// A version of a deployment. Only the last ten are listed, so an older one is asked for.
    pub(crate) fn version(&self, id: &str) -> Result<Version> {
        if let Some(version) = self.versions.borrow().get(id) {
            return Ok(version.clone());
        }
        let name = self.target.worker(self.worker);
        let version = self
            .target
            .wrangler
            .ask_json(&["versions", "view", id, "--name", &name, "--json"])?;
        let version: Version = serde_json::from_value(version)
            .with_context(|| format!("the version {id} of {name} is not valid"))?;
        self.versions
            .borrow_mut()
            .insert(id.to_owned(), version.clone());
        Ok(version)
    }

    /// The commit that a version was built from: a changed secret has the code of the version before it.
    pub(crate) fn commit(&self, version: &Version) -> Option<String> {
        if !version.is_secret_change() || version.commit().is_some() {
            return version.commit().map(str::to_owned);
        }
        let versions = self.versions.borrow();
        let earlier = versions
            .values()
            .filter(|it| it.created_on() < version.created_on() && !it.is_secret_change());
        let before = earlier.max_by(|a, b| a.created_on().cmp(b.created_on()));
        before.and_then(Version::commit).map(str::to_owned)
    }

    /// The versions of all deployments, newest deployment first.
    pub(crate) fn deployed(&self) -> Result<Vec<Version>> {
        let shares = self
            .deployments
            .iter()
            .flat_map(|deployment| &deployment.versions);
        shares
            .map(|share| self.version(&share.version_id))
            .collect()
    }

    /// The versions that serve requests now, the newest first.
    pub(crate) fn running(&self) -> Result<Vec<Version>> {
        let shares = self
            .deployments
            .first()
            .into_iter()
            .flat_map(|deployment| &deployment.versions);
        let mut versions = shares
            .map(|share| self.version(&share.version_id))
            .collect::<Result<Vec<_>>>()?;
        versions.sort_by(|a, b| b.created_on().cmp(a.created_on()));
        Ok(versions)
    }
}
