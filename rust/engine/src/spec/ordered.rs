//! Serde for maps that keep the order of the file.
//!
//! Written out because `indexmap`'s own serde feature would be switched on for every crate in the build that
//! shares it.

use std::fmt;
use std::marker::PhantomData;

use indexmap::IndexMap;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde::ser::{Serialize, Serializer};

/// Write the entries in order.
pub(super) fn serialize<S: Serializer, V: Serialize>(map: &IndexMap<String, V>, to: S) -> Result<S::Ok, S::Error> {
    to.collect_map(map)
}

/// Read the entries in order; a key that occurs twice is an error.
pub(super) fn deserialize<'de, D, V>(from: D) -> Result<IndexMap<String, V>, D::Error>
where
    D: Deserializer<'de>,
    V: Deserialize<'de>,
{
    struct Entries<V>(PhantomData<V>);

    impl<'de, V: Deserialize<'de>> Visitor<'de> for Entries<V> {
        type Value = IndexMap<String, V>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a map")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Self::Value, A::Error> {
            let mut map = IndexMap::new();
            while let Some((key, value)) = access.next_entry::<String, V>()? {
                if map.contains_key(&key) {
                    return Err(serde::de::Error::custom(format_args!("the key {key} occurs twice")));
                }
                map.insert(key, value);
            }
            Ok(map)
        }
    }

    from.deserialize_map(Entries(PhantomData))
}
