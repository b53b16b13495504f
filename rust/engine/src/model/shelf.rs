//! The bytes that a model's further sessions are made from, kept out of memory.
//!
//! Once its first session is open, a model's file is seldom wanted again: for a session on another device or with more
//! threads. A large one would double the model's memory for nothing, so it waits in a file without a name.

use std::borrow::Cow;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::sync::{Mutex, PoisonError};

/// Below this, memory is cheaper than a file.
const SMALL: usize = 1 << 20;

/// Bytes of one file.
#[derive(Debug)]
pub(super) enum Shelf {
    /// Here.
    Memory(Vec<u8>),
    /// In a file that goes with the process.
    File(Mutex<File>),
}

impl Shelf {
    /// Puts bytes away. If there is no room for a file, they stay in memory.
    pub(super) fn new(bytes: Cow<'_, [u8]>) -> Self {
        if bytes.len() < SMALL {
            return Self::Memory(bytes.into_owned());
        }
        let stored = tempfile::tempfile().and_then(|mut file| file.write_all(&bytes).map(|()| file));
        match stored {
            Ok(file) => Self::File(Mutex::new(file)),
            Err(error) => {
                log::debug!("a model of {} bytes stays in memory: {error}", bytes.len());
                Self::Memory(bytes.into_owned())
            }
        }
    }

    /// Takes them out for a look.
    ///
    /// # Errors
    /// The file system's.
    pub(super) fn bytes(&self) -> io::Result<Cow<'_, [u8]>> {
        match self {
            Self::Memory(bytes) => Ok(Cow::Borrowed(bytes)),
            Self::File(file) => {
                let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
                let mut bytes = Vec::new();
                file.seek(SeekFrom::Start(0))?;
                file.read_to_end(&mut bytes)?;
                Ok(Cow::Owned(bytes))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn gives_what_was_put_away_again_and_again() {
        for size in [3, SMALL + 3] {
            let bytes: Vec<u8> = (0..size).map(|i| (i % 251) as u8).collect();
            let shelf = Shelf::new(Cow::Borrowed(&bytes));
            assert_eq!(matches!(shelf, Shelf::File(_)), size > SMALL);
            for _ in 0..2 {
                assert_eq!(shelf.bytes().unwrap(), bytes);
            }
        }
    }
}
