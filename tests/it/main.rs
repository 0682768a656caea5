//! End-to-end tests: one binary, a module per promise.

mod alignment;
mod attacks;
mod builds;
mod change_feed;
mod claims;
mod creation;
mod features;
mod fingerprints;
mod foreign_tables;
mod golden_tables;
mod goldens;
mod guards;
mod maintenance;
mod modes;
mod ordered_plans;
mod pins;
mod published;
mod records;
mod tasks;
mod writer;
mod written_plans;
