//! The body is `tests/fuzz/targets/document.rs`.
#![no_main]
#![allow(dead_code, reason = "the other targets' bodies are here, too")]

#[path = "../../tests/fuzz/targets/mod.rs"]
mod targets;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| targets::document::run(bytes));
