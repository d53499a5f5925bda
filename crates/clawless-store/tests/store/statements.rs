//! Checks every statement of the store: one that uses a tenant's table must be bound to a tenant.

use std::fs;
use std::path::{Path, PathBuf};

use clawless_store::statements;
use clawless_testkit::SqliteDatabase;

use crate::tenant_guard::{faults, tenant_tables};

#[test]
fn every_statement_is_bound_to_a_tenant() {
    let all = statements();
    assert!(all.len() > 10, "the list contains the store's statements");
    for (module, name, text) in all {
        if !name.ends_with("_ACROSS_TENANTS") {
            let faults = faults(text.as_str());
            assert!(
                faults.is_empty(),
                "{module}::{name}: {faults:?}\n{}",
                text.as_str()
            );
        }
    }
}

#[test]
fn no_statement_scans_or_sorts() {
    let (database, tables) = (SqliteDatabase::new(), tenant_tables());
    for (module, name, text) in statements() {
        for step in database.query_plan(text.as_str()) {
            let scanned = step
                .strip_prefix("SCAN ")
                .and_then(|rest| rest.split(' ').next());
            let is_table = scanned.is_some_and(|table| tables.contains(table) || table.len() == 1);
            // Reports sort their sums; the rows they read are bounded by tenant and time.
            let sorts = step.contains("TEMP B-TREE") && module != "usage";
            assert!(!is_table && !sorts, "{module}::{name}: {step}");
        }
    }
}

#[test]
fn guard_detects_unbound_statements() {
    for leak in [
        "SELECT * FROM turns",
        "SELECT * FROM turns WHERE session_id = ?1",
        "SELECT * FROM turns WHERE tenant_id = ?2",
        "SELECT * FROM turns WHERE tenant_id = ?1 OR seq = 1",
        "SELECT * FROM turns WHERE NOT tenant_id = ?1",
        "SELECT * FROM turns t JOIN messages m ON m.seq = t.seq WHERE t.tenant_id = ?1",
        "SELECT * FROM messages WHERE tenant_id = ?1 AND seq IN (SELECT seq FROM turns)",
        "SELECT (SELECT max(seq) FROM turns) FROM messages WHERE tenant_id = ?1",
        "SELECT * FROM (SELECT * FROM turns) t WHERE t.tenant_id = ?1",
        "WITH t AS (SELECT * FROM turns) SELECT * FROM t",
        "SELECT * FROM turns WHERE tenant_id = ?1 UNION SELECT * FROM turns",
        "UPDATE sessions SET head = 1 WHERE id = ?1",
        "DELETE FROM sessions WHERE id = ?1",
        "DELETE FROM tenants",
        "INSERT INTO turns (seq, tenant_id) VALUES (?1, ?2)",
        "INSERT INTO turns (tenant_id, seq) VALUES (?1, 1), (?2, 2)",
        "INSERT INTO turns (tenant_id, seq) SELECT tenant_id, seq FROM turns WHERE tenant_id = ?1",
        "INSERT OR REPLACE INTO turns (tenant_id, seq) VALUES (?1, 1)",
        "INSERT INTO api_keys (tenant_id, digest) VALUES (?1, ?2)
         ON CONFLICT (digest) DO UPDATE SET name = 'mine'",
        "DROP TABLE turns",
    ] {
        assert!(!faults(leak).is_empty(), "not detected: {leak}");
    }
    assert!(faults("SELECT 1").is_empty());
    assert!(faults("DELETE FROM turns WHERE tenant_id = ?1 AND (seq = ?2 OR seq = ?3)").is_empty());
}

/// The store's source files.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("a folder");
    entries
        .map(|entry| entry.expect("an entry").path())
        .flat_map(|path| {
            if path.is_dir() {
                sources(&path)
            } else {
                vec![path]
            }
        })
        .collect()
}

#[test]
fn statements_are_built_only_from_the_list() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for file in sources(&source) {
        let is_allowed =
            file.ends_with("ports/statement.rs") || file.ends_with("src/statements.rs");
        let text = fs::read_to_string(&file).expect("readable");
        let text = text.replace("-> Statement {", "");
        for constructor in ["SqlText::listed", "SqlText(", "Statement {"] {
            assert!(
                is_allowed || !text.contains(constructor),
                "{constructor} in {}",
                file.display()
            );
        }
    }
}
