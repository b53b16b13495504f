//! The entries of `io.firesteel.spark.bridge.NativeProducerCalls`, in its order.
//!
//! | entry | borrows | gives away | freed by |
//! |---|---|---|---|
//! | `check` | its arguments, for the call | – | – |
//! | `open` | its arguments, for the call | a writer's handle | `close` |
//! | `openJson` | its arguments, for the call | a session's handle | `Native.close` |
//! | `send` | the input's memory, for the call | – | – |
//! | `flush`, `cancel` | – | – | – |
//!
//! Every entry may be called from any attached thread. A stale handle is a `FiresteelException`.

use jni::objects::{JClass, JLongArray, JString};
use jni::sys::{jint, jlong};
use jni::{Env, NativeMethod, native_method};

use crate::entries::text;
use crate::error::BridgeError;
use crate::handle::Handle;
use crate::policy::ThrowTyped;
use crate::producing::{self, WRITERS};

type Entry<T> = Result<T, BridgeError>;

/// Declares one entry; it is checked against its Java signature when compiling and exported under its JNI name.
macro_rules! entry {
    ($($signature:tt)*) => {
        const _: NativeMethod = native_method! {
            java_type = "io.firesteel.spark.bridge.NativeProducerCalls",
            error_policy = ThrowTyped,
            type_map = { unsafe Handle => long },
            static extern $($signature)*,
        };
    };
}

entry!(fn check(settings: JString, topic: JString, limit_millis: jlong) -> jint);
entry!(fn open(settings: JString, layout: JString, input: JString) -> Handle);
entry!(fn open_json(layout: JString, input: JString) -> Handle);
entry!(fn send(handle: Handle, input: jlong));
entry!(fn flush(handle: Handle, into: jlong[]));
entry!(fn cancel(handle: Handle));
entry!(fn close(handle: Handle));

fn check<'local>(
    env: &mut Env<'local>,
    _: JClass<'local>,
    settings: JString<'local>,
    topic: JString<'local>,
    limit_millis: jlong,
) -> Entry<jint> {
    let partitions = producing::check(&text(env, &settings)?, &text(env, &topic)?, limit_millis.unsigned_abs())?;
    Ok(jint::try_from(partitions).unwrap_or(jint::MAX))
}

fn open<'local>(
    env: &mut Env<'local>,
    _: JClass<'local>,
    settings: JString<'local>,
    layout: JString<'local>,
    input: JString<'local>,
) -> Entry<Handle> {
    producing::open(&text(env, &settings)?, &text(env, &layout)?, &text(env, &input)?)
}

fn open_json<'local>(
    env: &mut Env<'local>,
    _: JClass<'local>,
    layout: JString<'local>,
    input: JString<'local>,
) -> Entry<Handle> {
    Ok(Handle::open(producing::json(&text(env, &layout)?, &text(env, &input)?)?))
}

fn send<'local>(_: &mut Env<'local>, _: JClass<'local>, handle: Handle, input: jlong) -> Entry<()> {
    let writer = WRITERS.get(handle)?;
    // SAFETY: `NativeProducer` passes its writer's lent block and keeps it until this call returns.
    unsafe { writer.send(input) }
}

fn flush<'local>(env: &mut Env<'local>, _: JClass<'local>, handle: Handle, into: JLongArray<'local>) -> Entry<()> {
    let written = WRITERS.get(handle)?.flush()?;
    Ok(into.set_region(env, 0, &written)?)
}

fn cancel<'local>(_: &mut Env<'local>, _: JClass<'local>, handle: Handle) -> Entry<()> {
    WRITERS.get(handle)?.cancel();
    Ok(())
}

fn close<'local>(_: &mut Env<'local>, _: JClass<'local>, handle: Handle) -> Entry<()> {
    WRITERS.close(handle)
}
