//! Messages: the histories of sessions.

mod history;
mod page;
mod removal;
mod statements;
mod turn;

pub use history::{History, HistoryBudget, HistoryMessage, HistoryTurn, history};
pub use page::{
    ListedMessage, MAX_PAGE_BYTES, MessagePosition, Page, Range, SortOrder, page, position,
};
pub use removal::remove;
pub use turn::{StoredMessage, TurnContent, containing, of_turn};

pub(crate) use statements::STATEMENTS;
