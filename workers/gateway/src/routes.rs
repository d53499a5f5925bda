//! The routes table: method, path, access rule, parameters of the query, handler with the types of its
//! request and responses. CONTRIBUTING.md describes how to add a line.

use clawless_api::admin::usage::UsageReport;
use clawless_api::chat::{ChatChunk, ChatCompletionResponse, ChatRequest};
use clawless_api::list::ListPage;
use clawless_api::messages::{
    CountRequest, MessageEvent, MessageRequest, MessageResponse, ModelInfo, ModelPage, TokenCount,
};
use clawless_api::models::{ModelList, ModelObject};
use clawless_api::responses::{
    ConversationBody, ConversationObject, InputTokens, ItemList, ResponseEvent, ResponseObject,
    ResponseRequest,
};
use clawless_api::sessions::{
    Deleted, MessageObject, SessionBody, SessionChange, SessionExport, SessionObject,
    ToolExecutionObject,
};
use clawless_api::widget::{OpenSession, OpenedSession};
use clawless_core::Scope::{Chat, SessionsRead, SessionsWrite, UsageRead};
use clawless_core::ledger::EndpointClass::{Read, Write};
use clawless_core::members::Members;
use clawless_edge::http::{Csv, Events, Html, Routes};
use clawless_edge::routes;

#[cfg(feature = "test-faults")]
use crate::http::faults;
use crate::http::health::HealthReport;
use crate::http::service::Access::{Export, Key, Open, Session, SessionWait, Turn, Wait};
use crate::http::service::Gateway;
use crate::http::{
    completions, conversations, forward, health, messages, models, responses, resume, sessions,
    usage, widget,
};

