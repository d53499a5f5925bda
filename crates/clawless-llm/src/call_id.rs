//! Generates ids of tool calls for providers that send none.

use clawless_core::llm::LlmRequest;

/// The number of bytes of the last message that are hashed into a seed.
const SEED_BYTES: usize = 1024;

/// The seed of the ids of one response: deterministic for the same conversation, and different once
/// the conversation has continued, so that ids are unique in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct CallIds(u64);

impl Default for CallIds {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl CallIds {
    /// The seed for the response to a request.
    pub(crate) fn for_request(request: &LlmRequest) -> Self {
        let last = request.messages.last().map(|it| it.raw().as_str());
        let last = last.unwrap_or_default().as_bytes();
        let tail = last.get(last.len().saturating_sub(SEED_BYTES)..);
        Self::default()
            .with(&request.messages.len().to_le_bytes())
            .with(&last.len().to_le_bytes())
            .with(tail.unwrap_or_default())
    }

    /// A seed that also depends on these bytes. FNV-1a: collisions matter only within one
    /// conversation.
    pub(crate) fn with(self, bytes: &[u8]) -> Self {
        Self(bytes.iter().fold(self.0, |hash, byte| {
            (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
        }))
    }

    /// The id of the call at index `number` of a choice: at most 31 characters; `OpenAI` accepts
    /// 40.
    pub(crate) fn make(self, choice: u32, number: usize) -> String {
        format!("call_{:016x}_{choice}_{number}", self.0)
    }
}
