//! Faults 25 and 26, natively: migrations converge if they are repeated or interrupted, and only add.

use std::collections::BTreeMap;

use clawless_store::health;
use clawless_testkit::{SqliteDatabase, block_on, migrations};

/// The schema that the migrations define.
fn schema(database: &SqliteDatabase) -> Vec<serde_json::Value> {
    database.rows(
        "SELECT type, name, tbl_name, sql FROM sqlite_master
         WHERE name NOT LIKE 'sqlite_%' ORDER BY type, name",
    )
}

/// All migrations as one script.
fn script() -> String {
    let files: Vec<String> = migrations().into_iter().map(|file| file.sql).collect();
    files.join("\n")
}

#[test]
fn fault_25_migrations_are_idempotent() {
    let database = SqliteDatabase::new();
    let once = schema(&database);
    database.run_script(&script());
    assert_eq!(schema(&database), once);
}

#[test]
fn fault_25_migrations_interrupted_after_any_statement_converge() {
    let (script, whole) = (script(), schema(&SqliteDatabase::new()));
    let statements = SqliteDatabase::empty().run_first(&script, usize::MAX);
    assert!(statements > migrations().len());
    for done in 0..statements {
        let database = SqliteDatabase::empty();
        assert_eq!(database.run_first(&script, done), done);
        database.run_script(&script);
        assert_eq!(schema(&database), whole, "interrupted after {done}");
    }
}

/// Every column of every table, and whether rows may leave it out.
fn columns(database: &SqliteDatabase) -> BTreeMap<(String, String), (String, bool)> {
    let rows = database.rows(
        "SELECT tables.name AS owner, columns.name AS name, columns.type AS type,
                columns.\"notnull\" = 0 OR columns.dflt_value IS NOT NULL AS optional
         FROM sqlite_master AS tables JOIN pragma_table_info(tables.name) AS columns
         WHERE tables.type = 'table' AND tables.name NOT LIKE 'sqlite_%'",
    );
    let text = |value: &serde_json::Value| value.as_str().expect("a text").to_owned();
    let column = |row: serde_json::Value| {
        let name = (text(&row["owner"]), text(&row["name"]));
        (name, (text(&row["type"]), row["optional"] == 1))
    };
    rows.into_iter().map(column).collect()
}

#[test]
fn fault_26_each_migration_only_adds_what_earlier_workers_need_not_know() {
    let database = SqliteDatabase::empty();
    let mut before = BTreeMap::new();
    for file in migrations() {
        database.run_script(&file.sql);
        let after = columns(&database);
        for (column, definition) in &before {
            assert_eq!(after.get(column), Some(definition), "{column:?}");
        }
        let is_known = |table: &str| before.keys().any(|(known, _)| known == table);
        for (column, (_, is_optional)) in &after {
            let is_new = !before.contains_key(column) && is_known(&column.0);
            assert!(!is_new || *is_optional, "{column:?}");
        }
        before = after;
    }
    assert!(before.len() > 100, "{}", before.len());
}

#[test]
fn a_migration_that_is_absent_or_partly_applied_is_named() {
    let missing = |database: &SqliteDatabase| {
        let missing = health::missing_migrations_across_tenants(database);
        block_on(missing).expect("the schema can be read")
    };
    let all: Vec<String> = migrations().into_iter().map(|file| file.name).collect();
    assert_eq!(missing(&SqliteDatabase::empty()), all);
    assert_eq!(missing(&SqliteDatabase::new()), Vec::<&str>::new());
    for (at, name) in all.iter().enumerate() {
        let database = SqliteDatabase::empty();
        for file in migrations().iter().take(at) {
            database.run_script(&file.sql);
        }
        assert_eq!(missing(&database), all[at..], "before {name}");
    }
    let partly = SqliteDatabase::new();
    partly.run_script("DROP INDEX sends_by_session");
    assert_eq!(missing(&partly), ["010_sends.sql"]);
}

#[test]
fn migrations_are_numbered_without_gaps() {
    for (number, file) in (1..).zip(migrations()) {
        assert!(
            file.name.starts_with(&format!("{number:03}_")),
            "{}",
            file.name
        );
    }
}

#[test]
fn tables_are_strict_and_keyed_by_tenant() {
    let database = SqliteDatabase::new();
    let tables = database.rows(
        "SELECT t.name, t.strict,
                (SELECT c.name FROM pragma_table_info(t.name) c WHERE c.pk = 1) AS first_key,
                EXISTS (SELECT 1 FROM pragma_table_info(t.name) c WHERE c.name = 'tenant_id')
                  AS has_tenant
         FROM pragma_table_list t WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite_%'",
    );
    assert!(tables.len() >= 6);
    for table in tables {
        assert_eq!(table["strict"], 1, "{table}");
        // The operators' own tables, and the tenants themselves.
        if ["tenants", "admin_tokens", "audit_log"].contains(&table["name"].as_str().expect("text"))
        {
            assert_eq!(table["first_key"], "id");
        } else {
            assert_eq!(table["has_tenant"], 1, "{table}");
            assert_eq!(table["first_key"], "tenant_id", "{table}");
        }
    }
}

#[test]
fn foreign_keys_prevent_deleting_a_tenant_with_data() {
    let fixture = crate::fixture::Fixture::new();
    fixture.add_turns(&fixture.ours, "chat", &["hello"]);
    let attempt = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        fixture.database.run_script("DELETE FROM tenants");
    }));
    assert!(attempt.is_err());
}
