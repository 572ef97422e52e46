//! The answers of a tenant: questions and their explanations, the catalog, errors and their texts, reviews, the JSON.
//!
//! The files are one test program, because each program is linked separately.

mod api;
mod attacks;
mod bad_input;
mod catalog;
mod explanations;
mod front_end;
mod handles;
mod ids;
mod lint;
mod lists;
mod many_sources;
mod narrowed;
mod parent_windows;
mod questions;
mod releases;
mod review;
mod serialised;
mod texts;
