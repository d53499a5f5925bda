//! What the routes table declares about requests and responses: the source of the API's description.
//!
//! Without the feature `schema`, which no Worker has, the compiler checks the declared types and
//! nothing of them remains.

use std::marker::PhantomData;

#[cfg(feature = "schema")]
pub use described::{Content, Contract, Declared, Payload, Response, SchemaOf};

/// A stream of server-sent events, each of which has a `T`.
#[derive(Debug)]
pub struct Events<T>(PhantomData<T>);

/// A table as comma-separated values.
#[derive(Debug)]
pub struct Csv;

/// A web page.
#[derive(Debug)]
pub struct Html;

/// The declared types, which a Worker does not need.
#[cfg(not(feature = "schema"))]
#[derive(Debug, Clone, Copy)]
pub struct Contract;

/// The types of one line of [`crate::routes!`].
#[cfg(not(feature = "schema"))]
#[doc(hidden)]
#[macro_export]
macro_rules! contract {
    ($(($($request:ty)?) $($status:literal $body:ty,)+ => $($error:ident)*)?) => {{
        $(
            const _: fn() = || {
                $(let _ = ::std::marker::PhantomData::<$request>;)?
                $(let _: (u16, ::std::marker::PhantomData<$body>) = ($status, ::std::marker::PhantomData);)+
                $(let _ = ::clawless_core::ErrorCode::$error;)*
            };
        )?
        $crate::http::Contract
    }};
}

/// The types of one line of [`crate::routes!`].
#[cfg(feature = "schema")]
#[doc(hidden)]
#[macro_export]
macro_rules! contract {
    () => {
        $crate::http::Contract(None)
    };
    (($($request:ty)?) $($status:literal $body:ty,)+ => $($error:ident)*) => {
        $crate::http::Contract(Some($crate::http::contract::Declared {
            request: &[$(<$request as $crate::http::contract::Payload>::CONTENT)?],
            responses: &[$($crate::http::contract::Response {
                status: $status,
                content: <$body as $crate::http::contract::Payload>::CONTENT,
            }),+],
            errors: &[$(::clawless_core::ErrorCode::$error),*],
        }))
    };
}

#[cfg(feature = "schema")]
mod described {
    use clawless_core::ErrorCode;
    use schemars::{JsonSchema, Schema, SchemaGenerator};

    use super::{Csv, Events, Html};

    /// The declared types of a route; none if another Worker describes it.
    #[derive(Debug, Clone, Copy)]
    pub struct Contract(pub Option<Declared>);

    /// The declared types of a route.
    #[derive(Debug, Clone, Copy)]
    pub struct Declared {
        /// The body of the request, if it has one.
        pub request: &'static [Content],
        /// The responses to a request that succeeds.
        pub responses: &'static [Response],
        /// The errors besides those that the access rule and the kind of request imply.
        pub errors: &'static [ErrorCode],
    }

    /// A declared response.
    #[derive(Debug, Clone, Copy)]
    pub struct Response {
        /// The status.
        pub status: u16,
        /// The body.
        pub content: Content,
    }

    /// Generates the schema of a type.
    pub type SchemaOf = fn(&mut SchemaGenerator) -> Schema;

    /// A body.
    #[derive(Debug, Clone, Copy)]
    pub enum Content {
        /// JSON of this schema.
        Json(SchemaOf),
        /// Server-sent events with data of this schema.
        Events(SchemaOf),
        /// Comma-separated values.
        Csv,
        /// A web page.
        Html,
    }

    /// A type that a line of the table declares.
    pub trait Payload {
        /// What is sent.
        const CONTENT: Content;
    }

    impl<T: JsonSchema> Payload for T {
        const CONTENT: Content = Content::Json(SchemaGenerator::subschema_for::<T>);
    }

    impl<T: JsonSchema> Payload for Events<T> {
        const CONTENT: Content = Content::Events(SchemaGenerator::subschema_for::<T>);
    }

    impl Payload for Csv {
        const CONTENT: Content = Content::Csv;
    }

    impl Payload for Html {
        const CONTENT: Content = Content::Html;
    }
}
