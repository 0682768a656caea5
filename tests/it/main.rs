//! End-to-end tests: one binary, a module per promise.

mod builds;
mod creation;
mod fingerprints;
mod goldens;
mod guards;
mod modes;
mod ordered_plans;
mod writer;
mod written_plans;
