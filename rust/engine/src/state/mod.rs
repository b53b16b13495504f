//! Features with memory: windows over each key's events.
//!
//! Between features and models. [`Windows`] appends a column for each aggregate and window of each block; an event
//! sees what came before it under its key, and itself. One kernel serves batch, stream and command line; where the state
//! lives while nothing is worked on is their matter. Guarantees: 1. order kept; 2. rows in = rows kept + rows rejected;
//! 3. results are a function of the key's events in their order, however they are cut into batches: `exact` says why
//! sums are. Start at [`Windows::process`]; `docs/reference/windows.md` is the meaning.

mod acc;
mod aggregate;
mod block;
mod bucket;
mod codec;
mod exact;
mod groups;
mod history;
pub mod home;
mod key_state;
mod keys;
mod log;
mod map;
mod observe;
mod part;
mod result;
mod sketch;
mod slide;
mod snapshot;
mod stage;
mod step_codec;
mod store;
mod tail;
#[cfg(test)]
mod tests;
mod words;

pub(crate) use self::block::describe;
pub(crate) use self::bucket::KeyRows;
pub use self::bucket::{Bucket, BucketBook};
pub use self::codec::{Damaged, Layout};
pub use self::history::{Event, History, Summary, Value};
pub use self::keys::KeyPart;
pub use self::snapshot::{RestoreError, Snapshot};
pub use self::stage::{WindowState, Windows};
pub use self::step_codec::PartLayout;
