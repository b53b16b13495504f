//! The entries of `io.firesteel.spark.bridge.Native`, in its order.
//!
//! | entry | borrows | gives away | freed by |
//! |---|---|---|---|
//! | `init`, `machine`, `modelLoad`, `prepare…` | its arguments, for the call | a string | the JVM's collector |
//! | `open`, `selfTestSum`, `selfTestSlow` | its arguments, for the call | a handle | `close` |
//! | `process` | the input's memory, until its flag is set | what the output struct holds | the next `process`, `release` |
//! | `metrics`, `cancel` | – | – | – |
//!
//! Every entry may be called from any attached thread. A stale handle is a `FiresteelException`.

use std::path::Path;

use jni::objects::{JByteArray, JClass, JLongArray, JObject, JObjectArray, JString};
use jni::sys::{jboolean, jint, jlong};
use jni::{Env, NativeMethod, jni_sig, jni_str, native_method};

use crate::error::BridgeError;
use crate::handle::Handle;
use crate::policy::ThrowTyped;
use crate::{bucket_entries, counts, engine, ffi, handle, logging, producing, self_test};

type Entry<T> = Result<T, BridgeError>;

/// Declares one entry; it is checked against its Java signature when compiling and exported under its JNI name.
macro_rules! entry {
    ($($signature:tt)*) => {
        const _: NativeMethod = native_method! {
            java_type = "io.firesteel.spark.bridge.Native",
            error_policy = ThrowTyped,
            type_map = { unsafe Handle => long },
            static extern $($signature)*,
        };
    };
}

entry!(fn init(onnx_runtime: JString, log_level: jint) -> JString);
entry!(fn machine() -> JString);
entry!(fn model_load(model: jbyte[]) -> JString);
entry!(fn model_contains(sha256: JString) -> jboolean);
entry!(fn model_describe(sha256: JString) -> JString);
entry!(fn model_report() -> JString);
entry!(fn model_bytes() -> jlong);
entry!(fn spec_parse(yaml: JString, file: JString) -> JString);
entry!(fn model_fault(yaml: JString, file: JString, position: jint, message: JString, there: JString[]));
entry!(fn prepare_pipeline(yaml: JString, file: JString, sha256s: JString[], typed: jboolean) -> JString);
entry!(fn prepare_predict(model: JString, sha256: JString, names: JString[], types: JString[]) -> JString);
entry!(fn open(call: JString, input: JString) -> Handle);
entry!(fn process(handle: Handle, input: jlong, output: jlong) -> jlong);
entry!(fn metrics(handle: Handle, into: jlong[]));
entry!(fn cancel(handle: Handle));
entry!(fn close(handle: Handle));
entry!(fn release(array: jlong));
entry!(fn borrowed_release() -> jlong);
entry!(fn live_counts(into: jlong[]));
entry!(fn self_test_panic(kind: jint));
entry!(fn self_test_callback(target: java.lang.Runnable));
entry!(fn self_test_log(level: jint, message: JString));
entry!(fn self_test_sum(columns: jint) -> Handle);
entry!(fn self_test_slow(millis: jlong) -> Handle);

pub(crate) fn text(env: &Env<'_>, string: &JString<'_>) -> Entry<String> {
    Ok(string.try_to_string(env)?)
}

pub(crate) fn texts(env: &mut Env<'_>, array: &JObjectArray<'_, JString<'_>>) -> Entry<Vec<String>> {
    let mut strings = Vec::new();
    for i in 0..array.len(env)? {
        let element = array.get_element(env, i)?;
        strings.push(text(env, &element)?);
    }
    Ok(strings)
}

fn init<'local>(
    env: &mut Env<'local>,
    _: JClass<'local>,
    onnx_runtime: JString<'local>,
    log_level: jint,
) -> Entry<JString<'local>> {
    logging::install(log_level);
    engine::init(Path::new(&text(env, &onnx_runtime)?))?;
    Ok(env.new_string(env!("CARGO_PKG_VERSION"))?)
}

fn machine<'local>(env: &mut Env<'local>, _: JClass<'local>) -> Entry<JString<'local>> {
    Ok(env.new_string(engine::machine()?)?)
}

fn model_load<'local>(env: &mut Env<'local>, _: JClass<'local>, model: JByteArray<'local>) -> Entry<JString<'local>> {
    let bytes = env.convert_byte_array(&model)?;
    Ok(env.new_string(engine::load_model(&bytes)?)?)
}

fn model_contains<'local>(env: &mut Env<'local>, _: JClass<'local>, sha256: JString<'local>) -> Entry<jboolean> {
    Ok(engine::contains_model(&text(env, &sha256)?))
}

fn model_describe<'local>(env: &mut Env<'local>, _: JClass<'local>, sha256: JString<'local>) -> Entry<JString<'local>> {
    let description = engine::describe_model(&text(env, &sha256)?)?;
    Ok(env.new_string(description)?)
}

fn model_report<'local>(env: &mut Env<'local>, _: JClass<'local>) -> Entry<JString<'local>> {
    Ok(env.new_string(engine::model_report()?)?)
}

