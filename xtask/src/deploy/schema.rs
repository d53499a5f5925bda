//! Migrations of the deployed database, and which of them older Workers do not survive.

use std::{collections::BTreeSet, fs, path::Path};

use anyhow::{Context, Result, bail};

use crate::{
    deploy::{plan::Answer, target::Target, wrangler::argument},
    layout::Layout,
};

/// The names of the migrations that the deployed database lacks. A preview lists all.
pub(crate) fn pending(target: &Target<'_>) -> Result<Vec<String>> {
    let all = names(target.layout)?;
    let (database, config) = (database(target)?, target.config("gateway"));
    let Answer::Found(text) = target.wrangler.ask(&[
        "d1",
        "migrations",
        "list",
        &database,
        "--remote",
        "--config",
        argument(&config)?,
    ])?
    else {
        bail!("the account has no database {database}");
    };
    if target.wrangler.is_preview() {
        return Ok(all);
    }
    Ok(all
        .into_iter()
        .filter(|name| text.contains(name.as_str()))
        .collect())
}

/// Applies what is pending. Refuses a migration that the deployed Workers do not survive, unless
/// `allow_contract` is set.
pub(crate) fn apply(target: &Target<'_>, pending: &[String], allow_contract: bool) -> Result<()> {
    if pending.is_empty() {
        return Ok(());
    }
    for name in pending {
        let text = read(target.layout, name)?;
        if let (Some(statement), false) = (contracting(&text), allow_contract) {
            bail!(
                "migrations/{name} removes what deployed Workers may still use (`{statement}`), so it is a barrier for rollbacks. \
                 If the deployed commit no longer needs it, run the command again with --contract"
            );
        }
    }
    let (database, config) = (database(target)?, target.config("gateway"));
    let names = match pending {
        [first, _, .., last] => format!("{first} to {last}"),
        few => few.join(", "),
    };
    let title = format!("migrating {database}: {names}");
    target.wrangler.change(
        &title,
        &[
            "d1",
            "migrations",
            "apply",
            &database,
            "--remote",
            "--config",
            argument(&config)?,
        ],
    )?;
    Ok(())
}

/// The deployed database of the gateway.
fn database(target: &Target<'_>) -> Result<String> {
    let mut names = target.environment().databases.keys();
    let name = names
        .next()
        .context("the environment has no database yet")?;
    Ok(format!("{name}{}", target.environment().suffix))
}

/// The names of all migrations, in order.
pub(crate) fn names(layout: &Layout) -> Result<Vec<String>> {
    let entries = fs::read_dir(layout.at("migrations")).context("can't read migrations/")?;
    let names = entries
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned());
    let names: BTreeSet<String> = names.filter(|name| is_sql(name)).collect();
    Ok(names.into_iter().collect())
}

/// Whether a path is that of a migration.
pub(crate) fn is_sql(path: &str) -> bool {
    Path::new(path).extension().is_some_and(|it| it == "sql")
}

fn read(layout: &Layout, name: &str) -> Result<String> {
    fs::read_to_string(layout.at("migrations").join(name))
        .with_context(|| format!("can't read migrations/{name}"))
}

/// The first statement of a migration that takes something away from older Workers: a dropped or renamed
/// table or column, or a unique index on a table that older Workers write to.
pub(crate) fn contracting(sql: &str) -> Option<String> {
    let lines = sql.lines().filter_map(|line| line.split("--").next());
    let code = lines.collect::<Vec<_>>().join(" ");
    let statements = code
        .split(';')
        .map(|statement| statement.split_whitespace().collect::<Vec<_>>());
    let statements: Vec<Vec<&str>> = statements.collect();
    let created: Vec<&str> = statements
        .iter()
        .filter_map(|words| table_of(words, &["CREATE", "TABLE"]))
        .collect();
    let takes_away = |words: &&Vec<&str>| {
        let upper: Vec<String> = words.iter().map(|word| word.to_uppercase()).collect();
        let upper: Vec<&str> = upper.iter().map(String::as_str).collect();
        match upper.as_slice() {
            ["DROP", "TABLE" | "VIEW", ..] | ["ALTER", "TABLE", _, "DROP" | "RENAME", ..] => true,
            ["CREATE", "UNIQUE", "INDEX", ..] => {
                let on = upper
                    .iter()
                    .position(|word| *word == "ON")
                    .and_then(|at| words.get(at + 1));
                let table = on.and_then(|table| table.split('(').next());
                !table.is_some_and(|table| created.contains(&table))
            }
            _ => false,
        }
    };
    statements
        .iter()
        .find(takes_away)
        .map(|words| words.join(" "))
}

/// The name after these keywords and `IF NOT EXISTS`.
fn table_of<'a>(words: &[&'a str], keywords: &[&str]) -> Option<&'a str> {
    let mut words = words.iter();
    for keyword in keywords {
        if !words.next()?.eq_ignore_ascii_case(keyword) {
            return None;
        }
    }
    let name = words.find(|word| {
        !["IF", "NOT", "EXISTS"]
            .iter()
            .any(|it| word.eq_ignore_ascii_case(it))
    })?;
    name.split('(').next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn committed_migrations_only_expand() {
        let layout = Layout::find().unwrap();
        for name in names(&layout).unwrap() {
            assert_eq!(contracting(&read(&layout, &name).unwrap()), None, "{name}");
        }
    }

    #[test]
    fn statements_that_older_workers_do_not_survive_are_found() {
        for sql in [
            "-- Remove the old table.\nDROP TABLE receipts;",
            "CREATE TABLE a (x TEXT);\nalter table sessions drop column title;",
            "ALTER TABLE sessions RENAME TO chats;",
            "CREATE UNIQUE INDEX IF NOT EXISTS one ON sessions (title);",
        ] {
            assert!(contracting(sql).is_some(), "{sql}");
        }
        for sql in [
            "CREATE TABLE IF NOT EXISTS a (x TEXT);\nCREATE UNIQUE INDEX IF NOT EXISTS one ON a (x);",
            "-- DROP TABLE a;\nALTER TABLE a ADD COLUMN y TEXT;",
            "DROP INDEX IF EXISTS one;",
        ] {
            assert_eq!(contracting(sql), None, "{sql}");
        }
    }
}
