//! Numbers that stand for open things on the Java side.
//!
//! A number is a key into a table, never an address: one that was closed, closed twice or made up finds nothing and
//! becomes an exception. Zero is never used; numbers are not reused. Any thread may use one; what it stands for is
//! freed when it is closed and the last call in it has returned.

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};

use crate::error::BridgeError;
use crate::session::Session;

static NEXT: AtomicI64 = AtomicI64::new(1);

/// Open things of one kind.
pub(crate) struct Table<T> {
    open: Mutex<HashMap<i64, Arc<T>>>,
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self { open: Mutex::default() }
    }
}

impl<T> Table<T> {
    fn lock(&self) -> MutexGuard<'_, HashMap<i64, Arc<T>>> {
        // Nothing that could panic runs under this lock.
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Enters a thing; gives its number.
    pub(crate) fn open(&self, thing: T) -> i64 {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        self.lock().insert(number, Arc::new(thing));
        number
    }

    /// What an open number stands for.
    pub(crate) fn get(&self, number: i64) -> Result<Arc<T>, BridgeError> {
        self.lock().get(&number).cloned().ok_or(BridgeError::StaleHandle(number))
    }

    /// Takes it out of the table. It is freed with the last `Arc`, outside the lock.
    pub(crate) fn close(&self, number: i64) -> Result<Arc<T>, BridgeError> {
        self.lock().remove(&number).ok_or(BridgeError::StaleHandle(number))
    }

    fn count(&self) -> usize {
        self.lock().len()
    }
}

static SESSIONS: LazyLock<Table<Session>> = LazyLock::new(Table::default);

/// What Java holds of a session as a `long`. The default, zero, is what an entry that throws gives; it is never open.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
#[repr(transparent)]
pub(crate) struct Handle(i64);

impl From<Handle> for i64 {
    fn from(handle: Handle) -> Self {
        handle.0
    }
}

impl Handle {
    /// Enters a session into the table.
    pub(crate) fn open(session: Session) -> Self {
        Self(SESSIONS.open(session))
    }

    /// The session of an open handle.
    pub(crate) fn session(self) -> Result<Arc<Session>, BridgeError> {
        SESSIONS.get(self.0)
    }

    /// Takes the session out of the table.
    pub(crate) fn close(self) -> Result<(), BridgeError> {
        SESSIONS.close(self.0).map(drop)
    }
}

/// Open sessions now.
pub(crate) fn open_count() -> usize {
    SESSIONS.count()
}