fn model_bytes<'local>(_: &mut Env<'local>, _: JClass<'local>) -> Entry<jlong> {
    Ok(engine::model_bytes())
}

fn spec_parse<'local>(
    env: &mut Env<'local>,
    _: JClass<'local>,
    yaml: JString<'local>,
    file: JString<'local>,
) -> Entry<JString<'local>> {
    let json = engine::parse_spec(&text(env, &yaml)?, &text(env, &file)?)?;
    Ok(env.new_string(json)?)
}

fn model_fault<'local>(
    env: &mut Env<'local>,
    _: JClass<'local>,
    yaml: JString<'local>,
    file: JString<'local>,
    position: jint,
    message: JString<'local>,
    there: JObjectArray<'local, JString<'local>>,
) -> Entry<()> {
    let there = texts(env, &there)?;
    let position = usize::try_from(position).unwrap_or_default();
    Err(engine::model_fault(&text(env, &yaml)?, &text(env, &file)?, position, &text(env, &message)?, &there))
}

fn prepare_pipeline<'local>(
    env: &mut Env<'local>,
    _: JClass<'local>,
    yaml: JString<'local>,
    file: JString<'local>,
    sha256s: JObjectArray<'local, JString<'local>>,
    typed: jboolean,
) -> Entry<JString<'local>> {
    let sha256s = texts(env, &sha256s)?;
    let json = engine::prepare_pipeline(&text(env, &yaml)?, &text(env, &file)?, &sha256s, typed)?;
    Ok(env.new_string(json)?)
}

fn prepare_predict<'local>(
    env: &mut Env<'local>,
    _: JClass<'local>,
    model: JString<'local>,
    sha256: JString<'local>,
    names: JObjectArray<'local, JString<'local>>,
    types: JObjectArray<'local, JString<'local>>,
) -> Entry<JString<'local>> {
    let arguments = texts(env, &names)?.into_iter().zip(texts(env, &types)?).collect();
    let json = engine::prepare_predict(&text(env, &model)?, &text(env, &sha256)?, arguments)?;
    Ok(env.new_string(json)?)
}

fn open<'local>(
    env: &mut Env<'local>,
    _: JClass<'local>,
    call: JString<'local>,
    input: JString<'local>,
) -> Entry<Handle> {
    let session = engine::open(&text(env, &call)?, &text(env, &input)?)?;
    Ok(Handle::open(session))
}

fn process<'local>(
    _: &mut Env<'local>,
    _: JClass<'local>,
    handle: Handle,
    input: jlong,
    output: jlong,
) -> Entry<jlong> {
    let session = handle.session()?;
    // SAFETY: `NativeRunner` passes its writer's lent block and its own output struct, and holds its lock meanwhile.
    unsafe { session.process(input, output) }
}

fn metrics<'local>(env: &mut Env<'local>, _: JClass<'local>, handle: Handle, into: JLongArray<'local>) -> Entry<()> {
    Ok(into.set_region(env, 0, &handle.session()?.metrics())?)
}

fn cancel<'local>(_: &mut Env<'local>, _: JClass<'local>, handle: Handle) -> Entry<()> {
    handle.session()?.cancel();
    Ok(())
}

fn close<'local>(_: &mut Env<'local>, _: JClass<'local>, handle: Handle) -> Entry<()> {
    handle.close()
}

fn release<'local>(_: &mut Env<'local>, _: JClass<'local>, array: jlong) -> Entry<()> {
    // SAFETY: `NativeRunner` passes its own output struct, under its lock.
    unsafe { ffi::release(array) };
    Ok(())
}

fn borrowed_release<'local>(_: &mut Env<'local>, _: JClass<'local>) -> Entry<jlong> {
    Ok(ffi::borrowed_release() as jlong)
}

fn live_counts<'local>(env: &mut Env<'local>, _: JClass<'local>, into: JLongArray<'local>) -> Entry<()> {
    let (batches, bytes) = counts::lent();
    let open = handle::open_count() + producing::open_count() + bucket_entries::open_count();
    Ok(into.set_region(env, 0, &[open as jlong, batches, bytes])?)
}

fn self_test_panic<'local>(_: &mut Env<'local>, _: JClass<'local>, kind: jint) -> Entry<()> {
    self_test::panic(kind);
    Ok(())
}

fn self_test_callback<'local>(env: &mut Env<'local>, _: JClass<'local>, target: JObject<'local>) -> Entry<()> {
    env.call_method(&target, jni_str!("run"), jni_sig!(() -> void), &[])?;
    Ok(())
}

fn self_test_log<'local>(env: &mut Env<'local>, _: JClass<'local>, level: jint, message: JString<'local>) -> Entry<()> {
    log::log!(target: "firesteel::self_test", logging::level(level), "{}", text(env, &message)?);
    Ok(())
}

fn self_test_sum<'local>(_: &mut Env<'local>, _: JClass<'local>, columns: jint) -> Entry<Handle> {
    Ok(Handle::open(self_test::sum(columns.unsigned_abs() as usize)))
}

fn self_test_slow<'local>(_: &mut Env<'local>, _: JClass<'local>, millis: jlong) -> Entry<Handle> {
    Ok(Handle::open(self_test::slow(millis.unsigned_abs())))
}
