//! The program as its users meet it: a process with arguments, a source tree, a lake, and an exit code.

mod buckets;
mod build;
mod determinism;
mod exit_codes;
mod failed;
mod hostile;
mod integrity;
mod interrupt;
mod killed;
mod maintain;
mod openlineage;
mod policy;
mod program;
mod query;
mod replay;
mod runs;
mod secrets;
mod shop;
mod stats;
mod verify;
