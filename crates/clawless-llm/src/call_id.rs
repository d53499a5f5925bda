//! Ids for tool calls whose provider gives none.

use clawless_core::llm::LlmRequest;

/// How much of the last message goes into a seed, in bytes.
const SEED_BYTES: usize = 1024;

/// The source of the ids of one answer: the same for the same conversation and another one when the
/// conversation has gone on, so that no id repeats in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct CallIds(u64);

impl Default for CallIds {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl CallIds {
    /// The ids of the answer to a request.
    pub(crate) fn for_request(request: &LlmRequest) -> Self {
        let last = request.messages.last().map(|it| it.raw().as_str());
        let last = last.unwrap_or_default().as_bytes();
        let tail = last.get(last.len().saturating_sub(SEED_BYTES)..);
        Self::default()
            .with(&request.messages.len().to_le_bytes())
            .with(&last.len().to_le_bytes())
            .with(tail.unwrap_or_default())
    }

    /// The ids that depend on these bytes too. FNV-1a: collisions are harmless outside one
    /// conversation.
    pub(crate) fn with(self, bytes: &[u8]) -> Self {
        Self(bytes.iter().fold(self.0, |hash, byte| {
            (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
        }))
    }

    /// The id of the call at position `number` of a choice: 31 characters at most, where `OpenAI`
    /// takes 40.
    pub(crate) fn make(self, choice: u32, number: usize) -> String {
        format!("call_{:016x}_{choice}_{number}", self.0)
    }
}
