//! The result of a health check.

/// Which dependencies are available.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "one independent fact per dependency"
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
