//! Inbound HTTP, shared by all Workers: the routes table, the call that a handler gets, responses,
//! queries and pages.

pub mod address;
pub mod body;
pub mod call;
pub mod contract;
pub mod delivery;
#[cfg(feature = "schema")]
pub mod described;
pub mod forwarded;
pub mod load;
pub mod page;
mod pump;
pub mod query;
pub mod reference;
pub mod request;
pub mod response;
pub mod routes;
pub mod serve;
pub mod service;

pub use body::RequestBody;
pub use call::{Call, Params};
pub use contract::{Contract, Csv, Events, Html};
pub use delivery::{Interrupted, Pages};
pub use load::{Load, Permit, PermitPart, REQUEST_LEASE, ReadKind, Reader};
pub use query::Query;
pub use request::RequestHead;
pub use response::{Body, HttpResponse};
pub use routes::{Endpoint, Route, Routes};
pub use serve::serve;
pub use service::{Authorized, Service};
