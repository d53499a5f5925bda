//! Conversion between text and tokens.

mod byte_level;
mod stop;
mod tokenizer;
mod utf8;

pub(crate) use stop::{StopHolder, overlap};
pub(crate) use tokenizer::{Piece, Tokenizer};
pub(crate) use utf8::Utf8Assembler;
