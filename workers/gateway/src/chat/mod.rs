//! Answers of models, on every surface. [`pipeline`] lists the steps of one request in order; each step is a module
//! that takes values and returns values, and no step imports another one; [`rounds`] repeats steps 6 and 7. The
//! values are in [`model`], the HTTP rendering in [`response`].

pub mod admit;
pub mod byte_channel;
pub mod call;
pub mod client;
pub mod commit;
pub mod continuation;
pub mod counted_http;
pub mod early_head;
mod expired_links;
pub mod hot;
pub mod idempotency;
pub mod items;
pub mod keep_alive;
pub mod model;
pub mod output_limit;
pub mod parse;
pub mod pipeline;
pub mod prepare;
pub mod prompts;
pub mod relay;
pub mod renewal;
mod repeated_history;
pub mod replay;
pub mod reply;
pub mod report;
pub mod reservation;
pub mod response;
pub mod rounds;
pub mod route;
pub mod run_tools;
pub mod settle;
pub mod stored_answer;
mod system_prompt;
mod tries;
pub mod visitor_rules;
