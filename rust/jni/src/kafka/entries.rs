//! The entries of `io.firesteel.spark.bridge.NativeKafka`, in its order.
//!
//! | entry | borrows | gives away | freed by |
//! |---|---|---|---|
//! | `connect`, `readerOpen` | its arguments, for the call | a number | `disconnect`, `readerClose` |
//! | `ask` | its arguments, for the call | a string | the JVM's collector |
//! | `stateSave` | its arguments, for the call; calls the store back | – | – |
//! | `readerNext` | – | what the output struct holds | the next `readerNext`, `release` |
//!
//! Every entry may be called from any attached thread. A stale number is a `FiresteelException`.

use firesteel_kafka::Cluster;
use jni::objects::{JClass, JLongArray, JObject, JString};
use jni::sys::{jint, jlong};
use jni::{Env, NativeMethod, native_method};

use super::cluster;
use super::homes;
use super::reader::ReaderSession;
use super::snapshots::JavaStore;
use crate::entries::text;
use crate::error::{BridgeError, internal};
use crate::handle::{Handle, Table};
use crate::policy::ThrowTyped;

type Entry<T> = Result<T, BridgeError>;

static CLUSTERS: Table<Cluster> = Table::new();
static READERS: Table<ReaderSession> = Table::new();

/// Declares one entry; it is checked against its Java signature when compiling and exported under its JNI name.
macro_rules! entry {
    ($($signature:tt)*) => {
        const _: NativeMethod = native_method! {
            java_type = "io.firesteel.spark.bridge.NativeKafka",
            error_policy = ThrowTyped,
            type_map = { unsafe Handle => long },
            static extern $($signature)*,
        };
    };
}

entry!(fn connect(settings: JString, patience_millis: jlong) -> Handle);
entry!(fn ask(cluster: Handle, question: JString) -> JString);
entry!(fn disconnect(cluster: Handle));
entry!(fn reader_open(
    request: JString,
    call: JString,
    state: JString,
    store: io.firesteel.spark.bridge.SnapshotStore
) -> Handle);
entry!(fn reader_next(reader: Handle, output: jlong) -> jlong);
entry!(fn reader_metrics(reader: Handle, into: jlong[]));
entry!(fn reader_cancel(reader: Handle));
entry!(fn reader_close(reader: Handle));
entry!(fn forget(source: JString));
entry!(fn idle_consumers() -> jint);
entry!(fn state_save(home: JString, events: jlong, store: io.firesteel.spark.bridge.SnapshotStore));
entry!(fn state_size(home: JString) -> JString);
entry!(fn state_forget(home: JString));

fn connect<'local>(
    env: &mut Env<'local>,
    _: JClass<'local>,
    settings: JString<'local>,
    patience_millis: jlong,
) -> Entry<Handle> {
    Ok(CLUSTERS.open(cluster::connect(&text(env, &settings)?, patience_millis)?))
}

fn ask<'local>(
    env: &mut Env<'local>,
    _: JClass<'local>,
    cluster: Handle,
    question: JString<'local>,
) -> Entry<JString<'local>> {
    let answer = cluster::answer(&*CLUSTERS.get(cluster)?, &text(env, &question)?)?;
    Ok(env.new_string(answer)?)
}

fn disconnect<'local>(_: &mut Env<'local>, _: JClass<'local>, cluster: Handle) -> Entry<()> {
    CLUSTERS.close(cluster)
}

fn reader_open<'local>(
    env: &mut Env<'local>,
    _: JClass<'local>,
    request: JString<'local>,
    call: JString<'local>,
    state: JString<'local>,
    store: JObject<'local>,
) -> Entry<Handle> {
    let (request, call, state) = (text(env, &request)?, text(env, &call)?, text(env, &state)?);
    let mut store = JavaStore::new(env, &store);
    Ok(READERS.open(ReaderSession::open(&request, &call, &state, store.as_mut())?))
}

fn reader_next<'local>(_: &mut Env<'local>, _: JClass<'local>, reader: Handle, output: jlong) -> Entry<jlong> {
    let reader = READERS.get(reader)?;
    // SAFETY: `KafkaReader` passes its own output struct, and holds its lock meanwhile.
    unsafe { reader.next(output) }
}

fn reader_metrics<'local>(
    env: &mut Env<'local>,
    _: JClass<'local>,
    reader: Handle,
    into: JLongArray<'local>,
) -> Entry<()> {
    Ok(into.set_region(env, 0, &READERS.get(reader)?.metrics())?)
}

fn reader_cancel<'local>(_: &mut Env<'local>, _: JClass<'local>, reader: Handle) -> Entry<()> {
    READERS.get(reader)?.cancel();
    Ok(())
}

fn reader_close<'local>(_: &mut Env<'local>, _: JClass<'local>, reader: Handle) -> Entry<()> {
    let open = READERS.get(reader)?;
    READERS.close(reader)?;
    open.close();
    Ok(())
}

fn forget<'local>(env: &mut Env<'local>, _: JClass<'local>, source: JString<'local>) -> Entry<()> {
    firesteel_kafka::forget(&text(env, &source)?);
    Ok(())
}

fn idle_consumers<'local>(_: &mut Env<'local>, _: JClass<'local>) -> Entry<jint> {
    Ok(jint::try_from(firesteel_kafka::idle_consumers()).unwrap_or(jint::MAX))
}

fn state_save<'local>(
    env: &mut Env<'local>,
    _: JClass<'local>,
    home: JString<'local>,
    events: jlong,
    store: JObject<'local>,
) -> Entry<()> {
    let home = text(env, &home)?;
    let mut store = JavaStore::new(env, &store).ok_or_else(|| internal("snapshots without a store"))?;
    homes::save(&home, u64::try_from(events).unwrap_or(0), &mut store)
}

fn state_size<'local>(env: &mut Env<'local>, _: JClass<'local>, home: JString<'local>) -> Entry<JString<'local>> {
    let size = homes::size(&text(env, &home)?);
    Ok(env.new_string(json(&size)?)?)
}

fn state_forget<'local>(env: &mut Env<'local>, _: JClass<'local>, home: JString<'local>) -> Entry<()> {
    homes::forget(&text(env, &home)?);
    Ok(())
}

fn json(value: &impl serde::Serialize) -> Entry<String> {
    serde_json::to_string(value).map_err(|e| internal(e.to_string()))
}
