//! What goes wrong on the way to a broker, in words for the person who can mend it.

use std::io::{self, ErrorKind};
use std::time::Duration;

use openssl::error::ErrorStack;
use openssl::ssl::{self, ErrorCode, SslAlert, SslRef, SslVerifyMode};
use openssl::x509::X509VerifyResult;

use super::super::WireError;
use super::super::security::words;

/// Alerts about our certificate (RFC 8446, section 6.2).
const OF_CERTIFICATE: [SslAlert; 9] = [
    SslAlert::NO_CERTIFICATE,
    SslAlert::BAD_CERTIFICATE,
    SslAlert::UNSUPPORTED_CERTIFICATE,
    SslAlert::CERTIFICATE_REVOKED,
    SslAlert::CERTIFICATE_EXPIRED,
    SslAlert::CERTIFICATE_UNKNOWN,
    SslAlert::UNKNOWN_CA,
    SslAlert::ACCESS_DENIED,
    SslAlert::CERTIFICATE_REQUIRED,
];
/// Alerts about what both sides must have in common.
const OF_AGREEMENT: [SslAlert; 4] = [
    SslAlert::HANDSHAKE_FAILURE,
    SslAlert::PROTOCOL_VERSION,
    SslAlert::INSUFFICIENT_SECURITY,
    SslAlert::UNRECOGNIZED_NAME,
];
/// OpenSSL's number for its own part about TLS, whose reasons beyond 1000 are alerts.
const SSL_LIBRARY: i32 = 20;

/// OpenSSL's numbers of what it finds wrong with certificates (`X509_V_ERR_*`): no authority that is known.
const UNKNOWN_AUTHORITY: [i32; 5] = [2, 18, 19, 20, 21];
/// For another name, or another address.
const OTHER_NAME: [i32; 2] = [62, 64];

/// An alert that says no for good, on its way through an [`io::Error`].
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Refusal(String);

/// An error of a [`super::Stream`]: what TLS refuses never heals by waiting.
pub(in crate::wire) fn wire_error(error: io::Error) -> WireError {
    let refusal = error.get_ref().and_then(|cause| cause.downcast_ref::<Refusal>());
    match refusal.map(|refusal| refusal.0.clone()) {
        Some(text) => WireError::Refused(text),
        None => WireError::Io(error),
    }
}

pub(super) fn is_refusal(error: &io::Error) -> bool {
    error.get_ref().is_some_and(|cause| cause.is::<Refusal>())
}

pub(super) fn closed() -> io::Error {
    io::Error::new(ErrorKind::UnexpectedEof, "the broker closed the connection")
}

/// The system has two names for an answer that takes too long, and both say little.
pub(super) fn in_words(error: io::Error, patience: Duration) -> io::Error {
    match error.kind() {
        ErrorKind::WouldBlock | ErrorKind::TimedOut => {
            let seconds = patience.as_millis() as f64 / 1000.0;
            io::Error::new(ErrorKind::TimedOut, format!("no answer within {seconds} s"))
        }
        _ => error,
    }
}

/// Why a handshake failed.
pub(super) fn of_handshake(error: ssl::Error, session: &SslRef, host: &str, patience: Duration) -> WireError {
    let verdict = session.verify_result();
    let checked = session.verify_mode().contains(SslVerifyMode::PEER);
    if checked && error.code() == ErrorCode::SSL && verdict != X509VerifyResult::OK {
        return WireError::Refused(distrust(verdict, host));
    }
    let error = in_words(of_session(error, session), patience);
    if is_refusal(&error) {
        return wire_error(error);
    }
    let text = format!("{error}, in TLS's handshake. Is this a port for TLS? Else see kafka.security.protocol");
    WireError::Io(io::Error::new(error.kind(), text))
}

