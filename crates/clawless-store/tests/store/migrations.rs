//! Fault 25, natively: migrations converge if they are repeated or interrupted.

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
