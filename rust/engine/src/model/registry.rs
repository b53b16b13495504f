//! The models of this process, by the SHA-256 of their file.
//!
//! The same content is loaded once, also when many tasks ask at the same time: the first loads, the others wait for
//! it. A failed load leaves nothing behind. A stream that swaps models for months must not keep them all: whenever a new
//! one comes, those go that nothing uses and nobody has asked for in a while. The registry itself is never dropped.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use once_cell::sync::{Lazy, OnceCell};

use super::error::ModelError;
use super::onnx_model::{OnnxModel, sha256};

/// How long a model stays that nothing uses: between two micro-batches nothing may.
pub const KEPT: Duration = Duration::from_secs(600);

type Slot = Arc<OnceCell<Arc<OnnxModel>>>;

#[derive(Debug)]
struct Entry {
    slot: Slot,
    asked: Instant,
}

static MODELS: Lazy<Mutex<HashMap<String, Entry>>> = Lazy::new(Mutex::default);

fn models() -> MutexGuard<'static, HashMap<String, Entry>> {
    MODELS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The model with these bytes, loaded now or before.
///
/// # Errors
/// Those of [`OnnxModel::load`]; the next call tries again.
pub fn load(bytes: &[u8]) -> Result<Arc<OnnxModel>, ModelError> {
    let key = sha256(bytes);
    let slot = slot(&key);
    // Outside the table's lock: a slow model must not hold up the others.
    let loaded = slot.get_or_try_init(|| OnnxModel::load(bytes).map(Arc::new)).cloned();
    if loaded.is_err() {
        let mut models = models();
        if models.get(&key).is_some_and(|entry| entry.slot.get().is_none()) {
            models.remove(&key);
        }
    }
    loaded
}

/// The place of a content, made if it is new; then others make room.
fn slot(key: &str) -> Slot {
    if !models().contains_key(key) {
        forget_unused(KEPT);
    }
    let mut models = models();
    let entry = models.entry(key.to_owned()).or_insert_with(|| Entry { slot: Slot::default(), asked: Instant::now() });
    entry.asked = Instant::now();
    Arc::clone(&entry.slot)
}

/// The model with this SHA-256 (hex, any case), if it is loaded. It stays for [`KEPT`] at least.
pub fn get(sha256: &str) -> Option<Arc<OnnxModel>> {
    let mut models = models();
    let entry = models.get_mut(&sha256.to_ascii_lowercase())?;
    entry.asked = Instant::now();
    entry.slot.get().cloned()
}

/// Whether [`get`] would find it.
pub fn contains(sha256: &str) -> bool {
    get(sha256).is_some()
}

/// All that are loaded, in no order.
pub(super) fn all() -> Vec<Arc<OnnxModel>> {
    models().values().filter_map(|entry| entry.slot.get().cloned()).collect()
}

/// Forgets the models that nothing uses and that nobody has asked for in `age`; gives how many.
pub fn forget_unused(age: Duration) -> usize {
    let mut gone = Vec::new();
    models().retain(|_, entry| {
        let used = entry.slot.get().is_none_or(|model| Arc::strong_count(model) > 1);
        let stays = used || entry.asked.elapsed() < age;
        if !stays {
            gone.push(Arc::clone(&entry.slot));
        }
        stays
    });
    // Closing sessions takes a moment, and does so here, without the table's lock.
    gone.len()
}

/// Forgets a model. Its memory is freed when the last scorer that uses it is gone.
pub fn unload(sha256: &str) -> bool {
    models().remove(&sha256.to_ascii_lowercase()).is_some_and(|entry| entry.slot.get().is_some())
}
