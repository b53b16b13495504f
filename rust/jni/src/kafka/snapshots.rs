//! The snapshots of a query's checkpoint: `io.firesteel.spark.bridge.SnapshotStore`, called from here.

use firesteel_engine::state::home::{Place, SnapshotStore, Stored};
use jni::objects::{JByteArray, JLongArray, JObject, JValue};
use jni::{Env, jni_sig, jni_str};

use crate::error::{BridgeError, internal};

/// A Java object that lists, reads, writes and removes, for the length of one call of ours. An exception that it throws
/// stays pending and is what our caller gets: nothing here calls Java again after one.
pub(crate) struct JavaStore<'a, 'local> {
    env: &'a mut Env<'local>,
    store: &'a JObject<'local>,
}

/// Local references of a call: arguments, result, the object's class.
const FRAME: usize = 8;

impl<'a, 'local> JavaStore<'a, 'local> {
    /// `None` if there is no store: nothing is kept.
    pub(crate) fn new(env: &'a mut Env<'local>, store: &'a JObject<'local>) -> Option<Self> {
        (!store.is_null()).then_some(Self { env, store })
    }
}

impl SnapshotStore for JavaStore<'_, '_> {
    type Error = BridgeError;

    fn list(&mut self, place: &Place) -> Result<Vec<Stored>, BridgeError> {
        self.env.with_local_frame(FRAME, |env| {
            let topic = env.new_string(&place.topic)?;
            let listed = env
                .call_method(
                    self.store,
                    jni_str!("list"),
                    jni_sig!((topic: JString, partition: jint) -> jlong[]),
                    &[JValue::Object(&topic), JValue::Int(place.partition)],
                )?
                .into_object()?;
            let listed = env.cast_local::<JLongArray<'_>>(listed)?;
            let mut numbers = vec![0; listed.len(env)?];
            listed.get_region(env, 0, &mut numbers)?;
            let (pairs, rest) = numbers.as_chunks::<2>();
            if !rest.is_empty() {
                return Err(internal("a list of snapshots that are not pairs"));
            }
            let stored = |[version, bytes]: &[i64; 2]| Stored { version: *version, bytes: bytes.unsigned_abs() };
            Ok(pairs.iter().map(stored).collect())
        })
    }

    fn read(&mut self, place: &Place, version: i64) -> Result<Option<Vec<u8>>, BridgeError> {
        self.env.with_local_frame(FRAME, |env| {
            let topic = env.new_string(&place.topic)?;
            let saved = env
                .call_method(
                    self.store,
                    jni_str!("read"),
                    jni_sig!((topic: JString, partition: jint, version: jlong) -> jbyte[]),
                    &[JValue::Object(&topic), JValue::Int(place.partition), JValue::Long(version)],
                )?
                .into_object()?;
            if saved.is_null() {
                return Ok(None);
            }
            let saved = env.cast_local::<JByteArray<'_>>(saved)?;
            Ok(Some(env.convert_byte_array(&saved)?))
        })
    }

    fn write(&mut self, place: &Place, version: i64, saved: &[u8]) -> Result<(), BridgeError> {
        self.env.with_local_frame(FRAME, |env| {
            let (topic, saved) = (env.new_string(&place.topic)?, env.byte_array_from_slice(saved)?);
            let arguments =
                [JValue::Object(&topic), JValue::Int(place.partition), JValue::Long(version), JValue::Object(&saved)];
            env.call_method(
                self.store,
                jni_str!("write"),
                jni_sig!((topic: JString, partition: jint, version: jlong, saved: jbyte[]) -> void),
                &arguments,
            )?;
            Ok(())
        })
    }

    fn remove(&mut self, place: &Place, version: i64) -> Result<(), BridgeError> {
        self.env.with_local_frame(FRAME, |env| {
            let topic = env.new_string(&place.topic)?;
            env.call_method(
                self.store,
                jni_str!("remove"),
                jni_sig!((topic: JString, partition: jint, version: jlong) -> void),
                &[JValue::Object(&topic), JValue::Int(place.partition), JValue::Long(version)],
            )?;
            Ok(())
        })
    }
}
