//! Creates the databases, namespaces, queues and buckets of an environment that do not exist yet.

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::deploy::{
    configuration::{Resources, title_of},
    environment::{Entry, FILE},
    plan::{Answer, UNKNOWN},
    target::Target,
};

/// Creates what is missing, and records the ids. Resources that an interrupted run created are found by
/// their names.
pub(crate) fn ensure(target: &mut Target<'_>) -> Result<()> {
    let resources = Resources::read(target.layout)?;
    for name in &resources.databases {
        let full = format!("{name}{}", target.environment().suffix);
        let recorded = target.environment().databases.get(name).cloned();
        let kind = Kind {
            what: "database",
            list: &["d1", "list", "--json"],
            create: &["d1", "create", &full],
            name_member: "name",
            id_member: "uuid",
        };
        let id = kind.ensure(target, &full, recorded.as_deref())?;
        if recorded.is_none() {
            target.record(Entry::Database(name), &id)?;
        }
    }
    for binding in &resources.namespaces {
        let title = format!("{}{}", title_of(binding), target.environment().suffix);
        let recorded = target.environment().namespaces.get(binding).cloned();
        let kind = Kind {
            what: "namespace",
            list: &["kv", "namespace", "list"],
            create: &["kv", "namespace", "create", &title],
            name_member: "title",
            id_member: "id",
        };
        let id = kind.ensure(target, &title, recorded.as_deref())?;
        if recorded.is_none() {
            target.record(Entry::Namespace(binding), &id)?;
        }
    }
    for (what, names, info, create) in [
        (
            "queue",
            &resources.queues,
            ["queues", "info"].as_slice(),
            ["queues", "create"].as_slice(),
        ),
        (
            "bucket",
            &resources.buckets,
            ["r2", "bucket", "info"].as_slice(),
            ["r2", "bucket", "create"].as_slice(),
        ),
    ] {
        for name in names {
            let name = format!("{name}{}", target.environment().suffix);
            if let Answer::Missing = target.wrangler.ask(&[info, &[name.as_str()]].concat())? {
                target.wrangler.change(
                    &format!("creating {what} {name}"),
                    &[create, &[name.as_str()]].concat(),
                )?;
            }
        }
    }
    Ok(())
}

/// A kind of resource with an id.
struct Kind<'a> {
    what: &'static str,
    /// Lists all of the account.
    list: &'a [&'a str],
    create: &'a [&'a str],
    name_member: &'static str,
    id_member: &'static str,
}

impl Kind<'_> {
    /// The id of the resource with this name. Creates it unless an id is recorded: an empty database must
    /// never replace one that is missing by mistake.
    fn ensure(&self, target: &Target<'_>, name: &str, recorded: Option<&str>) -> Result<String> {
        let what = self.what;
        match (self.find(target, name)?, recorded) {
            (Some(id), None) => Ok(id),
            (Some(id), Some(recorded)) if id == recorded => Ok(id),
            (Some(id), Some(recorded)) => bail!(
                "the {what} {name} has the id {id}, and {FILE} has {recorded}: correct the file, or the account"
            ),
            (None, Some(recorded)) => bail!(
                "the account has no {what} {name} ({recorded}): it is the wrong account, or the {what} was deleted. \
                 To create an empty one, remove its id from {FILE}"
            ),
            (None, None) => {
                target
                    .wrangler
                    .change(&format!("creating {what} {name}"), self.create)?;
                if target.wrangler.is_preview() {
                    return Ok(format!("{UNKNOWN}-{what}"));
                }
                let id = self.find(target, name)?;
                id.with_context(|| {
                    format!("the new {what} {name} is not listed yet: run the command again")
                })
            }
        }
    }

    fn find(&self, target: &Target<'_>, name: &str) -> Result<Option<String>> {
        let list = target.wrangler.ask_json(self.list)?;
        let mut all = list.as_array().into_iter().flatten();
        let found = all.find(|it| it.get(self.name_member).is_some_and(|value| value == name));
        let id = found
            .and_then(|it| it.get(self.id_member))
            .and_then(Value::as_str);
        Ok(id.map(str::to_owned))
    }
}
