//! The stored items that a request refers to (`item_reference`).

use std::collections::BTreeSet;

use clawless_api::responses::{ItemReference, ResponsesRendering, StoredEcho};
use clawless_api::surface::AnswerHead;
use clawless_core::json::Json;
use clawless_core::llm::LlmResponse;
use clawless_core::{ApiError, Clock, ErrorCode, RequestId, TenantId};
use clawless_store::turns;
use serde::Deserialize;

use super::stored_answer::load;
use crate::platform::Platform;

/// The most responses that the references of one request may name.
const MAX_RESPONSES: usize = 100;

/// Loads the output items with these ids. Ids that name nothing are left out; the parser reports them.
///
/// # Errors
/// 400 for too many references; 503 if storage does not answer.
pub async fn find<P: Platform>(
    platform: &P,
    tenant: &TenantId,
    ids: Vec<String>,
) -> Result<Vec<(String, Json)>, ApiError> {
    let requests = ids.iter().filter_map(|id| {
        let owner = ItemReference::parse(id)?.owner;
        let request = format!("{}{owner}", RequestId::PREFIX);
        request.parse().ok()
    });
    let requests: BTreeSet<RequestId> = requests.collect();
    if requests.len() > MAX_RESPONSES {
        let message =
            format!("The references of a request name at most {MAX_RESPONSES} responses.");
        return Err(ApiError::new(ErrorCode::InvalidValue, message).param("input"));
    }
    let mut found = Vec::new();
    for request in requests {
        let items = items_of_response(platform, tenant, &request).await?;
        found.extend(items.into_iter().filter(|(id, _)| ids.contains(id)));
    }
    Ok(found)
}

/// The output items of a stored response, by their ids; none if there is no such response.
async fn items_of_response<P: Platform>(
    platform: &P,
    tenant: &TenantId,
    request: &RequestId,
) -> Result<Vec<(String, Json)>, ApiError> {
    #[derive(Deserialize)]
    struct Response {
        output: Vec<Json>,
    }
    #[derive(Deserialize)]
    struct Item {
        id: String,
    }
    let now = platform.time().now();
    let found = turns::find_response(platform.sql(), tenant, request, now).await?;
    let Some(mut turn) = found.map(|found| found.turn) else {
        return Ok(Vec::new());
    };
    let echo = turn.echo.take().map(|echo| StoredEcho::read(&echo));
    let echo = echo.transpose().map_err(ApiError::internal)?;
    let mut echo = echo.unwrap_or_default();
    let mut answer = load(platform, tenant, request, turn).await?;
    echo.complete(&mut answer.choice);
    let head = AnswerHead {
        request: answer.request,
        created: answer.created_at,
        model: answer.model,
        origin: answer.origin,
    };
    let response = LlmResponse {
        choices: vec![answer.choice],
        ..LlmResponse::default()
    };
    let rendering = ResponsesRendering::of_stored(echo.echo);
    let body = rendering.body(head, response, &[], None);
    let response: Response = serde_json::from_str(&body).map_err(ApiError::internal)?;
    let items = response.output.into_iter().map(|json| {
        let item: Item = json.read()?;
        Ok((item.id, json))
    });
    let items: Result<_, serde_json::Error> = items.collect();
    items.map_err(ApiError::internal)
}
