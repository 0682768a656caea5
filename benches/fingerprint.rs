//! A bench to come.
fn main() {}
