//! The `log` crate's lines, handed to SLF4J through `NativeLog.log`.
//!
//! The level is asked for once and cached by the `log` crate, so a line below it costs one comparison. A thread that
//! the JVM does not know is attached as a daemon, so that it never keeps the JVM from exiting, and detached when it
//! ends; a thread that somebody else attached is left as it is.

use std::cell::Cell;
use std::ptr;

use jni::objects::{JString, JValue};
use jni::signature::{Primitive, ReturnType};
use jni::sys;
use jni::{Env, JavaVM};
use log::{Level, LevelFilter, Log, Metadata, Record};

use crate::classes;

struct Slf4j;

static LOGGER: Slf4j = Slf4j;

/// Sends log lines to Java from now on. `level` is `NativeLog.level()`'s number.
pub(crate) fn install(level: i32) {
    let filter = match level {
        i32::MIN..=0 => LevelFilter::Off,
        1 => LevelFilter::Error,
        2 => LevelFilter::Warn,
        3 => LevelFilter::Info,
        4 => LevelFilter::Debug,
        _ => LevelFilter::Trace,
    };
    // A second call finds the logger in place; only the level changes then.
    let _ = log::set_logger(&LOGGER);
    log::set_max_level(filter);
}

/// `NativeLog.log`'s numbers back into levels.
pub(crate) fn level(number: i32) -> Level {
    match number {
        1 => Level::Error,
        2 => Level::Warn,
        3 => Level::Info,
        4 => Level::Debug,
        _ => Level::Trace,
    }
}

thread_local! {
    /// True while this thread is inside a log call: what Java logs while logging must not come back here.
    static INSIDE: Cell<bool> = const { Cell::new(false) };
    static ATTACHED: Attached = const { Attached(Cell::new(false)) };
}

impl Log for Slf4j {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        // jni's own chatter about attaching would recurse for ever.
        metadata.level() <= log::max_level() && !metadata.target().starts_with("jni")
    }

    fn log(&self, record: &Record<'_>) {
        if !self.enabled(record.metadata()) || INSIDE.replace(true) {
            return;
        }
        if send(record).is_err() {
            eprintln!("firesteel {} {}: {}", record.level(), record.target(), record.args());
        }
        INSIDE.set(false);
    }

    fn flush(&self) {}
}

fn send(record: &Record<'_>) -> jni::errors::Result<()> {
    let vm = JavaVM::singleton()?;
    if !vm.is_thread_attached()? {
        attach_as_daemon(&vm)?;
    }
    // On an attached thread this pushes a frame and sets a pending exception aside.
    vm.attach_current_thread(|env| call(env, record))
}

fn call(env: &mut Env<'_>, record: &Record<'_>) -> jni::errors::Result<()> {
    let Some(classes) = classes::get() else {
        return Err(jni::errors::Error::UninitializedJavaVM);
    };
    let module: JString<'_> = env.new_string(record.target())?;
    let message: JString<'_> = env.new_string(record.args().to_string())?;
    let arguments = [
        JValue::Int(record.level() as i32).as_jni(),
        JValue::Object(&module).as_jni(),
        JValue::Object(&message).as_jni(),
    ];
    // SAFETY: class and method id were looked up together with this very signature, and the class is kept alive.
    unsafe {
        env.call_static_method_unchecked(
            &classes.log,
            classes.log_method,
            ReturnType::Primitive(Primitive::Void),
            &arguments,
        )?;
    }
    Ok(())
}

/// Set if this thread was attached here; detaches when the thread ends.
struct Attached(Cell<bool>);

impl Drop for Attached {
    fn drop(&mut self) {
        if self.0.get()
            && let Ok(vm) = JavaVM::singleton()
        {
            // An error leaves the thread attached as a daemon, which is harmless.
            let _ = vm.detach_current_thread();
        }
    }
}

fn attach_as_daemon(vm: &JavaVM) -> jni::errors::Result<()> {
    let raw = vm.get_raw();
    let mut env = ptr::null_mut();
    // SAFETY: `raw` is the running JVM's own table; a null third argument asks for the default thread group and name.
    let code = unsafe { ((**raw).v1_4.AttachCurrentThreadAsDaemon)(raw, &raw mut env, ptr::null_mut()) };
    if code != sys::JNI_OK {
        return Err(jni::errors::Error::JniCall(jni::errors::JniError::Other(code)));
    }
    ATTACHED.with(|attached| attached.0.set(true));
    Ok(())
}
