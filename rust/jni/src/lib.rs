//! Firesteel's native library for the JVM: the only crate that knows JNI, and home of the border's `unsafe`.
//!
//! Java calls in through [`entries`], which mirror `io.firesteel.spark.bridge.Native` one to one; every entry runs
//! under one error policy ([`policy`]), so an error or a panic becomes a Java exception and the JVM goes on. Batches
//! cross as C Data Interface structs ([`ffi`]), log lines as SLF4J calls ([`logging`]). What lives between two calls
//! is a [`session::Session`], reached by a number that can be stale without harm ([`handle`]). The work itself is
//! the engine's: an entry converts its arguments, calls one safe function, converts the result.

mod bucket;
mod bucket_entries;
mod classes;
mod counts;
mod engine;
mod entries;
mod error;
mod ffi;
mod handle;
mod kafka;
mod logging;
mod onload;
mod panics;
mod policy;
mod producer_entries;
mod producing;
mod self_test;
mod session;

/// The memory of all Rust code in the process. Threads of Spark's pool take turns with the tasks, and each of them would
/// keep a heap of its own in glibc's allocator, where what it freed waits for it alone: measured here, that was half of
/// the process. Under the sanitizer its own allocator stays.
#[cfg(not(sanitized))]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;
