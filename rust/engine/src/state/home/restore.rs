//! Taking up a snapshot.

use super::homes::{Kept, Place};
use super::store::{SnapshotStore, Stored};
use crate::state::{RestoreError, Windows};

/// Why no snapshot was taken up.
#[derive(Debug)]
pub enum TakeUpError<E> {
    /// The store failed.
    Store(E),
    /// The pipeline can't go on with what is there: [`RestoreError::Incompatible`].
    Restore(RestoreError),
}

/// The newest snapshot that is whole and of a version after `after`, but not after `from`.
///
/// A damaged one is passed over, and left for whoever wants to look at it: the next snapshot of its version is written
/// over it, or it grows old.
pub(super) fn newest<S: SnapshotStore>(
    windows: &Windows,
    store: &mut S,
    place: &Place,
    after: i64,
    from: i64,
) -> Result<Option<Kept>, TakeUpError<S::Error>> {
    let mut stored = store.list(place).map_err(TakeUpError::Store)?;
    stored.retain(|stored| stored.version > after && stored.version <= from);
    stored.sort_unstable_by_key(|stored| std::cmp::Reverse(stored.version));
    for Stored { version, .. } in stored {
        // Another process may have let it go meanwhile: then there are newer ones that are whole.
        let Some(saved) = store.read(place, version).map_err(TakeUpError::Store)? else { continue };
        let Place { topic, partition, .. } = place;
        match windows.restored(&saved) {
            Ok(state) => {
                log::info!("{topic}-{partition}: state of offset {version} restored, {} bytes", saved.len());
                let saved_events = state.events();
                return Ok(Some(Kept { state, version, saved_events }));
            }
            Err(RestoreError::Damaged(why)) => log::warn!(
                "STATE_DAMAGED: {topic}-{partition}: the snapshot of offset {version}, {} bytes, is passed over: {why}",
                saved.len()
            ),
            Err(error) => return Err(TakeUpError::Restore(error)),
        }
    }
    Ok(None)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
pub(super) mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use arrow::array::{Int64Array, RecordBatch, TimestampMicrosecondArray};
    use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};

    use super::super::writer::{Snapshot, write};
    use super::*;
    use crate::spec::WindowSpec;

    fn schema() -> SchemaRef {
        Arc::new(Schema::new(vec![
            Field::new("k", DataType::Int64, true),
            Field::new("t", DataType::Timestamp(TimeUnit::Microsecond, None), true),
        ]))
    }

    pub(in crate::state::home) fn windows() -> Windows {
        let spec: WindowSpec =
            serde_json::from_str(r#"{"key": "k", "time": "t", "over": ["1 day"], "compute": {"n": "count(*)"}}"#)
                .unwrap();
        Windows::try_new(&[spec], &schema()).unwrap()
    }

    #[derive(Default)]
    pub(in crate::state::home) struct Memory(BTreeMap<i64, Vec<u8>>);

    impl SnapshotStore for Memory {
        type Error = ();

        fn list(&mut self, _: &Place) -> Result<Vec<Stored>, ()> {
            Ok(self.0.iter().map(|(version, saved)| Stored { version: *version, bytes: saved.len() as u64 }).collect())
        }

        fn read(&mut self, _: &Place, version: i64) -> Result<Option<Vec<u8>>, ()> {
            Ok(self.0.get(&version).cloned())
        }

        fn write(&mut self, _: &Place, version: i64, saved: &[u8]) -> Result<(), ()> {
            self.0.insert(version, saved.to_vec());
            Ok(())
        }

        fn remove(&mut self, _: &Place, version: i64) -> Result<(), ()> {
            self.0.remove(&version);
            Ok(())
        }
    }

    #[test]
    fn a_torn_snapshot_is_passed_over_wherever_it_is_torn_and_written_anew() {
        let mut windows = windows();
        let place = Place { home: "h".to_owned(), topic: "t".to_owned(), partition: 0 };
        let mut store = Memory::default();
        let mut whole = None;
        for version in 1..=2 {
            let (key, time) = (Int64Array::from(vec![version; 3]), TimestampMicrosecondArray::from(vec![version; 3]));
            windows.process(RecordBatch::try_new(schema(), vec![Arc::new(key), Arc::new(time)]).unwrap()).unwrap();
            let saved = windows.state().save().unwrap();
            let snapshot = Snapshot { place: place.clone(), version, keys: 1, saved };
            write(&mut store, &snapshot).unwrap();
            whole = Some(snapshot);
        }
        let whole = whole.unwrap();
        let find = |store: &mut Memory, after, from| {
            newest(&windows, store, &place, after, from).unwrap().map(|kept| (kept.version, kept.state.events()))
        };
        assert_eq!(find(&mut store, 0, 9), Some((2, 6)));
        assert_eq!(find(&mut store, 0, 1), Some((1, 3)));
        assert_eq!(find(&mut store, 1, 1), None);
        for length in 0..whole.saved.len() {
            store.0.insert(2, whole.saved[..length].to_vec());
            assert_eq!(find(&mut store, 0, 9), Some((1, 3)), "{length} of {} bytes", whole.saved.len());
        }
        write(&mut store, &whole).unwrap();
        assert_eq!(find(&mut store, 0, 9), Some((2, 6)));
        for at in 0..whole.saved.len() {
            let mut rotten = whole.saved.clone();
            rotten[at] ^= 1;
            store.0.insert(2, rotten);
            assert_eq!(find(&mut store, 0, 9), Some((1, 3)), "byte {at}");
        }
    }
}
