//! Decodes whatever the fuzzer comes up with. The tests run the same body over bytes that are made to look like artifacts.

#![no_main]

#[path = "../../crates/artifacts/tests/contracts/decoding.rs"]
mod decoding;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| decoding::decode(bytes));
