//! `JNI_OnLoad`: runs once, on the thread that loads the library, inside `System.load`.

use std::ffi::c_void;
use std::panic;

use jni::JavaVM;
use jni::sys::{JNI_ERR, JNI_VERSION_1_8, jint};

use crate::{classes, panics};

/// Caches the classes while the right class loader is in reach. A failure makes `System.load` throw.
#[unsafe(no_mangle)]
pub(crate) extern "system" fn JNI_OnLoad(vm: *mut jni::sys::JavaVM, _reserved: *mut c_void) -> jint {
    panics::install_hook();
    let loaded = panic::catch_unwind(|| {
        // SAFETY: the JVM passes its own, valid pointer.
        let vm = unsafe { JavaVM::from_raw(vm) };
        vm.attach_current_thread(classes::load)
    });
    match loaded {
        Ok(Ok(())) => JNI_VERSION_1_8,
        Ok(Err(error)) => {
            eprintln!("firesteel: classes could not be looked up: {error}");
            JNI_ERR
        }
        Err(_) => JNI_ERR,
    }
}
