//! Numbers as Java's `toString` gives them, which is what `to_json` writes.

use std::io::Write;

/// An integer.
pub(super) fn push_int(out: &mut Vec<u8>, value: impl itoa::Integer) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

/// `Double.toString`, in quotes where it is no number: JSON has no other way to say NaN.
pub(super) fn push_double(out: &mut Vec<u8>, value: f64) {
    if !value.is_finite() {
        push_no_number(out, value.is_nan(), value > 0.0);
    } else if is_plain(value.abs()) {
        out.extend_from_slice(ryu::Buffer::new().format_finite(value).as_bytes());
    } else {
        push_scientific(out, value.is_sign_negative(), &format!("{:e}", value.abs()), || {
            format!("{:.1e}", value.abs())
        });
    }
}

/// `Float.toString`.
pub(super) fn push_float(out: &mut Vec<u8>, value: f32) {
    if !value.is_finite() {
        push_no_number(out, value.is_nan(), value > 0.0);
    } else if is_plain(value.abs().into()) {
        out.extend_from_slice(ryu::Buffer::new().format_finite(value).as_bytes());
    } else {
        push_scientific(out, value.is_sign_negative(), &format!("{:e}", value.abs()), || {
            format!("{:.1e}", value.abs())
        });
    }
}

/// Where Java writes no exponent; there ryu writes none either.
fn is_plain(magnitude: f64) -> bool {
    magnitude == 0.0 || (1e-3..1e7).contains(&magnitude)
}

fn push_no_number(out: &mut Vec<u8>, is_nan: bool, is_positive: bool) {
    let text: &[u8] = match (is_nan, is_positive) {
        (true, _) => b"\"NaN\"",
        (false, true) => b"\"Infinity\"",
        (false, false) => b"\"-Infinity\"",
    };
    out.extend_from_slice(text);
}

/// `1.5e-7` as `1.5E-7` and `1e10` as `1.0E10`. Of a value that one digit would tell Java writes the nearest two:
/// it differs only among the smallest subnormals, where 4.9E-324 stands for 5e-324.
fn push_scientific(out: &mut Vec<u8>, is_negative: bool, shortest: &str, two_digits: impl Fn() -> String) {
    let owned;
    let digits = if shortest.contains('.') {
        shortest
    } else {
        owned = two_digits();
        &owned
    };
    if is_negative {
        out.push(b'-');
    }
    let (mantissa, exponent) = digits.split_once('e').unwrap_or((digits, "0"));
    out.extend_from_slice(mantissa.as_bytes());
    out.push(b'E');
    out.extend_from_slice(exponent.as_bytes());
}

/// `BigDecimal.toString`: an exponent for values so small that more than six zeros would lead.
pub(super) fn push_decimal(out: &mut Vec<u8>, unscaled: i128, scale: i8) {
    if unscaled < 0 {
        out.push(b'-');
    }
    let digits = unscaled.unsigned_abs().to_string();
    let (count, scale) = (digits.len() as i32, i32::from(scale));
    let adjusted = count - 1 - scale;
    if scale >= 0 && adjusted >= -6 {
        let point = count - scale;
        if scale == 0 {
            out.extend_from_slice(digits.as_bytes());
        } else if point > 0 {
            let (whole, fraction) = digits.split_at(point as usize);
            out.extend_from_slice(whole.as_bytes());
            out.push(b'.');
            out.extend_from_slice(fraction.as_bytes());
        } else {
            out.extend_from_slice(b"0.");
            out.resize(out.len() + point.unsigned_abs() as usize, b'0');
            out.extend_from_slice(digits.as_bytes());
        }
        return;
    }
    let (first, rest) = digits.split_at(1);
    out.extend_from_slice(first.as_bytes());
    if !rest.is_empty() {
        out.push(b'.');
        out.extend_from_slice(rest.as_bytes());
    }
    // Writing to a vector does not fail.
    let _ = if adjusted == 0 { Ok(()) } else { write!(out, "E{adjusted:+}") };
}
