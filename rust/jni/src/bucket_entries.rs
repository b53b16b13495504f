//! The entries of `io.firesteel.spark.bridge.NativeBucketCalls`, in its order.
//!
//! | entry | borrows | gives away | freed by |
//! |---|---|---|---|
//! | `open`, `openLast` | its arguments, for the call | a handle | `close` |
//! | `nextRows` | – | what the output struct holds | the next `nextRows`, `release` |
//! | `add`, `over`, `runWhole` | its arguments, for the call | – | – |
//! | `begin`, `run`, `next` | its arguments, for the call | bytes | the JVM's collector |
//! | `cancel` | – | – | – |
//!
//! Every entry may be called from any attached thread. A stale handle is a `FiresteelException`.

use firesteel_engine::pipeline::Order;
use jni::objects::{JBooleanArray, JByteArray, JClass, JString};
use jni::sys::{jboolean, jint, jlong};
use jni::{Env, NativeMethod, native_method};

use crate::bucket::BucketSession;
use crate::entries::text;
use crate::error::BridgeError;
use crate::handle::{Handle, Table};
use crate::policy::ThrowTyped;

type Entry<T> = Result<T, BridgeError>;

static BUCKETS: Table<BucketSession> = Table::new();

/// Declares one entry; it is checked against its Java signature when compiling and exported under its JNI name.
macro_rules! entry {
    ($($signature:tt)*) => {
        const _: NativeMethod = native_method! {
            java_type = "io.firesteel.spark.bridge.NativeBucketCalls",
            error_policy = ThrowTyped,
            type_map = { unsafe Handle => long },
            static extern $($signature)*,
        };
    };
}

entry!(fn prepare_parts(yaml: JString, file: JString, found: JString[], typed: jboolean, buckets: jint, stream: jboolean) -> JString);
entry!(fn open(call: JString, buckets: jint, by_time: jboolean) -> Handle);
entry!(fn open_last(call: JString, buckets: jint) -> Handle);
entry!(fn add(handle: Handle, piece: jbyte[]));
entry!(fn begin(handle: Handle, number: jint, book: jbyte[], held: jbyte[]) -> jbyte[]);
entry!(fn run(handle: Handle, kept: jbyte[]) -> jbyte[]);
entry!(fn next(handle: Handle) -> jbyte[]);
entry!(fn run_whole(handle: Handle));
entry!(fn next_rows(handle: Handle, output: jlong) -> jlong);
entry!(fn over(handle: Handle, kept: jbyte[], into: jboolean[]));
entry!(fn cancel(handle: Handle));
entry!(fn close(handle: Handle));

#[allow(clippy::too_many_arguments, reason = "as Java declares it")]
fn prepare_parts<'local>(
    env: &mut Env<'local>,
    _: JClass<'local>,
    yaml: JString<'local>,
    file: JString<'local>,
    found: jni::objects::JObjectArray<'local, JString<'local>>,
    typed: jboolean,
    buckets: jint,
    stream: jboolean,
) -> Entry<JString<'local>> {
    let found = crate::entries::texts(env, &found)?;
    let (yaml, file) = (text(env, &yaml)?, text(env, &file)?);
    let json = crate::engine::prepare_parts(&yaml, &file, &found, typed, buckets.unsigned_abs(), stream)?;
    Ok(env.new_string(json)?)
}

fn open<'local>(
    env: &mut Env<'local>,
    _: JClass<'local>,
    call: JString<'local>,
    buckets: jint,
    by_time: jboolean,
) -> Entry<Handle> {
    let order = if by_time { Order::Time } else { Order::Arrival };
    Ok(BUCKETS.open(BucketSession::open(&text(env, &call)?, buckets.unsigned_abs(), order)?))
}

fn open_last<'local>(env: &mut Env<'local>, _: JClass<'local>, call: JString<'local>, buckets: jint) -> Entry<Handle> {
    Ok(BUCKETS.open(BucketSession::open_last(&text(env, &call)?, buckets.unsigned_abs())?))
}

fn add<'local>(env: &mut Env<'local>, _: JClass<'local>, handle: Handle, piece: JByteArray<'local>) -> Entry<()> {
    let piece = env.convert_byte_array(&piece)?;
    BUCKETS.get(handle)?.add(piece)
}

fn begin<'local>(
    env: &mut Env<'local>,
    _: JClass<'local>,
    handle: Handle,
    number: jint,
    book: JByteArray<'local>,
    held: JByteArray<'local>,
) -> Entry<JByteArray<'local>> {
    let (book, held) = (env.convert_byte_array(&book)?, env.convert_byte_array(&held)?);
    let keys = BUCKETS.get(handle)?.begin(number.unsigned_abs(), &book, &held)?;
    array(env, &keys)
}

fn run<'local>(
    env: &mut Env<'local>,
    _: JClass<'local>,
    handle: Handle,
    kept: JByteArray<'local>,
) -> Entry<JByteArray<'local>> {
    let kept = env.convert_byte_array(&kept)?;
    let result = BUCKETS.get(handle)?.run(&kept)?;
    array(env, &result)
}

fn next<'local>(env: &mut Env<'local>, _: JClass<'local>, handle: Handle) -> Entry<JByteArray<'local>> {
    let piece = BUCKETS.get(handle)?.next()?;
    array(env, &piece)
}

fn run_whole<'local>(_: &mut Env<'local>, _: JClass<'local>, handle: Handle) -> Entry<()> {
    BUCKETS.get(handle)?.run_whole()
}

fn next_rows<'local>(_: &mut Env<'local>, _: JClass<'local>, handle: Handle, output: jlong) -> Entry<jlong> {
    // SAFETY: Java's `OutputStruct` owns the struct there, which is zeroed or released.
    unsafe { BUCKETS.get(handle)?.next_rows(output) }
}

/// The JVM's arrays end at 2 GiB.
fn array<'local>(env: &mut Env<'local>, bytes: &[u8]) -> Entry<JByteArray<'local>> {
    if i32::try_from(bytes.len()).is_err() {
        return Err(BridgeError::BucketTooLarge(bytes.len()));
    }
    Ok(env.byte_array_from_slice(bytes)?)
}

fn over<'local>(
    env: &mut Env<'local>,
    _: JClass<'local>,
    handle: Handle,
    kept: JByteArray<'local>,
    into: JBooleanArray<'local>,
) -> Entry<()> {
    let kept = env.convert_byte_array(&kept)?;
    let over: Vec<jboolean> = BUCKETS.get(handle)?.over(&kept)?;
    Ok(into.set_region(env, 0, &over)?)
}

fn cancel<'local>(_: &mut Env<'local>, _: JClass<'local>, handle: Handle) -> Entry<()> {
    BUCKETS.get(handle)?.cancel();
    Ok(())
}

fn close<'local>(_: &mut Env<'local>, _: JClass<'local>, handle: Handle) -> Entry<()> {
    BUCKETS.close(handle)
}

/// Open blocks now.
pub(crate) fn open_count() -> usize {
    BUCKETS.count()
}
