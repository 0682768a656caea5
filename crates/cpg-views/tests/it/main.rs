//! The graph of small trees, end to end.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that fails here fails"
)]

mod collisions;
mod consumers;
mod empty;
mod goldens;
mod session;
mod shop;