/// Every route of the gateway.
pub static ROUTES: Routes<Gateway> = Routes {
    unmatched: None,
    lines: routes! {
        POST   "/v1/chat/completions"                    Authenticating(Turn(Chat)) => completions::create(ChatRequest)
               -> 200 ChatCompletionResponse | 200 Events<ChatChunk>,
        POST   "/v1/messages"                            Authenticating(Turn(Chat)) ["beta"] => messages::create(MessageRequest)
               -> 200 MessageResponse | 200 Events<MessageEvent>,
        POST   "/v1/messages/count_tokens"               Key(Chat, Read) ["beta"]  => messages::count_tokens(CountRequest)
               -> 200 TokenCount | ModelNotFound | UnsupportedParameter,
        POST   "/v1/responses"                           Authenticating(Turn(Chat)) => responses::create(ResponseRequest)
               -> 200 ResponseObject | 200 Events<ResponseEvent>,
        POST   "/v1/responses/input_tokens"              Key(Chat, Read)
               => responses::count_input_tokens(ResponseRequest) -> 200 InputTokens | ModelNotFound | ResourceNotFound,
        GET    "/v1/responses/{id}"                      Wait(SessionsRead)        => responses::show()
               -> 200 ResponseObject | RequestInProgress,
        DELETE "/v1/responses/{id}"                      Key(SessionsWrite, Write) => responses::delete() -> 200 Deleted<'_>,
        POST   "/v1/responses/{id}/cancel"               Key(SessionsWrite, Write) => responses::cancel() -> 200 ResponseObject,
        GET    "/v1/responses/{id}/input_items"          Key(SessionsRead, Read) ["limit", "after", "order"]
               => responses::list_input_items() -> 200 ItemList,
        POST   "/v1/conversations"                       Key(SessionsWrite, Write) => conversations::create(ConversationBody)
               -> 200 ConversationObject<'_> | InsufficientQuota,
        GET    "/v1/conversations/{id}"                  Key(SessionsRead, Read)   => conversations::show() -> 200 ConversationObject<'_>,
        POST   "/v1/conversations/{id}"                  Key(SessionsWrite, Write) => conversations::update(ConversationBody)
               -> 200 ConversationObject<'_> | InsufficientQuota,
        DELETE "/v1/conversations/{id}"                  Key(SessionsWrite, Write) => conversations::delete() -> 200 Deleted<'_>,
        GET    "/v1/conversations/{id}/items"            Key(SessionsRead, Read) ["limit", "after", "order"]
               => conversations::list_items() -> 200 ItemList,
        GET    "/v1/models"                              Key(Chat, Read) ["limit", "after_id", "before_id", "beta"]
               => models::list() -> 200 ModelList<'_> | 200 ModelPage<'_>,
        GET    "/v1/models/{id…}"                        Key(Chat, Read) ["beta"]
               => models::show() -> 200 ModelObject<'_> | 200 ModelInfo<'_> | ModelNotFound,
        GET    "/v1/sessions"                            Key(SessionsRead, Read)
               ["limit", "cursor", "title", "metadata[]", "created_after", "created_before"]
               => sessions::list() -> 200 ListPage<SessionObject<'_>>,
        POST   "/v1/sessions"                            Key(SessionsWrite, Write) => sessions::create(SessionBody)
               -> 200 SessionObject<'_> | ModelNotFound | Conflict | InsufficientQuota,
        GET    "/v1/sessions/{id}"                       Key(SessionsRead, Read)   => sessions::show() -> 200 SessionObject<'_>,
        PATCH  "/v1/sessions/{id}"                       Key(SessionsWrite, Write) => sessions::update(SessionChange)
               -> 200 SessionObject<'_> | ModelNotFound | InsufficientQuota,
        DELETE "/v1/sessions/{id}"                       Session(SessionsWrite, Write) => sessions::delete()
               -> 200 Deleted<'_> | SessionBusy,
        POST   "/v1/sessions/{id}/reset"                 Key(SessionsWrite, Write) => sessions::reset() -> 200 SessionObject<'_>,
        GET    "/v1/sessions/{id}/export"                Export(SessionsRead)      => sessions::export() -> 200 SessionExport<'_>,
        GET    "/v1/sessions/{id}/messages"              Session(SessionsRead, Read)
               ["limit", "cursor", "order", "after", "before"]
               => sessions::list_messages() -> 200 ListPage<MessageObject>,
        DELETE "/v1/sessions/{id}/messages/{message_id}" Session(SessionsWrite, Write)
               => sessions::delete_message() -> 200 Deleted<'_>,
        GET    "/v1/sessions/{id}/tool_executions"       Key(SessionsRead, Read)
               ["limit", "cursor"]
               => sessions::list_tool_executions() -> 200 ListPage<ToolExecutionObject>,
        GET    "/v1/sessions/{id}/turns/{request_id}"    SessionWait(Chat)         => resume::resume()
               -> 200 ChatCompletionResponse | 200 Events<ChatChunk> | RequestInProgress,
        POST   "/v1/widget/session"                      Authenticating(Open(Chat)) => widget::open(OpenSession)
               -> 200 OpenedSession<'_>,
        GET    "/v1/usage"                               Key(UsageRead, Read)
               ["from", "to", "format"]
               => usage::show() -> 200 UsageReport | 200 Csv,
        GET    "/health"                                 Public                    => health::show()
               -> 200 HealthReport | 503 HealthReport,
        GET    "/openapi.json"                           Public                    => forward::widget() -> 200 Members,
        GET    "/docs"                                   Public                    => forward::widget() -> 200 Html,
        ANY    "/admin/{…}"                              Forwarded                 => forward::admin,
        ANY    "/widget/{…}"                             Forwarded                 => forward::widget,
        ANY    "/demo"                                   Forwarded                 => forward::widget,
        #[cfg(feature = "test-faults")]
        GET    "/__test/panic"                           Public
               ["key", "content"]                                                  => faults::panic,
        #[cfg(feature = "test-faults")]
        GET    "/__test/load"                            Public                    => faults::load,
        #[cfg(feature = "test-faults")]
        POST   "/__test/faults"                          Public                    => faults::plan,
    },
};

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use clawless_edge::http::Endpoint;

    use super::*;
    use crate::http::service::Access;

    #[test]
    fn each_line_is_found_by_its_own_path_and_no_two_are_the_same() {
        let mut seen = BTreeSet::new();
        for line in ROUTES.lines {
            assert!(
                seen.insert((line.method, line.pattern)),
                "{line:?} is declared twice"
            );
            let path = line.pattern.replace(['{', '}', '…'], "");
            let found = ROUTES.find(line.method, &path).expect(&path);
            assert_eq!(
                (found.route.method, found.route.pattern),
                (line.method, line.pattern)
            );
        }
    }

    #[test]
    fn only_these_routes_need_no_key_or_check_it_elsewhere() {
        let lines = ROUTES.lines.iter();
        let mut found: Vec<_> = lines
            .filter(|line| !line.pattern.starts_with("/__test/"))
            .filter_map(|line| match line.endpoint {
                Endpoint::Restricted(..) => None,
                Endpoint::Public(_) => Some(("public", line.pattern)),
                Endpoint::Authenticating(..) => Some(("authenticates", line.pattern)),
                Endpoint::Forwarded(_) => Some(("forwarded", line.pattern)),
            })
            .collect();
        found.sort_unstable();
        assert_eq!(
            found,
            [
                ("authenticates", "/v1/chat/completions"),
                ("authenticates", "/v1/messages"),
                ("authenticates", "/v1/responses"),
                ("authenticates", "/v1/widget/session"),
                ("forwarded", "/admin/{…}"),
                ("forwarded", "/demo"),
                ("forwarded", "/widget/{…}"),
                ("public", "/docs"),
                ("public", "/health"),
                ("public", "/openapi.json"),
            ]
        );
    }

    #[test]
    fn attack_11_only_these_routes_admit_visitors_and_each_names_a_session() {
        let lines = ROUTES.lines.iter();
        let admitting = lines.filter(|line| line.access().is_some_and(Access::admits_visitors));
        let found: Vec<_> = admitting.map(|line| (line.method, line.pattern)).collect();
        assert_eq!(
            found,
            [
                ("DELETE", "/v1/sessions/{id}"),
                ("GET", "/v1/sessions/{id}/messages"),
                ("DELETE", "/v1/sessions/{id}/messages/{message_id}"),
                ("GET", "/v1/sessions/{id}/turns/{request_id}"),
            ]
        );
    }

    #[test]
    fn only_reading_routes_have_parameters() {
        for line in ROUTES.lines {
            // Anthropic's SDKs mark the calls of their beta functions so.
            let is_reading = line.method == "GET" || line.query == ["beta"];
            assert!(is_reading || line.query.is_empty(), "{line:?}");
        }
    }

    #[test]
    fn a_route_that_changes_something_needs_a_scope_to_write() {
        for line in ROUTES.lines {
            if let Some((scope, class)) = line.access().map(Access::rule) {
                let counts = ["/v1/messages/count_tokens", "/v1/responses/input_tokens"];
                let is_count = counts.contains(&line.pattern);
                let changes = line.method != "GET" && !is_count;
                assert_eq!(changes, class == Write, "{line:?}");
                assert_eq!(changes, scope == SessionsWrite, "{line:?}");
            }
        }
    }

    #[test]
    fn a_path_has_no_aliases() {
        for alias in [
            "//v1/chat/completions",
            "/V1/chat/completions",
            "/v1/chat/completions/",
            "/v1/%63hat/completions",
            "/v1//models",
            "/v1/models/",
            "/admin",
        ] {
            let error = ROUTES.find("POST", alias).err().expect(alias);
            assert_eq!(error.status(), 404, "{alias}");
        }
    }

    #[test]
    fn a_model_may_have_slashes_in_its_name() {
        for path in ["/v1/models/@cf/meta/llama", "/v1/models/@cf%2Fmeta%2Fllama"] {
            let found = ROUTES.find("GET", path).expect(path);
            assert_eq!(
                (found.route.pattern, found.params.get("id")),
                ("/v1/models/{id…}", "@cf/meta/llama")
            );
        }
    }

    #[test]
    fn a_wrong_method_gets_the_right_ones() {
        for method in ["GET", "TRACE", "DELETE", "FOO"] {
            let error = ROUTES
                .find(method, "/v1/chat/completions")
                .err()
                .expect(method);
            assert_eq!(
                (error.status(), error.headers),
                (405, vec![("allow", "POST, OPTIONS".to_owned())])
            );
        }
    }
}
