//! How an entry's failure becomes a Java exception: the one error policy of this crate.

use std::any::Any;

use jni::Env;
use jni::errors::{Error, ErrorPolicy, Result};
use jni::objects::JClass;
use jni::refs::Global;
use jni::strings::JNIString;

use crate::classes::{self, Classes};
use crate::error::BridgeError;
use crate::panics;
use firesteel_engine::error::StageError;
use firesteel_kafka::KafkaFault;
use firesteel_kafka::producer::ProduceError;

/// Throws a typed exception with the Rust message and gives Java a default value that it never sees.
///
/// A Java exception that is pending already, because Java code called from here threw it, goes on as itself.
pub(crate) struct ThrowTyped;

impl<T: Default> ErrorPolicy<T, BridgeError> for ThrowTyped {
    type Captures<'unowned_env_local: 'native_method, 'native_method> = ();

    fn on_error<'unowned_env_local: 'native_method, 'native_method>(
        env: &mut Env<'unowned_env_local>,
        _captures: &mut (),
        error: BridgeError,
    ) -> Result<T> {
        if env.exception_check() {
            return Ok(T::default());
        }
        if let BridgeError::Jni(Error::CaughtJavaException { exception, .. }) = &error {
            return thrown(env.throw(exception));
        }
        throw(env, class_of(&error), &error.to_string())
    }

    fn on_panic<'unowned_env_local: 'native_method, 'native_method>(
        env: &mut Env<'unowned_env_local>,
        _captures: &mut (),
        payload: Box<dyn Any + Send + 'static>,
    ) -> Result<T> {
        let message = panics::describe(payload);
        if env.exception_check() {
            return Ok(T::default());
        }
        throw(env, |classes| &classes.panic_exception, &message)
    }
}

fn class_of(error: &BridgeError) -> fn(&Classes) -> &Global<JClass<'static>> {
    match error {
        BridgeError::Spec(_) => |classes| &classes.spec_exception,
        BridgeError::Stage(StageError::Cancelled { .. })
        | BridgeError::Kafka(KafkaFault::Cancelled)
        | BridgeError::Produce(ProduceError::Cancelled) => |classes| &classes.cancelled_exception,
        _ => |classes| &classes.exception,
    }
}

fn throw<T: Default>(env: &mut Env<'_>, class: fn(&Classes) -> &Global<JClass<'static>>, message: &str) -> Result<T> {
    let Some(classes) = classes::get() else {
        return thrown(env.throw(message));
    };
    thrown(env.throw_new(class(classes), JNIString::from(message)))
}

/// `throw` reports success as `Err(JavaException)`.
fn thrown<T: Default>(result: Result<()>) -> Result<T> {
    match result {
        Ok(()) | Err(Error::JavaException) => Ok(T::default()),
        Err(other) => Err(other),
    }
}
