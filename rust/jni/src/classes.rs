//! The Java classes that native code needs, looked up once in `JNI_OnLoad`.
//!
//! Only there does a lookup by name use the class loader that loaded us; a thread of ours, or a Spark executor whose
//! jars came with `--jars`, would ask the wrong one.

use jni::errors::Result;
use jni::ids::JStaticMethodID;
use jni::objects::JClass;
use jni::refs::Global;
use jni::strings::JNIStr;
use jni::{Env, jni_sig, jni_str};
use once_cell::sync::OnceCell;

/// Global references, kept for the life of the process.
pub(crate) struct Classes {
    /// Base of what we throw.
    pub(crate) exception: Global<JClass<'static>>,
    /// For pipeline files and calls that can never work.
    pub(crate) spec_exception: Global<JClass<'static>>,
    /// For a killed task.
    pub(crate) cancelled_exception: Global<JClass<'static>>,
    /// For a bug of ours.
    pub(crate) panic_exception: Global<JClass<'static>>,
    /// Takes log lines.
    pub(crate) log: Global<JClass<'static>>,
    /// `static void log(int, String, String)` of [`Classes::log`].
    pub(crate) log_method: JStaticMethodID,
}

static CLASSES: OnceCell<Classes> = OnceCell::new();

/// The classes; `None` only before `JNI_OnLoad` is through.
pub(crate) fn get() -> Option<&'static Classes> {
    CLASSES.get()
}

/// Looks everything up. Called from `JNI_OnLoad`.
pub(crate) fn load(env: &mut Env<'_>) -> Result<()> {
    CLASSES.get_or_try_init(|| {
        let log = global(env, jni_str!("io/firesteel/spark/bridge/NativeLog"))?;
        let log_method = env.get_static_method_id(
            &log,
            jni_str!("log"),
            jni_sig!((level: jint, module: JString, message: JString) -> void),
        )?;
        Ok::<_, jni::errors::Error>(Classes {
            exception: global(env, jni_str!("io/firesteel/spark/bridge/FiresteelException"))?,
            spec_exception: global(env, jni_str!("io/firesteel/spark/bridge/FiresteelSpecException"))?,
            cancelled_exception: global(env, jni_str!("io/firesteel/spark/bridge/FiresteelCancelledException"))?,
            panic_exception: global(env, jni_str!("io/firesteel/spark/bridge/FiresteelPanicException"))?,
            log,
            log_method,
        })
    })?;
    Ok(())
}

fn global(env: &mut Env<'_>, name: &JNIStr) -> Result<Global<JClass<'static>>> {
    let class = env.find_class(name)?;
    env.new_global_ref(class)
}
