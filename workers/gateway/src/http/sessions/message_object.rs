//! A stored message in responses.

use clawless_api::sessions::MessageObject;
use clawless_store::messages::ListedMessage;

/// Converts a stored message to the API's object.
pub(super) fn message_object(listed: ListedMessage) -> MessageObject {
    MessageObject::new(
        listed.id,
        listed.message,
        listed.request,
        listed.model,
        listed.incomplete_reason,
        listed.created_at,
    )
}
