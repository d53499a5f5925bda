//! The migration files of production.

use std::fs;
use std::path::Path;

/// One migration file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Migration {
    /// The file's name.
    pub name: String,
    /// Its SQL.
    pub sql: String,
}

/// All migrations, in order.
pub fn migrations() -> Vec<Migration> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../migrations");
    let mut migrations: Vec<Migration> = fs::read_dir(&folder)
        .expect("the migrations folder exists")
        .map(|entry| entry.expect("the migrations folder can be read").path())
        .filter(|path| path.extension().is_some_and(|end| end == "sql"))
        .map(|path| Migration {
            name: path
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned(),
            sql: fs::read_to_string(&path).expect("a migration can be read"),
        })
        .collect();
    migrations.sort_by(|one, other| one.name.cmp(&other.name));
    migrations
}
