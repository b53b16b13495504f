//! `BINARY` columns: base64 text with the standard alphabet and padding (RFC 4648 section 4).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::decode::fault::{Fault, Parsed};

/// Appends the bytes that `text` stands for.
pub(in crate::decode) fn decode_into(text: &[u8], bytes: &mut Vec<u8>) -> Parsed<()> {
    STANDARD.decode_vec(text, bytes).map_err(|_| Fault::wrong_type(0, "a string that is not base64"))
}
