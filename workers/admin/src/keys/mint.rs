//! Creating keys.

use clawless_api::admin::keys::{CreatedKey, KeyObject, NewKey};
use clawless_core::api_key::StoredKey;
use clawless_core::keys::KeyText;
use clawless_core::{ApiError, KeyId};
use clawless_edge::http::HttpResponse;
use clawless_store::api_keys;

use crate::context::{AdminCall, audit_entry};
use crate::input;

/// Creates a key, which no later response shows.
///
/// 1. 400 that names the invalid parameter. 2. 404 and 409 for the tenant. 3. 201.
///
/// # Errors
/// The statuses above.
pub(crate) async fn mint(call: &AdminCall) -> Result<HttpResponse, ApiError> {
    let context = &call.platform;
    let new = NewKey::parse(&input::read(call).await?, context.now)?;
    let tenant = context.mutable_tenant(call.param("id")).await?.id;
    let id = KeyId::generate(context.now, &context.entropy);
    let key = new.into_record(id, tenant.clone(), context.now);
    let text = KeyText::generate(key.kind, &context.entropy);
    let object = KeyObject::from(StoredKey::new(key.clone()));
    let entry = audit_entry(call, "key.mint", key.id.as_str(), None, Some(&object))?;
    api_keys::mint(&context.sql, &tenant, &key, text.digest(), &entry).await?;
    let created = CreatedKey::new(object, text.reveal());
    Ok(HttpResponse::of(&created)?.with_status(201))
}
