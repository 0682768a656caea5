//! Room on the stack for walks that recurse once per node of a plan.

use std::future::poll_fn;
use std::pin::pin;

/// Where less stack than this is left, more is taken. A node of a plan costs the engine's decoders up to eighty kilobytes in
/// builds that are not optimized, and threads have two megabytes unless somebody asks for more.
const LEFT_BYTES: usize = 16 << 20;
const TAKEN_BYTES: usize = 64 << 20;

/// Calls with enough stack for deep plans.
pub(crate) fn call<T>(walk: impl FnOnce() -> T) -> T {
    stacker::maybe_grow(LEFT_BYTES, TAKEN_BYTES, walk)
}

/// Waits for a future whose polls get a stack for deep plans.
pub(crate) async fn wait<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    poll_fn(|context| call(|| future.as_mut().poll(context))).await
}
