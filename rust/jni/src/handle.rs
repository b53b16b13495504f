//! Numbers that stand for sessions, and for other things that stay open between two calls, on the Java side.
//!
//! A handle is a key into a table, never an address: one that was closed, closed twice or made up finds nothing and
//! becomes an exception. Zero is never used; numbers are not reused, also not by another table. Any thread may use a
//! handle; what it stands for is freed when it is closed and the last call in it has returned.

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};

use crate::error::BridgeError;
use crate::session::Session;

/// What Java holds as a `long`. The default, zero, is what an entry that throws gives; it is never open.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
#[repr(transparent)]
pub(crate) struct Handle(i64);

impl From<Handle> for i64 {
    fn from(handle: Handle) -> Self {
        handle.0
    }
}

static NEXT: AtomicI64 = AtomicI64::new(1);
static SESSIONS: Table<Session> = Table::new();

/// What is open of one kind.
pub(crate) struct Table<T>(LazyLock<Mutex<HashMap<i64, Arc<T>>>>);

impl<T> Table<T> {
    pub(crate) const fn new() -> Self {
        Self(LazyLock::new(Mutex::default))
    }

    fn entries(&self) -> MutexGuard<'_, HashMap<i64, Arc<T>>> {
        // Nothing that could panic runs under this lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Enters a value.
    pub(crate) fn open(&self, value: T) -> Handle {
        let handle = Handle(NEXT.fetch_add(1, Ordering::Relaxed));
        self.entries().insert(handle.0, Arc::new(value));
        handle
    }

    /// The value of an open handle.
    pub(crate) fn get(&self, handle: Handle) -> Result<Arc<T>, BridgeError> {
        self.entries().get(&handle.0).cloned().ok_or(BridgeError::StaleHandle(handle.0))
    }

    /// Takes the value out.
    pub(crate) fn close(&self, handle: Handle) -> Result<(), BridgeError> {
        let value = self.entries().remove(&handle.0);
        // Dropped outside the lock: freeing may take a while.
        value.map(drop).ok_or(BridgeError::StaleHandle(handle.0))
    }

    /// Open now.
    pub(crate) fn count(&self) -> usize {
        self.entries().len()
    }
}

impl Handle {
    /// Enters a session into the table.
    pub(crate) fn open(session: Session) -> Self {
        SESSIONS.open(session)
    }

    /// The session of an open handle.
    pub(crate) fn session(self) -> Result<Arc<Session>, BridgeError> {
        SESSIONS.get(self)
    }

    /// Takes the session out of the table.
    pub(crate) fn close(self) -> Result<(), BridgeError> {
        SESSIONS.close(self)
    }
}

/// Open sessions now.
pub(crate) fn open_count() -> usize {
    SESSIONS.count()
}
