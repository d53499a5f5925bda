//! The surfaces: the wire formats in which clients call models. Everything that depends on a
//! surface is in its own module, such as [`crate::chat`], and is selected here: the rendering of
//! answers, the route, the error envelope. The steps of a turn never ask which surface it has.
//!
//! To add a surface, add a variant to [`Surface`], [`Rendering`] and [`EventWriter`]; the compiler
//! names the places that are missing.

mod kind;
mod recorded;
mod rendering;
mod writer;

pub use kind::Surface;
pub use recorded::recorded_model;
pub use rendering::Rendering;
pub use writer::EventWriter;

pub use crate::answer_head::AnswerHead;
use crate::parsed::Parsed;

/// A parsed body of any surface.
pub type ParsedBody = Parsed<Rendering>;
