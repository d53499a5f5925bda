//! Signed pagination cursors.
//!
//! A cursor contains the end of a page and is valid for one list, owner and filter, for [`CURSOR_TTL`].
//! Clients cannot forge or change it.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::error::{ApiError, ErrorCode};
use crate::signing::{SigningKey, TAG_BYTES};
use crate::time::{Millis, Timestamp};

/// The time for which a cursor is valid.
pub const CURSOR_TTL: Millis = Millis::from_secs(24 * 60 * 60);

/// The maximum length of a cursor. Ids have at most 128 bytes, so valid cursors are far shorter.
const MAX_TEXT_BYTES: usize = 1024;

/// The list that a cursor is valid for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CursorScope<'a> {
    /// The name of the list, such as `sessions`.
    pub list: &'static str,
    /// The owner: the id of a tenant or an operator.
    pub owner: &'a str,
    /// All filters and the sort order, in canonical form.
    pub filter: &'a str,
}

/// A text is not a cursor of this list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a cursor of this list")]
pub struct InvalidCursor;

impl From<InvalidCursor> for ApiError {
    /// The same error for every invalid cursor, so that it reveals nothing.
    fn from(_: InvalidCursor) -> Self {
        Self::new(
            ErrorCode::InvalidValue,
            "Invalid `cursor`: it was changed, has expired, or belongs to another list or filter. \
             Start again without a cursor.",
        )
        .param("cursor")
    }
}

const PURPOSE: &str = "cursor";
const TIME_BYTES: usize = size_of::<u64>();

/// Creates a cursor for `position`, valid for [`CURSOR_TTL`] from `now`.
pub fn seal(key: &SigningKey, scope: CursorScope<'_>, position: &str, now: Timestamp) -> String {
    let expires = now.plus(CURSOR_TTL).as_millis().to_be_bytes();
    let tag = key.sign(PURPOSE, &signed(scope, &expires, position.as_bytes()));
    let bytes = [expires.as_slice(), position.as_bytes(), tag.as_slice()].concat();
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Verifies a cursor and returns its position.
///
/// # Errors
/// The cursor is forged, expired or of another list.
pub fn open(
    key: &SigningKey,
    scope: CursorScope<'_>,
    cursor: &str,
    now: Timestamp,
) -> Result<String, InvalidCursor> {
    if cursor.len() > MAX_TEXT_BYTES {
        return Err(InvalidCursor);
    }
    let bytes = URL_SAFE_NO_PAD.decode(cursor).map_err(|_| InvalidCursor)?;
    let (body, tag) = bytes.split_last_chunk::<TAG_BYTES>().ok_or(InvalidCursor)?;
    let (expires, position) = body
        .split_first_chunk::<TIME_BYTES>()
        .ok_or(InvalidCursor)?;
    let is_authentic = key.verifies(PURPOSE, &signed(scope, expires, position), tag);
    if !is_authentic || now.as_millis() >= u64::from_be_bytes(*expires) {
        return Err(InvalidCursor);
    }
    String::from_utf8(position.to_vec()).map_err(|_| InvalidCursor)
}

fn signed<'a>(scope: CursorScope<'a>, expires: &'a [u8], position: &'a [u8]) -> [&'a [u8]; 5] {
    [
        scope.list.as_bytes(),
        scope.owner.as_bytes(),
        scope.filter.as_bytes(),
        expires,
        position,
    ]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_767_225_600_000);
    const SCOPE: CursorScope<'_> = CursorScope {
        list: "sessions",
        owner: "ten_1",
        filter: "title=a",
    };

    fn key() -> SigningKey {
        SigningKey::new("0123456789abcdef0123456789abcdef").expect("long enough")
    }

    #[test]
    fn cursor_contains_its_position() {
        let cursor = seal(&key(), SCOPE, "17:a:b", NOW);
        assert_eq!(open(&key(), SCOPE, &cursor, NOW), Ok("17:a:b".to_owned()));
        assert!(
            cursor
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
        );
    }

    #[test]
    fn attack_16_cursor_is_valid_for_one_owner_list_and_filter() {
        let cursor = seal(&key(), SCOPE, "17", NOW);
        for other in [
            CursorScope {
                owner: "ten_2",
                ..SCOPE
            },
            CursorScope {
                list: "messages",
                ..SCOPE
            },
            CursorScope {
                filter: "title=b",
                ..SCOPE
            },
            CursorScope {
                filter: "",
                owner: "ten_1title=a",
                ..SCOPE
            },
        ] {
            assert_eq!(open(&key(), other, &cursor, NOW), Err(InvalidCursor));
        }
    }

    #[test]
    fn attack_17_cursor_expires() {
        let cursor = seal(&key(), SCOPE, "17", NOW);
        let end = NOW.plus(CURSOR_TTL);
        let before = Timestamp::from_millis(end.as_millis() - 1);
        assert!(open(&key(), SCOPE, &cursor, before).is_ok());
        assert_eq!(open(&key(), SCOPE, &cursor, end), Err(InvalidCursor));
    }

    proptest! {
        #[test]
        fn attack_17_changed_cursor_is_invalid(position in ".{0,40}", at in any::<prop::sample::Index>(), to in any::<char>()) {
            let cursor = seal(&key(), SCOPE, &position, NOW);
            prop_assert_eq!(open(&key(), SCOPE, &cursor, NOW), Ok(position));
            let mut changed: Vec<char> = cursor.chars().collect();
            let at = at.index(changed.len());
            changed[at] = to;
            let changed: String = changed.into_iter().collect();
            prop_assert!(changed == cursor || open(&key(), SCOPE, &changed, NOW).is_err());
            prop_assert!(open(&key(), SCOPE, &cursor[..cursor.len() - 1], NOW).is_err());
            let longer = format!("{cursor}A");
            prop_assert!(open(&key(), SCOPE, &longer, NOW).is_err());
        }

        #[test]
        fn arbitrary_text_is_invalid(text in ".{0,200}") {
            prop_assert_eq!(open(&key(), SCOPE, &text, NOW), Err(InvalidCursor));
        }
    }
}
