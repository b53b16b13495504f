//! Numbers that stand for sessions on the Java side.
//!
//! A handle is a key into a table, never an address: one that was closed, closed twice or made up finds nothing and
//! becomes an exception. Zero is never used; numbers are not reused. Any thread may use a handle; a session is freed
//! when it is closed and the last call in it has returned.

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
static OPEN: LazyLock<Mutex<HashMap<i64, Arc<Session>>>> = LazyLock::new(Mutex::default);

fn open_sessions() -> MutexGuard<'static, HashMap<i64, Arc<Session>>> {
    // Nothing that could panic runs under this lock.
    OPEN.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Handle {
    /// Enters a session into the table.
    pub(crate) fn open(session: Session) -> Self {
        let handle = Self(NEXT.fetch_add(1, Ordering::Relaxed));
        open_sessions().insert(handle.0, Arc::new(session));
        handle
    }

    /// The session of an open handle.
    pub(crate) fn session(self) -> Result<Arc<Session>, BridgeError> {
        open_sessions().get(&self.0).cloned().ok_or(BridgeError::StaleHandle(self.0))
    }

    /// Takes the session out of the table.
    pub(crate) fn close(self) -> Result<(), BridgeError> {
        let session = open_sessions().remove(&self.0);
        // Dropped outside the lock: freeing a runner may take a while.
        session.map(drop).ok_or(BridgeError::StaleHandle(self.0))
    }
}

/// Open handles now.
pub(crate) fn open_count() -> usize {
    open_sessions().len()
}
