//! The fuzz target `transactions`. Its body is in `tests/fuzz/targets/transactions.rs`.
#![no_main]
#![allow(dead_code, reason = "the bodies of the other targets are compiled too")]

#[path = "../../tests/fuzz/targets/mod.rs"]
mod targets;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| drop(targets::transactions::run(bytes)));
