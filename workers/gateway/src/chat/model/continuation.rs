//! The history that a turn continues, if it is not simply that of its session.

use clawless_core::SessionId;
use clawless_core::session::SessionHead;

/// The history that a turn continues.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Continuation {
    /// That of its session, if it has one.
    #[default]
    OwnHistory,
    /// That of its session, which must still end with this turn.
    After(SessionHead),
    /// That of another session, up to this turn. A turn that is stored begins its session with a copy.
    Copy {
        /// The other session.
        source: SessionId,
        /// Its last turn that counts.
        head: SessionHead,
    },
}
