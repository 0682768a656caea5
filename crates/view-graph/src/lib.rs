//! Views as values.

mod view;

pub use view::{Materialization, View};
