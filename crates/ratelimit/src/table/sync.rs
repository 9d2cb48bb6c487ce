//! The atomics and locks of the table: those of the standard library, or loom's in a model test.

#[cfg(loom)]
pub(crate) use loom::{
    hint::spin_loop,
    sync::{Mutex, MutexGuard, atomic::AtomicU64},
    thread::yield_now,
};
#[cfg(not(loom))]
pub(crate) use std::{
    hint::spin_loop,
    sync::{Mutex, MutexGuard, atomic::AtomicU64},
    thread::yield_now,
};
