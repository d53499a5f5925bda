//! Model routing without I/O: which model answers, and what happens when it fails.

pub mod breaker;
mod classifier;
pub mod fallback;
mod query_class;
pub mod select;

pub use classifier::{
    BUCKETS, CLASSES, Classification, ClassifierRules, HEADER_BYTES, RequestText, SIMPLE_THRESHOLD,
    TABLE_BYTES, classify, classify_text, decide, extract, probabilities,
};
pub use fallback::{ClassFallback, Fallback};
pub use query_class::QueryClass;
pub use select::{MAX_OVERESTIMATE, Needs, Policy, Reason, Selection, Unroutable, select_model};
