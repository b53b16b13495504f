//! Maps of the kernel: looked into once or more for every event.

/// A map whose hash is quick for short keys, and drawn anew in each process, so that nobody can choose keys that collide.
pub(super) type Map<K, V> = std::collections::HashMap<K, V, ahash::RandomState>;
