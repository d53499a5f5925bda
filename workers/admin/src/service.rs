//! The admin Worker as a [`Service`]: operators' tokens and bodies.

use std::rc::Rc;

use clawless_core::{ApiError, RequestId};
use clawless_edge::http::{Authorized, ReadKind, Reader, RequestHead, Service};
use clawless_edge::tasks::Tasks;
use worker::Env;

use crate::authenticate::{Operator, authenticate};
use crate::context::{AdminCall, AdminContext};
use crate::input::BODY_LIMIT;

/// The admin Worker.
pub(crate) struct Admin;

/// All operators, as the limits of the isolate count them.
const OPERATORS: &str = "operators";

/// The access rule of a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// An operator's token.
    Operator,
}

impl Service for Admin {
    type Platform = AdminContext;
    type Caller = Operator;
    type Access = Access;

    const IS_INTERNAL: bool = true;

    fn open(env: Env, _: Rc<Tasks>, _: &RequestId) -> Result<Rc<AdminContext>, ApiError> {
        Ok(Rc::new(AdminContext::new(env)))
    }

    async fn authorize(
        platform: &AdminContext,
        _: Access,
        head: &RequestHead,
    ) -> Result<Authorized<Operator>, ApiError> {
        Ok(Authorized {
            caller: authenticate(&platform.env, &platform.sql, head, platform.now).await?,
            headers: Vec::new(),
        })
    }

    /// Operators share one limit, and each token has its own.
    fn reader(_: Access, caller: &Operator) -> Option<Reader> {
        Some(Reader {
            tenant: OPERATORS.into(),
            key: caller.actor.as_str().into(),
            kind: ReadKind::Page,
        })
    }

    fn tenant(_: &Operator) -> Option<&str> {
        Some(OPERATORS)
    }

    /// 1. 413 for the body. 2. 415 for one that is not JSON.
    async fn check(_: Access, call: &AdminCall) -> Result<(), ApiError> {
        if call.body.load(BODY_LIMIT).await? > 0 {
            call.head.require_json()?;
        }
        Ok(())
    }
}
