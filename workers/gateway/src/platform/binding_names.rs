//! The names of the Worker's bindings.

/// The relational database.
pub const DB: &str = "DB";
/// The key-value store.
pub const CACHE: &str = "CACHE";
/// The admin Worker.
pub const ADMIN: &str = "ADMIN";
/// The widget server.
pub const WIDGET: &str = "WIDGET";
/// The limit on wrong API keys per address.
pub const KEY_GUESSES: &str = "KEY_GUESSES";
