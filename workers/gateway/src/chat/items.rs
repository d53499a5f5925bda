//! The stored items that a request refers to (`item_reference`).

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use clawless_api::responses::{ItemReference, ResponsesRendering};
use clawless_api::surface::AnswerHead;
use clawless_core::json::Json;
use clawless_core::llm::LlmResponse;
use clawless_core::{ApiError, Clock, ErrorCode, RequestId, TenantId};
use clawless_edge::http::Permit;
use clawless_store::turns;
use serde::Deserialize;

use super::stored_answer::load;
use crate::platform::Platform;

/// The copies of an item: the item, and the message that is parsed of it.
const COPIES: usize = 2;

/// The most responses that the references of one request may name.
const MAX_RESPONSES: usize = 100;

/// Loads the output items with these ids, which count against `permit`, as does each response while it is
/// loaded. Ids that name nothing are left out; the parser reports them.
///
/// # Errors
/// 400 for too many references; 413 if the items are longer than a body may be, each as often as it is
/// named; 429 and 503 if there is no room for them; 503 if storage does not answer.
pub async fn find<P: Platform>(
    platform: &P,
    tenant: &TenantId,
    ids: Vec<String>,
    permit: &Rc<Permit>,
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
    let mut named: BTreeMap<String, usize> = BTreeMap::new();
    for id in ids {
        *named.entry(id).or_default() += 1;
    }
    let limit = platform.config().body_limit;
    let (mut found, mut bytes) = (Vec::new(), 0_usize);
    for request in requests {
        for (id, item) in items_of_response(platform, tenant, &request, permit).await? {
            let Some(times) = named.get(&id) else {
                continue;
            };
            // A short body must not make a long request: every reference is a copy of its item.
            bytes = bytes.saturating_add(item.as_str().len().saturating_mul(*times));
            if bytes > limit {
                return Err(too_long(limit));
            }
            let now = platform.time().now();
            permit.grow(item.as_str().len().saturating_mul(COPIES), now)?;
            found.push((id, item));
        }
    }
    Ok(found)
}

fn too_long(limit: usize) -> ApiError {
    let message = format!(
        "The items that the request refers to are longer than the limit of {limit} bytes, each as often \
         as it is named."
    );
    ApiError::new(ErrorCode::RequestTooLarge, message).param("input")
}

/// The output items of a stored response, by their ids; none if there is no such response.
async fn items_of_response<P: Platform>(
    platform: &P,
    tenant: &TenantId,
    request: &RequestId,
    permit: &Rc<Permit>,
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
    let Some(turn) = found.map(|found| found.turn) else {
        return Ok(Vec::new());
    };
    let answer = load(platform, tenant, request, turn, permit).await?;
    let head = AnswerHead {
        request: answer.request,
        created: answer.created_at,
        completed: answer.completed,
        model: answer.model,
        origin: answer.origin,
    };
    let response = LlmResponse {
        choices: vec![answer.choice],
        ..LlmResponse::default()
    };
    let rendering = ResponsesRendering::of_stored(answer.echo);
    let body = rendering.body(head, response, &[], None);
    let response: Response = serde_json::from_str(&body).map_err(ApiError::internal)?;
    let items = response.output.into_iter().map(|json| {
        let item: Item = json.read()?;
        Ok((item.id, json))
    });
    let items: Result<_, serde_json::Error> = items.collect();
    items.map_err(ApiError::internal)
}
