//! A connection to one broker: a request, its answer, the next request.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use super::WireError;
use super::codec::{Reader, Writer};
use super::security::Security;
use super::stream::Stream;
use super::{protocol, sasl};

/// An answer larger than this is not one: something that does not speak Kafka's protocol is at the other end.
const MOST_BYTES: usize = 1 << 30;
/// One that holds no records.
const MOST_OTHER_BYTES: usize = 16 << 20;

/// An open connection, authenticated.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: Stream,
    client_id: String,
    correlation: i32,
    /// The newest version of Fetch that both sides speak.
    fetch_version: i16,
    /// When the cluster wants the credentials again; it closes the connection then.
    session: Option<Duration>,
}

impl Connection {
    /// Connects to `host:port`, authenticates and agrees on versions.
    pub(crate) fn open(
        host: &str,
        port: u16,
        client_id: &str,
        security: &Security,
        patience: Duration,
    ) -> Result<Self, WireError> {
        let stream = Stream::connect(host, port, security, patience)?;
        let mut connection =
            Self { stream, client_id: client_id.to_owned(), correlation: 0, fetch_version: 0, session: None };
        connection.stream.set_patience(patience)?;
        let answer = connection.ask(protocol::API_VERSIONS, 0, |_| ())?;
        connection.fetch_version = protocol::fetch_version(&answer)?;
        if let Some(sasl) = security.sasl() {
            connection.session = sasl::authenticate(&mut connection, sasl)?;
        }
        Ok(connection)
    }

    /// The newest version of Fetch that both sides speak.
    pub(crate) fn fetch_version(&self) -> i16 {
        self.fetch_version
    }

    /// How long the cluster takes the credentials for; `None` is for ever.
    pub(crate) fn session(&self) -> Option<Duration> {
        self.session
    }

    /// How long an answer may take from now on.
    pub(crate) fn set_patience(&mut self, patience: Duration) -> Result<(), WireError> {
        Ok(self.stream.set_patience(patience)?)
    }

    /// What ends the connection from another thread.
    pub(crate) fn closer(&self) -> Result<Closer, WireError> {
        Ok(Closer(self.stream.socket().try_clone()?))
    }

    /// Sends a request and gives the answer's body.
    pub(crate) fn ask(&mut self, api: i16, version: i16, body: impl FnOnce(&mut Writer)) -> Result<Vec<u8>, WireError> {
        let mut answer = Vec::new();
        let start = self.ask_into(api, version, body, &mut answer)?.start;
        answer.drain(..start);
        Ok(answer)
    }

    /// Sends a request and reads its answer into `buffer`, which grows if it must and is never shrunk. Gives where the
    /// answer's body is.
    pub(crate) fn ask_into(
        &mut self,
        api: i16,
        version: i16,
        body: impl FnOnce(&mut Writer),
        buffer: &mut Vec<u8>,
    ) -> Result<std::ops::Range<usize>, WireError> {
        self.correlation = self.correlation.wrapping_add(1);
        let mut request = Writer::new();
        request.i16(api).i16(version).i32(self.correlation).text(&self.client_id);
        body(&mut request);
        self.stream.write_all(&request.finish())?;
        self.stream.flush()?;

        let mut length = [0; 4];
        self.stream.read_exact(&mut length)?;
        if length.starts_with(&[0x15, 0x03]) {
            return Err(WireError::Malformed(
                "it is an alert of TLS: kafka.security.protocol is SSL or SASL_SSL there",
            ));
        }
        let length = u32::from_be_bytes(length) as usize;
        let most = if api == protocol::FETCH { MOST_BYTES } else { MOST_OTHER_BYTES };
        if !(4..=most).contains(&length) {
            return Err(WireError::Malformed("it has an impossible length: does this port speak Kafka's protocol?"));
        }
        if buffer.len() < length {
            buffer.resize(length, 0);
        }
        self.stream.read_exact(&mut buffer[..length])?;
        if Reader::new(buffer).i32()? != self.correlation {
            return Err(WireError::Malformed("it answers another request"));
        }
        Ok(4..length)
    }
}

/// Ends a connection that another thread may be waiting on.
#[derive(Debug)]
pub(crate) struct Closer(TcpStream);

impl Closer {
    pub(crate) fn close(&self) {
        // It fails only if the connection has ended already.
        let _ = self.0.shutdown(Shutdown::Both);
    }
}
