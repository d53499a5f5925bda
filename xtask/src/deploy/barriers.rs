//! Changes that a rollback cannot cross: a changed Durable Object class, and a migration that removed what
//! the older Workers need.

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::{
    deploy::{
        git::{self, DIRTY},
        schema::{contracting, is_sql},
    },
    layout::Layout,
};

/// Fails if a barrier lies between two commits, and names it.
pub(crate) fn check(layout: &Layout, older: &str, newer: &str) -> Result<()> {
    let (older, newer) = (older.trim_end_matches(DIRTY), newer.trim_end_matches(DIRTY));
    for commit in [older, newer] {
        if !git::has(layout, commit) {
            bail!(
                "this clone has no commit {commit}, so it is unknown whether a rollback to {older} is safe: \
                 run `git fetch` (and `git fetch --unshallow` in a shallow clone), then try again"
            );
        }
    }
    if let Some(barrier) = find(layout, older, newer)? {
        bail!(
            "a rollback from {newer} to {older} is not possible: {barrier}. \
             Correct the fault in a new commit and deploy that, or roll back to a later commit with --to"
        );
    }
    Ok(())
}

fn find(layout: &Layout, older: &str, newer: &str) -> Result<Option<String>> {
    let classes = |commit| object_migrations(layout, commit);
    let (before, after) = (classes(older)?, classes(newer)?);
    if before != after {
        let tags = after.iter().filter(|it| !before.contains(it));
        let tags: Vec<&str> = tags
            .filter_map(|it| it.get("tag").and_then(Value::as_str))
            .collect();
        return Ok(Some(format!(
            "the Durable Object migration {} lies between them",
            tags.join(", ")
        )));
    }
    let known = git::list(layout, older, "migrations")?;
    for path in git::list(layout, newer, "migrations")? {
        let is_new = is_sql(&path) && !known.contains(&path);
        let text = if is_new {
            git::show(layout, newer, &path)
        } else {
            None
        };
        if let Some(reason) = text.as_deref().and_then(declared) {
            return Ok(Some(format!("{path} lies between them: {reason}")));
        }
        if let Some(statement) = text.as_deref().and_then(contracting) {
            return Ok(Some(format!(
                "{path} lies between them and removes what the older Workers need (`{statement}`)"
            )));
        }
    }
    Ok(None)
}

/// The reason that a migration itself gives, in a comment, for being a barrier.
fn declared(sql: &str) -> Option<&str> {
    let mut lines = sql.lines();
    let reason = lines.find_map(|line| line.strip_prefix("-- Rollback barrier:"))?;
    Some(reason.trim().trim_end_matches('.'))
}

/// The Durable Object migrations of the gateway at a commit.
fn object_migrations(layout: &Layout, commit: &str) -> Result<Vec<Value>> {
    let path = "wrangler/gateway.jsonc";
    let text = git::show(layout, commit, path)
        .with_context(|| format!("{path} does not exist at {commit}"))?;
    let config = crate::stack::config::parse(&text)
        .with_context(|| format!("{path} is not valid at {commit}"))?;
    let migrations = config.get("migrations").and_then(Value::as_array);
    Ok(migrations.cloned().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_migration_can_declare_itself_a_barrier() {
        let sql =
            "-- Roles.\n-- Rollback barrier: older Workers ignore roles.\nALTER TABLE a ADD b;\n";
        assert_eq!(declared(sql), Some("older Workers ignore roles"));
        assert_eq!(declared("ALTER TABLE a ADD b;"), None);
        let roles = include_str!("../../../migrations/014_admin_token_roles.sql");
        assert!(declared(roles).is_some());
    }
}
