//! Extraction through the public interface: what the tables say, hostile input, determinism, invariants.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot be set up has failed"
)]

mod facts;
mod hostile;
mod invariants;
mod tables;
