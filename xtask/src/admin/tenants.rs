//! `cargo xtask admin tenants`.

use anyhow::{Context, Result, bail, ensure};
use clap::Subcommand;
use serde_json::{Map, Value, json};

use super::show;
use crate::operator::{Client, Method, Reach};

/// What to do with which tenant.
#[derive(Debug, Subcommand)]
pub(super) enum Action {
    /// Show all tenants
    List,
    /// Create a tenant
    Create {
        /// A name for people
        name: String,
        /// What it pays for
        #[arg(long, default_value = "free")]
        tier: String,
        /// Settings, as `limits.burst=5` or `system_prompt="Be brief."`
        settings: Vec<String>,
    },
    /// Show one tenant
    Show {
        /// The tenant's id
        tenant: String,
    },
    /// Change settings of a tenant; null takes one away
    Set {
        /// The tenant's id
        tenant: String,
        /// Settings, as `limits.burst=5` or `system_prompt="Be brief."`
        #[arg(required = true)]
        settings: Vec<String>,
    },
    /// Refuse a tenant from its next request on
    Suspend {
        /// The tenant's id
        tenant: String,
    },
    /// Serve a suspended tenant again
    Resume {
        /// The tenant's id
        tenant: String,
    },
    /// Delete a tenant with all that is stored of it
    Delete {
        /// The tenant's id
        tenant: String,
        /// Really do it
        #[arg(long)]
        yes: bool,
    },
}

/// How often a deletion is gone on with: far more often than any tenant needs.
const MAX_PIECES: usize = 100_000;

pub(super) fn run(order: &Action, reach: &Reach, client: &Client) -> Result<()> {
    let change = |tenant: &str, patch: Value| -> Result<()> {
        let path = format!("/tenants/{tenant}");
        let changed = client.ask(Method::Patch, &path, Some(&patch))?;
        reach.print(&changed, show::members);
        Ok(())
    };
    match order {
        Action::List => {
            let list = client.list("/tenants")?;
            reach.print(&list, show::tenants);
        }
        Action::Create {
            name,
            tier,
            settings,
        } => {
            let mut body = patch(settings)?;
            body.insert("name".to_owned(), json!(name));
            body.insert("tier".to_owned(), json!(tier));
            let created = client.ask(Method::Post, "/tenants", Some(&Value::Object(body)))?;
            reach.print(&created, show::members);
        }
        Action::Show { tenant } => {
            let found = client.ask(Method::Get, &format!("/tenants/{tenant}"), None)?;
            reach.print(&found, show::members);
        }
        Action::Set { tenant, settings } => change(tenant, Value::Object(patch(settings)?))?,
        Action::Suspend { tenant } => change(tenant, json!({"status": "suspended"}))?,
        Action::Resume { tenant } => change(tenant, json!({"status": "active"}))?,
        Action::Delete { tenant, yes } => {
            ensure!(*yes, "this deletes all of {tenant} for ever: say --yes");
            delete(client, tenant)?;
            let deleted = json!({"object": "tenant", "id": tenant, "deleted": true});
            reach.print(&deleted, |_| format!("{tenant} is deleted."));
        }
    }
    Ok(())
}

fn delete(client: &Client, tenant: &str) -> Result<()> {
    for _ in 0..MAX_PIECES {
        let answer = client.ask(Method::Delete, &format!("/tenants/{tenant}"), None)?;
        if answer.get("deleted") == Some(&json!(true)) {
            return Ok(());
        }
    }
    bail!("{tenant} is not deleted after {MAX_PIECES} requests; ask again")
}

/// Settings as they are typed, as one object. A value that is no JSON is a text.
fn patch(settings: &[String]) -> Result<Map<String, Value>> {
    let mut object = Map::new();
    for setting in settings {
        let (name, value) = setting
            .split_once('=')
            .with_context(|| format!("`{setting}` is no setting: write name=value"))?;
        let value = serde_json::from_str(value).unwrap_or_else(|_| json!(value));
        match name.split_once('.') {
            None => {
                object.insert(name.to_owned(), value);
            }
            Some((outer, inner)) => {
                let members = object.entry(outer).or_insert_with(|| json!({}));
                let members = members.as_object_mut();
                let members = members.with_context(|| format!("`{outer}` stands twice"))?;
                members.insert(inner.to_owned(), value);
            }
        }
    }
    Ok(object)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_typed_as_people_think_of_them() {
        let settings = [
            "limits.burst=5",
            "limits.concurrent=null",
            "default_model=gpt-5",
            "tools=[\"time_now\"]",
            "retention_days=30",
        ];
        let typed = patch(&settings.map(str::to_owned)).unwrap();
        let wanted = json!({
            "limits": {"burst": 5, "concurrent": null}, "default_model": "gpt-5",
            "tools": ["time_now"], "retention_days": 30,
        });
        assert_eq!(Value::Object(typed), wanted);
        assert!(patch(&["burst".to_owned()]).is_err());
        assert!(patch(&["a=1".to_owned(), "a.b=1".to_owned()]).is_err());
    }
}
