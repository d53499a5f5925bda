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
/// The limit on sessions of the widget per address and key.
pub const WIDGET_SESSIONS: &str = "WIDGET_SESSIONS";
/// The limit on messages per visitor.
pub const VISITOR_MESSAGES: &str = "VISITOR_MESSAGES";
/// The limit on other requests per visitor.
pub const VISITOR_REQUESTS: &str = "VISITOR_REQUESTS";
