//! The atomics and locks of the table: those of the standard library, or loom's in a model test.

#[cfg(all(test, stockade_model))]
pub(crate) use loom::{
    hint::spin_loop,
    sync::{Mutex, MutexGuard, atomic::AtomicU64},
    thread::yield_now,
};
#[cfg(not(all(test, stockade_model)))]
pub(crate) use std::{
    hint::spin_loop,
    sync::{Mutex, MutexGuard, atomic::AtomicU64},
    thread::yield_now,
};
