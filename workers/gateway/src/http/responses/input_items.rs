//! `GET /v1/responses/{id}/input_items`.

use clawless_api::responses::{ListedItem, item_list, items_of, response_not_found};
use clawless_core::ApiError;
use clawless_edge::http::{Call, HttpResponse};

use super::find::{find, request_of};
use crate::caller::Caller;
use crate::chat::stored_answer::content;
use crate::http::items::{ItemPage, Order};
use crate::platform::Platform;

/// Lists the items of a response's input, newest first by default. The items of an earlier response
/// that it continues are in that response's list.
///
/// # Errors
/// 404 if there is no such response; 400 for an invalid parameter.
pub async fn list<P: Platform>(call: &Call<P, Caller>) -> Result<HttpResponse, ApiError> {
    let (platform, tenant) = (&*call.platform, &call.caller.tenant().id);
    let request = request_of(call.param("id"))?;
    let page = ItemPage::take(&mut call.query())?;
    let found = find(platform, tenant, &request).await?;
    let found = found.ok_or_else(response_not_found)?;
    let content = content(platform, tenant, &found.turn, &call.permit).await?;
    let mut items: Vec<ListedItem> = Vec::new();
    for input in content.messages.iter().take(content.echo.inputs) {
        let found = items_of(&input.message, input.id.as_str());
        items.extend(found.map_err(ApiError::internal)?);
    }
    if page.order == Order::NewestFirst {
        items.reverse();
    }
    let (items, has_more) = page.cut(items)?;
    Ok(HttpResponse::json(item_list(&items, has_more)))
}
