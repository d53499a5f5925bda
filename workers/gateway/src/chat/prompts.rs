//! The system prompts of tenant and session, with the values of their variables for one request.

use std::borrow::Cow;

use clawless_core::chat::ChatOptions;
use clawless_core::prompt::{PromptTooLong, PromptValues, SessionValues, render};
use clawless_core::{ApiError, ErrorCode, Message, Role, Session, Tenant, Timestamp};

/// What the variables of a request's prompts depend on.
#[derive(Debug, Clone, Copy)]
pub struct PromptContext<'a> {
    /// The tenant.
    pub tenant: &'a Tenant,
    /// The session, if it exists and is known.
    pub session: Option<&'a Session>,
    /// The request's options, which name the end user.
    pub options: &'a ChatOptions,
    /// The time of the request.
    pub now: Timestamp,
}

impl<'a> PromptContext<'a> {
    /// The tenant's prompt.
    ///
    /// # Errors
    /// 400 if it is too long with its values.
    pub fn of_tenant(self) -> Result<Option<Cow<'a, str>>, ApiError> {
        self.rendered(self.tenant.settings.system_prompt.as_deref())
    }

    /// The session's prompt.
    ///
    /// # Errors
    /// 400 if it is too long with its values.
    pub fn of_session(self) -> Result<Option<Cow<'a, str>>, ApiError> {
        self.rendered(self.session.and_then(|it| it.system_prompt.as_deref()))
    }

    /// The prompts of tenant and session as messages.
    ///
    /// # Errors
    /// 400 if one of them is too long with its values.
    pub fn messages(self) -> Result<Vec<Message>, ApiError> {
        let prompts = [self.of_tenant()?, self.of_session()?];
        let messages = prompts
            .into_iter()
            .flatten()
            .map(|prompt| Message::text(Role::System, &prompt));
        messages
            .collect::<Result<_, _>>()
            .map_err(ApiError::internal)
    }

    fn rendered(self, template: Option<&'a str>) -> Result<Option<Cow<'a, str>>, ApiError> {
        let options = self.options;
        let values = PromptValues {
            now: self.now,
            time_zone: self.tenant.settings.time_zone.unwrap_or_default(),
            tenant_name: &self.tenant.name,
            session: self.session.map(SessionValues::from),
            user: options
                .user
                .as_deref()
                .or(options.safety_identifier.as_deref()),
        };
        let rendered = template.map(|template| render(template, &values));
        rendered.transpose().map_err(|error: PromptTooLong| {
            ApiError::new(ErrorCode::InvalidValue, error.to_string())
        })
    }
}
