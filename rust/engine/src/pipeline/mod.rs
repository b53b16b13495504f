//! Puts the stages in order and keeps the books.

mod call;
mod describe;
mod ledger;
mod rejected;

pub use call::{Argument, Call, InputMode, Prepared};
pub use ledger::{Ledger, Rejection};
pub use rejected::{REJECTED, rejected_field};
