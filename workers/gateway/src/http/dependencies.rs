//! The result of a health check, which an isolate remembers for some seconds.

/// The parts that respond.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "each is a separate dependency"
)]
pub struct Health {
    /// D1.
    pub database: bool,
    /// The tenants' ledgers.
    pub ledger: bool,
    /// KV.
    pub cache: bool,
    /// The admin Worker.
    pub admin: bool,
    /// The widget server.
    pub widget: bool,
}
