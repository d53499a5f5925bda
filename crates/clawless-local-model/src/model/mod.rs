//! The network itself: reading a GGUF file and running it.

mod gguf;
mod kv_cache;
mod layer;
mod prefix;
mod rope;
mod transformer;
mod weight;

pub(crate) use gguf::Gguf;
pub(crate) use prefix::{BLOCK, PrefixCache};
pub(crate) use transformer::Transformer;
