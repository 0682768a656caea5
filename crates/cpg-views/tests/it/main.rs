//! The graph of small trees, end to end.

mod empty;
mod session;
mod shop;
