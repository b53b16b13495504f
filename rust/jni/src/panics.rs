//! Keeps what a panic said and where, for the exception that Java sees.
//!
//! The payload of a panic has no location, and the hook has no thread's result: the hook writes the location into a
//! thread-local, and the policy on the same thread takes it out. A global slot would let two tasks swap their texts.

use std::any::Any;
use std::cell::RefCell;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;

thread_local! {
    static PLACE: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Replaces the standard hook, which writes to stderr, by one that remembers the place.
pub(crate) fn install_hook() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        panic::set_hook(Box::new(|info| {
            let place = info.location().map(|at| format!("{}:{}", at.file(), at.line()));
            // The exception says all of this again; a thread that no exception leaves has only this line.
            log::debug!("panic at {}", place.as_deref().unwrap_or("an unknown place"));
            PLACE.with_borrow_mut(|slot| *slot = place);
        }));
    });
}

/// The message for Java: what the panic said, literal or formatted, and where.
pub(crate) fn describe(payload: Box<dyn Any + Send>) -> String {
    let text = match payload.downcast_ref::<&'static str>() {
        Some(literal) => (*literal).to_owned(),
        None => match payload.downcast_ref::<String>() {
            Some(formatted) => formatted.clone(),
            None => "a payload that is no text".to_owned(),
        },
    };
    // Dropping a strange payload may itself panic; one panic at a time is enough.
    if let Err(second) = panic::catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        std::mem::forget(second);
    }
    let place = PLACE.with_borrow_mut(Option::take).unwrap_or_else(|| "an unknown place".to_owned());
    format!("PANIC: {text}, at {place}. This is a fault in Firesteel: please report it with the pipeline file")
}

#[cfg(test)]
#[allow(clippy::panic, clippy::unwrap_used)]
mod tests {
    use super::*;

    fn caught(f: impl FnOnce() + panic::UnwindSafe) -> String {
        install_hook();
        describe(panic::catch_unwind(f).unwrap_err())
    }

    #[test]
    fn keeps_literal_and_formatted_messages_with_their_place() {
        let seven = std::hint::black_box(7);
        let formatted = caught(|| panic!("seven is {seven}"));
        assert!(formatted.contains("seven is 7, at ") && formatted.contains("panics.rs:"), "{formatted}");
        assert!(caught(|| panic!("literal")).contains("PANIC: literal, at "));
        assert!(caught(|| panic::panic_any(7_u8)).contains("no text"));
    }

    #[test]
    fn a_panic_of_another_thread_does_not_lend_its_place() {
        let _ = std::thread::spawn(|| caught(|| panic!("elsewhere"))).join();
        assert!(describe(Box::new("here")).contains("here, at an unknown place"));
    }
}
