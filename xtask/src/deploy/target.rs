//! One environment during one command: its configuration, its folder of local files, and wrangler.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};
use clap::Args;
use serde_json::Value;

use crate::{
    deploy::{
        configuration::{self, name_of},
        environment::{Entry, Environment, Environments},
        plan::Plan,
        wrangler::Wrangler,
    },
    layout::Layout,
    private,
    progress::{Progress, indented},
    stamp::write_atomically,
};

/// The file with the gateway's address.
const URL: &str = "url";

/// The environment that a command is about.
#[derive(Debug, Clone, Args)]
pub(crate) struct Selection {
    /// Environment of wrangler/environments.jsonc
    #[arg(long, value_name = "NAME", default_value = "production")]
    pub(crate) env: String,
}

/// An environment and the ways to change it.
pub(crate) struct Target<'a> {
    pub(crate) layout: &'a Layout,
    pub(crate) progress: &'a Progress,
    /// The name of the environment.
    pub(crate) name: String,
    pub(crate) wrangler: Wrangler<'a>,
    environments: Environments,
    environment: Environment,
    folder: PathBuf,
}

impl<'a> Target<'a> {
    /// Opens an environment. A preview changes nothing.
    pub(crate) fn open(
        layout: &'a Layout,
        selection: &Selection,
        is_preview: bool,
        progress: &'a Progress,
    ) -> Result<Self> {
        let environments = Environments::read(layout)?;
        let environment = environments.get(&selection.env)?.clone();
        let folder = layout.default_state().join("deploy").join(&selection.env);
        private::create_folder(&folder)?;
        private::restrict_folder(&folder)?;
        let plan = is_preview.then(|| Plan::new(environment.clone()));
        Ok(Self {
            layout,
            progress,
            name: selection.env.clone(),
            wrangler: Wrangler::new(layout, progress, folder.clone(), plan),
            environments,
            environment,
            folder,
        })
    }

    /// The environment with all recorded ids.
    pub(crate) const fn environment(&self) -> &Environment {
        &self.environment
    }

    /// The deployed name of a Worker.
    pub(crate) fn worker(&self, worker: &str) -> String {
        name_of(worker, &self.environment)
    }

    /// A private file of this environment on this machine.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// The generated configuration of a Worker.
    pub(crate) fn config(&self, worker: &str) -> PathBuf {
        self.file(&format!("{worker}.json"))
    }

    /// Records a value in `environments.jsonc`. A preview remembers it.
    pub(crate) fn record(&mut self, entry: Entry<'_>, value: &str) -> Result<()> {
        if !self.wrangler.is_preview() {
            self.environments.record(&self.name, entry, value)?;
        }
        let (environment, value) = (&mut self.environment, value.to_owned());
        match entry {
            Entry::Account => environment.account_id = Some(value),
            Entry::Database(name) => drop(environment.databases.insert(name.to_owned(), value)),
            Entry::Namespace(name) => drop(environment.namespaces.insert(name.to_owned(), value)),
        }
        Ok(())
    }

    /// Writes the configuration of a Worker for wrangler.
    pub(crate) fn write_config(&self, worker: &str, commit: &str) -> Result<configuration::Config> {
        let config =
            configuration::derive(self.layout, worker, &self.name, &self.environment, commit)?;
        write(&self.config(worker), &config)?;
        Ok(config)
    }

    /// Checks the login, and finds the account: the recorded one, else the login's only one.
    pub(crate) fn find_account(&mut self) -> Result<()> {
        let login = self.wrangler.ask_json(&["whoami", "--json"]).context(
            "wrangler is not logged in: run `npx wrangler login`, or set CLOUDFLARE_API_TOKEN",
        )?;
        let accounts: Vec<(String, String)> = login
            .get("accounts")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(|account| {
                let member = |name| account.get(name).and_then(Value::as_str).map(str::to_owned);
                Some((member("id")?, member("name").unwrap_or_default()))
            })
            .collect();
        let list = || indented(accounts.iter().map(|(id, name)| format!("{id}  {name}")));
        let account = match (&self.environment.account_id, accounts.as_slice()) {
            (Some(recorded), accounts) if accounts.iter().any(|(id, _)| id == recorded) => {
                recorded.clone()
            }
            (Some(recorded), _) => bail!(
                "the login has no access to account {recorded}, which environment `{}` uses; it has access to:{}",
                self.name,
                list()
            ),
            (None, [(only, _)]) => only.clone(),
            (None, []) => bail!("the login has no account"),
            (None, _) => bail!(
                "the login has several accounts: set `account_id` of `{}` in wrangler/environments.jsonc to one of:{}",
                self.name,
                list()
            ),
        };
        if self.environment.account_id.is_none() {
            self.record(Entry::Account, &account)?;
        }
        self.wrangler.use_account(&account);
        Ok(())
    }

    /// The gateway's address: its domain, else the one that the last deployment from here reported.
    pub(crate) fn url(&self) -> Option<String> {
        let domain = self
            .environment
            .domain
            .as_ref()
            .map(|domain| format!("https://{domain}"));
        domain.or_else(|| fs::read_to_string(self.file(URL)).ok())
    }

    /// Remembers the address that a deployment reported.
    pub(crate) fn remember_url(&self, url: &str) -> Result<()> {
        write_atomically(&self.file(URL), url.as_bytes(), false)
    }

    /// Removes a private file, if it exists.
    pub(crate) fn remove(&self, name: &str) {
        let path = self.file(name);
        if let Err(error) = fs::remove_file(&path)
            && error.kind() != std::io::ErrorKind::NotFound
        {
            eprintln!(
                "Remove {} manually, it contains a secret: {error}",
                path.display()
            );
        }
    }
}

/// Writes a configuration to a file.
pub(crate) fn write(path: &Path, config: &configuration::Config) -> Result<()> {
    write_atomically(path, &serde_json::to_vec_pretty(config)?, false)
}
