//! The streamed response of a model.

use crate::chat::{FinishReason, Usage};
use crate::json::Json;
use crate::members::Members;
use crate::tool::CallForm;

/// An event of a streamed response.
#[derive(Debug, Clone, PartialEq)]
pub enum LlmEvent {
    /// An addition to a choice.
    Delta {
        /// The index of the choice.
        index: u32,
        /// The addition.
        delta: Delta,
    },
    /// The end of a choice.
    Finish {
        /// The index of the choice.
        index: u32,
        /// The finish reason.
        reason: FinishReason,
    },
    /// The usage of the whole call. May be repeated; the last one counts.
    Usage(Usage),
    /// Members of the answer beside its choices, such as `citations`. A later value of a member
    /// replaces an earlier one.
    Members(Members),
}

/// An addition to a choice.
#[derive(Debug, Clone, PartialEq)]
pub enum Delta {
    /// Text.
    Content(String),
    /// Reasoning.
    Reasoning(String),
    /// Text of a refusal.
    Refusal(String),
    /// The start of a tool call.
    ToolCallStart {
        /// The position of the call among the calls of the choice.
        call: u32,
        /// The id of the call.
        id: String,
        /// The name of the tool.
        name: String,
        /// The form of the call.
        form: CallForm,
        /// Members that have no meaning here, as the provider sent them.
        members: Members,
    },
    /// Members of a tool call that came after its beginning.
    ToolCallMembers {
        /// The call's position among the calls of this answer.
        call: u32,
        /// How the call stands on `OpenAI`'s wire.
        form: CallForm,
        /// The members.
        members: Members,
    },
    /// Arguments of a tool call.
    ToolCallArguments {
        /// The position of the call among the calls of the choice.
        call: u32,
        /// A part of the JSON text, or of the input of a custom tool.
        arguments: String,
        /// The form of the call.
        form: CallForm,
    },
    /// Log probabilities of the last text, unparsed.
    Logprobs(Json),
    /// A signed reasoning block that has ended; its text was sent as [`Self::Reasoning`].
    ThinkingBlock(Json),
    /// A source of the text block that is open, as the provider sent it.
    Citation(Json),
    /// The end of a text block. The text after it belongs to another one.
    TextEnd,
    /// A content block of a type that only its provider's API knows, after its end.
    Block(Json),
    /// All signed reasoning blocks, once, before the end of the choice.
    ThinkingBlocks(Json),
    /// Members of the message that have no meaning here, as the provider sent them.
    Members(Members),
    /// Members of the choice beside its message, as the provider sent them. A later value of a member
    /// replaces an earlier one.
    ChoiceMembers(Members),
}
