//! `cargo xtask settings`: the reference of all bindings, variables and secrets, `docs/configuration.md`.

mod table;

use anyhow::Result;
use clap::Args;
use serde_json::Value;

pub(crate) use self::table::{Kind, SETTINGS, Setting};
use crate::{deploy::configuration::Config, layout::Layout, stamp::write_atomically};

/// The generated document.
const DOCUMENT: &str = "docs/configuration.md";

/// Arguments of `settings`.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Write docs/configuration.md instead of printing it
    #[arg(long)]
    write: bool,
}

/// Prints or writes the reference.
pub(crate) fn run(layout: &Layout, arguments: &Arguments) -> Result<()> {
    if arguments.write {
        return write_atomically(&layout.at(DOCUMENT), reference().as_bytes(), false);
    }
    println!("{}", reference());
    Ok(())
}

/// What a Worker's configuration lacks, and names in it that no Worker reads; one line each.
pub(crate) fn problems(worker: &str, config: &Config) -> Vec<String> {
    let config = Value::Object(config.clone());
    let own = || SETTINGS.iter().filter(|it| it.workers.contains(&worker));
    let needed = own()
        .filter(|it| it.kind.is_binding() || matches!(it.kind, Kind::Secret { required: true }));
    let missing = needed.filter(|it| !has(&config, it)).map(|it| {
        format!(
            "wrangler/{worker}.jsonc lacks the {} {}: {}",
            it.kind.word(),
            it.name,
            it.meaning
        )
    });
    let variables = config.pointer("/vars").and_then(Value::as_object);
    let names = variables.into_iter().flatten().map(|(name, _)| name);
    let unknown = names.filter(|name| own().all(|it| it.name != **name));
    let unknown = unknown
        .map(|name| format!("the Worker {worker} reads no variable {name}: correct its name"));
    missing.chain(unknown).collect()
}

/// Whether a configuration has a setting.
fn has(config: &Value, setting: &Setting) -> bool {
    let (list, member) = setting.kind.list();
    match config.pointer(list) {
        Some(Value::Array(elements)) => elements.iter().any(|it| {
            it == setting.name || it.get(member).is_some_and(|name| name == setting.name)
        }),
        Some(Value::Object(members)) => {
            members.contains_key(setting.name)
                || members.get(member).is_some_and(|name| name == setting.name)
        }
        _ => false,
    }
}

/// The text of the document.
fn reference() -> String {
    let mut text = "# Configuration reference\n\n\
        Every binding, variable and secret of the three Workers. Generated from `xtask/src/settings/table.rs` by\n\
        `cargo xtask settings --write`; a test compares it with the code and with `wrangler/*.jsonc`.\n\n\
        - **Bindings and variables** are in `wrangler/*.jsonc`. What differs between environments (names, ids, domain,\n\
        \x20 variables) is in `wrangler/environments.jsonc`; [deployment.md](deployment.md) describes it.\n\
        - **Secrets** are set with `cargo xtask secrets`. The keys of providers are further secrets of the gateway, under the\n\
        \x20 names that `PROVIDERS` gives them.\n\
        - `cargo xtask deploy` refuses a configuration that lacks a binding or a required secret, and names it.\n\
        - At run time `GET /health` and the log name what is missing ([Health](deployment.md#health)). An invalid variable\n\
        \x20 counts as absent, so its default applies.\n"
        .to_owned();
    for (title, is_part) in [
        ("Bindings", Kind::is_binding as fn(Kind) -> bool),
        ("Variables", |kind| kind == Kind::Variable),
        ("Secrets", |kind| matches!(kind, Kind::Secret { .. })),
    ] {
        let second = if title == "Variables" {
            "default"
        } else {
            "kind"
        };
        let lines = [
            "",
            &format!("## {title}"),
            "",
            &format!("| name | Workers | {second} | meaning |"),
            "|---|---|---|---|",
            "",
        ];
        text += &lines.join("\n");
        for setting in SETTINGS.iter().filter(|it| is_part(it.kind)) {
            text += &row(setting);
        }
    }
    text
}

