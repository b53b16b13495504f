//! The models of this process, by the SHA-256 of their file.
//!
//! The same content is loaded once, also when many tasks ask at the same time: the first loads, the others wait for
//! it. A failed load leaves nothing behind. Models stay until [`unload`]; the registry itself is never dropped.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use once_cell::sync::{Lazy, OnceCell};

use super::error::ModelError;
use super::onnx_model::{OnnxModel, sha256};

type Slot = Arc<OnceCell<Arc<OnnxModel>>>;

static MODELS: Lazy<Mutex<HashMap<String, Slot>>> = Lazy::new(Mutex::default);

fn models() -> MutexGuard<'static, HashMap<String, Slot>> {
    MODELS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The model with these bytes, loaded now or before.
///
/// # Errors
/// Those of [`OnnxModel::load`]; the next call tries again.
pub fn load(bytes: &[u8]) -> Result<Arc<OnnxModel>, ModelError> {
    let key = sha256(bytes);
    let slot = Arc::clone(models().entry(key.clone()).or_default());
    // Outside the table's lock: a slow model must not hold up the others.
    let loaded = slot.get_or_try_init(|| OnnxModel::load(bytes).map(Arc::new)).cloned();
    if loaded.is_err() {
        let mut models = models();
        if models.get(&key).is_some_and(|slot| slot.get().is_none()) {
            models.remove(&key);
        }
    }
    loaded
}

/// The model with this SHA-256 (hex, any case), if it is loaded.
pub fn get(sha256: &str) -> Option<Arc<OnnxModel>> {
    models().get(&sha256.to_ascii_lowercase()).and_then(|slot| slot.get().cloned())
}

/// Whether [`get`] would find it.
pub fn contains(sha256: &str) -> bool {
    get(sha256).is_some()
}

/// All that are loaded, in no order.
pub(super) fn all() -> Vec<Arc<OnnxModel>> {
    models().values().filter_map(|slot| slot.get().cloned()).collect()
}

/// Forgets a model. Its memory is freed when the last scorer that uses it is gone.
pub fn unload(sha256: &str) -> bool {
    models().remove(&sha256.to_ascii_lowercase()).is_some_and(|slot| slot.get().is_some())
}