/// Why a read or a write of a session failed.
pub(super) fn of_session(error: ssl::Error, session: &SslRef) -> io::Error {
    if let Some(alert) = alert_in(&error) {
        return alerted(alert, session.certificate().is_some());
    }
    match error.into_io_error() {
        Ok(error) => error,
        Err(error) => match error.ssl_error() {
            Some(stack) if !stack.errors().is_empty() && !is_end(stack) => {
                io::Error::other(format!("TLS: {}", words(stack)))
            }
            _ => closed(),
        },
    }
}

/// Whether OpenSSL complains that a connection ended without a farewell, which TLS wants and few give.
fn is_end(stack: &ErrorStack) -> bool {
    stack.errors().iter().any(|error| error.reason() == Some("unexpected eof while reading"))
}

fn alert_in(error: &ssl::Error) -> Option<SslAlert> {
    let mut of_tls = error.ssl_error()?.errors().iter().filter(|error| error.library_code() == SSL_LIBRARY);
    of_tls.find_map(|error| SslAlert::from_reason_code(error.reason_code()))
}

fn alerted(alert: SslAlert, we_show_a_certificate: bool) -> io::Error {
    let refused = if OF_CERTIFICATE.contains(&alert) {
        if we_show_a_certificate {
            format!("the broker refuses our certificate ({alert}): see kafka.ssl.keystore.*")
        } else {
            format!("the broker wants a client's certificate ({alert}): set kafka.ssl.keystore.*")
        }
    } else if OF_AGREEMENT.contains(&alert) {
        format!(
            "the broker and this client agree on no version of TLS, cipher or certificate ({alert}): see \
             kafka.ssl.cipher.suites and kafka.ssl.keystore.*. TLS 1.2 and 1.3 are spoken here"
        )
    } else {
        return io::Error::new(ErrorKind::ConnectionAborted, format!("the broker ended TLS ({alert})"));
    };
    io::Error::new(ErrorKind::PermissionDenied, Refusal(refused))
}

/// Why we do not talk to a broker.
fn distrust(verdict: X509VerifyResult, host: &str) -> String {
    let code = verdict.as_raw();
    if OTHER_NAME.contains(&code) {
        format!(
            "the broker's certificate is not for {host} ({verdict}). Call the broker by a name in its certificate; \
             kafka.ssl.endpoint.identification.algorithm set to the empty text does without the check"
        )
    } else if UNKNOWN_AUTHORITY.contains(&code) {
        format!(
            "the broker's certificate is not trusted ({verdict}). The authority that signed it belongs into \
             kafka.ssl.truststore.*"
        )
    } else {
        format!("the broker's certificate is refused ({verdict})")
    }
}

#[cfg(test)]
#[allow(clippy::panic)]
mod tests {
    use super::*;

    fn text(error: WireError) -> String {
        match error {
            WireError::Refused(text) => text,
            other => panic!("not refused: {other}"),
        }
    }

    #[test]
    fn alerts_about_certificates_are_for_good() {
        let shown = text(wire_error(alerted(SslAlert::CERTIFICATE_UNKNOWN, true)));
        assert!(shown.contains("refuses our certificate (certificate unknown)"), "{shown}");
        let none = text(wire_error(alerted(SslAlert::BAD_CERTIFICATE, false)));
        assert!(none.contains("wants a client's certificate (bad certificate)"), "{none}");
        let other = text(wire_error(alerted(SslAlert::PROTOCOL_VERSION, false)));
        assert!(other.contains("no version of TLS"), "{other}");
        assert!(matches!(wire_error(alerted(SslAlert::INTERNAL_ERROR, true)), WireError::Io(_)));
        assert!(matches!(wire_error(closed()), WireError::Io(_)));
    }

    #[test]
    fn the_wait_is_told_in_seconds() {
        let told = |millis| in_words(ErrorKind::WouldBlock.into(), Duration::from_millis(millis)).to_string();
        assert_eq!(told(30_000), "no answer within 30 s");
        assert_eq!(told(250), "no answer within 0.25 s");
    }
}