fn row(setting: &Setting) -> String {
    let second = match setting.kind {
        Kind::Variable if setting.default.is_empty() => "–".to_owned(),
        Kind::Variable => format!("`{}`", setting.default),
        Kind::Secret { required: true } => "required".to_owned(),
        Kind::Secret { required: false } => "optional".to_owned(),
        kind => kind.word().to_owned(),
    };
    format!(
        "| `{}` | {} | {second} | {} |\n",
        setting.name,
        setting.workers.join(", "),
        setting.meaning
    )
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, fs};

    use super::*;
    use crate::{layout::WORKERS, stack::config};

    fn committed(worker: &str) -> Config {
        config::read(&Layout::find().unwrap(), worker).unwrap()
    }

    #[test]
    fn document_is_what_the_table_says() {
        let document = fs::read_to_string(Layout::find().unwrap().at(DOCUMENT)).unwrap();
        assert_eq!(document, reference(), "run `cargo xtask settings --write`");
    }

    #[test]
    fn committed_configurations_are_complete() {
        for worker in WORKERS {
            assert_eq!(problems(worker, &committed(worker)), Vec::<String>::new());
        }
    }

    #[test]
    fn each_removed_binding_or_required_secret_is_named() {
        let mut removed = 0;
        for worker in WORKERS {
            for setting in SETTINGS.iter().filter(|it| it.workers.contains(&worker)) {
                let config = Value::Object(committed(worker));
                if !has(&config, setting) || setting.kind == Kind::Variable {
                    continue;
                }
                let config = without(config, setting);
                let found = problems(worker, config.as_object().unwrap());
                assert_eq!(found.len(), 1, "{}: {found:?}", setting.name);
                assert!(
                    found[0].contains(setting.name) && found[0].contains(worker),
                    "{found:?}"
                );
                removed += 1;
            }
        }
        assert_eq!(removed, 18);
    }

    /// A configuration without one binding or secret.
    fn without(mut config: Value, setting: &Setting) -> Value {
        let (list, member) = setting.kind.list();
        match config.pointer_mut(list).unwrap() {
            Value::Array(elements) => {
                elements.retain(|it| {
                    it != setting.name && it.get(member).is_none_or(|name| name != setting.name)
                });
            }
            other => *other = Value::Null,
        }
        config
    }

    #[test]
    fn an_unknown_variable_is_named() {
        let mut config = committed("gateway");
        let variables = config
            .get_mut("vars")
            .and_then(Value::as_object_mut)
            .unwrap();
        variables.insert("LOG_LEVLE".to_owned(), Value::from("info"));
        let found = problems("gateway", &config);
        assert!(
            found.len() == 1 && found[0].contains("LOG_LEVLE"),
            "{found:?}"
        );
    }

    /// The files that read bindings, variables and secrets.
    const READERS: [&str; 9] = [
        "workers/gateway/src/platform/binding_names.rs",
        "workers/gateway/src/platform/config.rs",
        "workers/gateway/src/platform/model_aliases.rs",
        "workers/admin/src/bindings.rs",
        "crates/clawless-edge/src/ai.rs",
        "crates/clawless-edge/src/build_stamp.rs",
        "crates/clawless-edge/src/ledger/remote.rs",
        "crates/clawless-edge/src/logging.rs",
        "crates/clawless-edge/src/queue.rs",
    ];

    /// The code of the readers without their tests.
    fn code() -> String {
        let layout = Layout::find().unwrap();
        let read = |path| fs::read_to_string(layout.at(path)).unwrap();
        READERS
            .map(read)
            .map(|text| {
                text.split("#[cfg(test)]")
                    .next()
                    .unwrap_or_default()
                    .to_owned()
            })
            .join("\n")
    }

    #[test]
    fn the_table_has_the_names_that_the_workers_read() {
        let code = code();
        let literals = code.split('"').skip(1).step_by(2);
        let is_name = |text: &&str| {
            text.len() > 1
                && text
                    .chars()
                    .all(|it| it.is_ascii_uppercase() || it.is_ascii_digit() || it == '_')
        };
        let read = literals
            .filter(is_name)
            .filter(|name| !name.starts_with("CARGO_"));
        let read: BTreeSet<&str> = read.collect();
        let table: BTreeSet<&str> = SETTINGS.iter().map(|it| it.name).collect();
        // No Worker's code needs the name of its environment.
        let unread: Vec<_> = table.difference(&read).collect();
        assert_eq!(
            (read.difference(&table).collect::<Vec<_>>(), unread),
            (vec![], vec![&"ENVIRONMENT"])
        );
    }

    #[test]
    fn defaults_are_those_of_the_code() {
        let code = code();
        let mut compared = 0;
        for setting in SETTINGS
            .iter()
            .filter(|it| it.default.parse::<u64>().is_ok())
        {
            let Some((_, after)) = code.split_once(&format!("(\"{}\", ", setting.name)) else {
                continue;
            };
            let expression = after.split(')').next().unwrap().replace('_', "");
            let value: u64 = expression
                .split('*')
                .map(|factor| factor.trim().parse::<u64>().unwrap())
                .product();
            assert_eq!(value.to_string(), setting.default, "{}", setting.name);
            compared += 1;
        }
        assert_eq!(compared, 7);
    }
}
