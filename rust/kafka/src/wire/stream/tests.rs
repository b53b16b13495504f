//! Streams to servers of this process, on the loopback interface: plain ones, and OpenSSL's.
#![allow(clippy::unwrap_used)]

use std::net::TcpListener;
use std::thread::{self, JoinHandle};

use openssl::pkey::{PKey, Private};
use openssl::ssl::{SslAcceptor, SslMethod, SslVerifyMode};
use openssl::x509::X509;

use super::super::security::{issued, settings};
use super::*;

/// Nothing here takes as long.
const PATIENCE: Duration = Duration::from_secs(10);
const HOST: &str = "127.0.0.1";

/// Serves one connection and ends.
fn serve(work: impl FnOnce(TcpStream) + Send + 'static) -> (u16, JoinHandle<()>) {
    let listener = TcpListener::bind((HOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = thread::spawn(move || {
        let (socket, _) = listener.accept().unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        work(socket);
    });
    (port, server)
}

/// An authority, and a server's certificate and key.
struct House {
    authority: X509,
    authority_key: PKey<Private>,
    own: X509,
    key: PKey<Private>,
}

impl House {
    fn of(server: &str) -> Self {
        let (authority, authority_key) = issued::authority("an authority");
        let (own, key) = issued::signed(server, &authority, &authority_key);
        Self { authority, authority_key, own, key }
    }

    /// Sends back the four bytes that it gets, over TLS. A client that does not get as far is the client's test.
    fn open(&self, wants_certificate: bool) -> (u16, JoinHandle<()>) {
        let mut acceptor = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls_server()).unwrap();
        acceptor.set_certificate(&self.own).unwrap();
        acceptor.set_private_key(&self.key).unwrap();
        if wants_certificate {
            acceptor.cert_store_mut().add_cert(self.authority.clone()).unwrap();
            acceptor.set_verify(SslVerifyMode::PEER | SslVerifyMode::FAIL_IF_NO_PEER_CERT);
        }
        let acceptor = acceptor.build();
        serve(move |socket| {
            if let Ok(mut session) = acceptor.accept(socket) {
                let mut bytes = [0; 4];
                if session.read_exact(&mut bytes).is_ok() {
                    let _ = session.write_all(&bytes);
                }
            }
        })
    }
}

fn connect(port: u16, properties: &[(&str, &str)], patience: Duration) -> Result<Stream, WireError> {
    let security = Security::of(&settings(properties)).unwrap();
    Stream::connect(HOST, port, &security, patience)
}

fn echo(stream: &mut Stream) -> io::Result<[u8; 4]> {
    stream.write_all(b"ping")?;
    let mut bytes = [0; 4];
    stream.read_exact(&mut bytes)?;
    Ok(bytes)
}

/// What is said to somebody who is refused, in the handshake or later.
fn refusal(connected: Result<Stream, WireError>) -> String {
    match connected.and_then(|mut stream| echo(&mut stream).map_err(wire_error)) {
        Err(WireError::Refused(text)) => text,
        other => format!("not refused: {other:?}"),
    }
}

#[test]
fn bytes_go_both_ways_in_the_clear_and_over_tls() {
    let (port, server) = serve(|mut socket| {
        let mut bytes = [0; 4];
        socket.read_exact(&mut bytes).unwrap();
        socket.write_all(&bytes).unwrap();
    });
    let mut stream = connect(port, &[], PATIENCE).unwrap();
    assert_eq!(echo(&mut stream).unwrap(), *b"ping");
    server.join().unwrap();

    let house = House::of(HOST);
    let (port, server) = house.open(false);
    let authority = issued::pem(&house.authority);
    let mut stream =
        connect(port, &[("security.protocol", "SSL"), ("ssl.ca.pem", authority.as_str())], PATIENCE).unwrap();
    assert_eq!(echo(&mut stream).unwrap(), *b"ping");
    assert_eq!(stream.read(&mut [0]).unwrap_err().to_string(), "the broker closed the connection");
    server.join().unwrap();
}

#[test]
fn a_broker_of_an_unknown_authority_is_refused_unless_that_is_not_checked() {
    let (house, stranger) = (House::of(HOST), House::of(HOST));
    let other = issued::pem(&stranger.authority);
    let mut properties = vec![("security.protocol", "SSL"), ("ssl.ca.pem", other.as_str())];
    let (port, server) = house.open(false);
    let text = refusal(connect(port, &properties, PATIENCE));
    assert!(text.contains("kafka.ssl.truststore") || text.contains("certificate is refused"), "{text}");
    server.join().unwrap();

    properties.push(("enable.ssl.certificate.verification", "false"));
    let (port, server) = house.open(false);
    assert_eq!(echo(&mut connect(port, &properties, PATIENCE).unwrap()).unwrap(), *b"ping");
    server.join().unwrap();
}

#[test]
fn a_broker_of_another_name_is_refused_unless_that_is_not_checked() {
    let house = House::of("broker.example");
    let authority = issued::pem(&house.authority);
    let mut properties = vec![("security.protocol", "SSL"), ("ssl.ca.pem", authority.as_str())];
    let (port, server) = house.open(false);
    let text = refusal(connect(port, &properties, PATIENCE));
    assert!(text.contains("not for 127.0.0.1"), "{text}");
    server.join().unwrap();

    properties.push(("ssl.endpoint.identification.algorithm", "none"));
    let (port, server) = house.open(false);
    assert_eq!(echo(&mut connect(port, &properties, PATIENCE).unwrap()).unwrap(), *b"ping");
    server.join().unwrap();
}

#[test]
fn a_broker_that_wants_a_certificate_gets_one_or_says_so() {
    let house = House::of(HOST);
    let authority = issued::pem(&house.authority);
    let mut properties = vec![("security.protocol", "SSL"), ("ssl.ca.pem", authority.as_str())];
    let (port, server) = house.open(true);
    let text = refusal(connect(port, &properties, PATIENCE));
    assert!(text.contains("wants a client's certificate"), "{text}");
    server.join().unwrap();

    let (own, key) = issued::signed("client", &house.authority, &house.authority_key);
    let (own, key) = (issued::pem(&own), issued::locked(&key, "secret"));
    properties.extend([("ssl.certificate.pem", own.as_str()), ("ssl.key.pem", key.as_str())]);
    properties.push(("ssl.key.password", "secret"));
    let (port, server) = house.open(true);
    assert_eq!(echo(&mut connect(port, &properties, PATIENCE).unwrap()).unwrap(), *b"ping");
    server.join().unwrap();

    let (stranger, key) = issued::authority("a stranger");
    let (stranger, key) = (issued::pem(&stranger), issued::open(&key));
    let foreign = [
        ("security.protocol", "SSL"),
        ("ssl.ca.pem", authority.as_str()),
        ("ssl.certificate.pem", stranger.as_str()),
        ("ssl.key.pem", key.as_str()),
    ];
    let (port, server) = house.open(true);
    let text = refusal(connect(port, &foreign, PATIENCE));
    assert!(text.contains("refuses our certificate"), "{text}");
    server.join().unwrap();
}

#[test]
fn a_port_without_tls_is_recognised() {
    for answer in [&b""[..], b"HTTP/1.1 400 Bad Request\r\n\r\n"] {
        let (port, server) = serve(move |mut socket| {
            let _ = socket.read(&mut [0; 512]);
            let _ = socket.write_all(answer);
        });
        let error = connect(port, &[("security.protocol", "SSL")], PATIENCE).unwrap_err();
        assert!(matches!(error, WireError::Io(_)), "{error:?}");
        assert!(error.to_string().contains("Is this a port for TLS?"), "{error}");
        server.join().unwrap();
    }
}

#[test]
fn silence_and_the_end_are_told_in_words() {
    let short = Duration::from_millis(200);
    let (port, server) = serve(|mut socket| {
        // Until the client goes.
        let _ = socket.read(&mut [0; 16]);
    });
    let mut stream = connect(port, &[], PATIENCE).unwrap();
    stream.set_patience(short).unwrap();
    let error = stream.read(&mut [0]).unwrap_err();
    assert_eq!((error.kind(), error.to_string()), (ErrorKind::TimedOut, "no answer within 0.2 s".to_owned()));
    drop(stream);
    server.join().unwrap();

    let (port, server) = serve(|mut socket| {
        let _ = socket.read(&mut [0; 4096]);
        let _ = socket.read(&mut [0; 4096]);
    });
    let error = connect(port, &[("security.protocol", "SSL")], short).unwrap_err().to_string();
    assert!(error.contains("no answer within 0.2 s, in TLS's handshake"), "{error}");
    server.join().unwrap();

    let (port, server) = serve(drop);
    let mut stream = connect(port, &[], PATIENCE).unwrap();
    server.join().unwrap();
    assert_eq!(stream.read(&mut [0]).unwrap_err().kind(), ErrorKind::UnexpectedEof);

    let closed = TcpListener::bind((HOST, 0)).unwrap().local_addr().unwrap().port();
    let error = connect(closed, &[], PATIENCE).unwrap_err().to_string();
    assert!(error.starts_with("127.0.0.1: "), "{error}");
}
