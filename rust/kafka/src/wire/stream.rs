//! The way to a broker: a TCP connection, in the clear or inside TLS, on which nothing waits for ever.

mod trouble;

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};

use openssl::ssl::{ErrorCode, SslStream};

pub(super) use trouble::wire_error;

use super::WireError;
use super::security::{Security, Tls, words};

/// The shortest wait: the system takes none of 0.
const SHORTEST: Duration = Duration::from_millis(1);

/// An open connection. Its end is an error of kind [`ErrorKind::UnexpectedEof`], and so is never read as 0 bytes; an
/// answer that takes too long is one of kind [`ErrorKind::TimedOut`]. See [`wire_error`] for what TLS refuses.
#[derive(Debug)]
pub(crate) struct Stream {
    channel: Channel,
    patience: Duration,
}

#[derive(Debug)]
enum Channel {
    Plain(Socket),
    Tls(SslStream<Socket>),
}

impl Stream {
    /// Connects to the first address of `host` that answers; all of them together get `patience`, and so does each
    /// message of the handshake.
    pub(crate) fn connect(host: &str, port: u16, security: &Security, patience: Duration) -> Result<Self, WireError> {
        let socket = reach(host, port, patience)?;
        socket.set_nodelay(true)?;
        limit(&socket, patience)?;
        let socket = Socket(socket);
        let channel = match security.tls() {
            None => Channel::Plain(socket),
            Some(tls) => Channel::Tls(shake_hands(socket, host, tls, patience)?),
        };
        Ok(Self { channel, patience })
    }

    /// How long one read or write may take from now on.
    pub(crate) fn set_patience(&mut self, patience: Duration) -> io::Result<()> {
        self.patience = patience;
        limit(self.socket(), patience)
    }

    /// The connection below TLS.
    pub(crate) fn socket(&self) -> &TcpStream {
        match &self.channel {
            Channel::Plain(socket) => &socket.0,
            Channel::Tls(session) => &session.get_ref().0,
        }
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        let read = match &mut self.channel {
            Channel::Plain(socket) => socket.read(buffer),
            Channel::Tls(session) => read_session(session, buffer),
        };
        match read {
            Ok(0) => Err(trouble::closed()),
            Ok(bytes) => Ok(bytes),
            Err(error) => Err(trouble::in_words(error, self.patience)),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = match &mut self.channel {
            Channel::Plain(socket) => socket.write(bytes),
            Channel::Tls(session) => write_session(session, bytes),
        };
        written.map_err(|error| trouble::in_words(error, self.patience))
    }

    fn flush(&mut self) -> io::Result<()> {
        // Neither the socket nor TLS holds anything back.
        Ok(())
    }
}

fn limit(socket: &TcpStream, patience: Duration) -> io::Result<()> {
    let patience = Some(patience.max(SHORTEST));
    socket.set_read_timeout(patience)?;
    socket.set_write_timeout(patience)
}

/// A connection to the first address that takes one. An address that is silent leaves their share to the others.
fn reach(host: &str, port: u16, patience: Duration) -> io::Result<TcpStream> {
    let end = Instant::now() + patience;
    let addresses: Vec<SocketAddr> = (host, port)
        .to_socket_addrs()
        .map_err(|error| io::Error::new(error.kind(), format!("the name can't be resolved: {error}")))?
        .collect();
    let mut last = io::Error::new(ErrorKind::NotFound, "the name has no address");
    let mut untried = u32::try_from(addresses.len()).unwrap_or(u32::MAX);
    for address in addresses {
        let share = end.saturating_duration_since(Instant::now()) / untried.max(1);
        untried = untried.saturating_sub(1);
        match TcpStream::connect_timeout(&address, share.max(SHORTEST)) {
            Ok(socket) => return Ok(socket),
            Err(error) => last = io::Error::new(error.kind(), format!("{}: {error}", address.ip())),
        }
    }
    Err(last)
}

fn shake_hands(socket: Socket, host: &str, tls: &Tls, patience: Duration) -> Result<SslStream<Socket>, WireError> {
    let session = tls.session(host).and_then(|session| SslStream::new(session, socket));
    let mut session =
        session.map_err(|stack| WireError::Io(io::Error::other(format!("TLS can't begin: {}", words(&stack)))))?;
    match session.connect() {
        Ok(()) => Ok(session),
        Err(error) => Err(trouble::of_handshake(error, session.ssl(), host, patience)),
    }
}

/// 0 bytes are the end of the session.
fn read_session(session: &mut SslStream<Socket>, buffer: &mut [u8]) -> io::Result<usize> {
    loop {
        match session.ssl_read(buffer) {
            Ok(bytes) => return Ok(bytes),
            Err(error) if error.code() == ErrorCode::ZERO_RETURN => return Ok(0),
            // Something that was no data came, such as a ticket.
            Err(error) if error.code() == ErrorCode::WANT_READ && error.io_error().is_none() => {}
            Err(error) => return Err(trouble::of_session(error, session.ssl())),
        }
    }
}

fn write_session(session: &mut SslStream<Socket>, bytes: &[u8]) -> io::Result<usize> {
    loop {
        match session.ssl_write(bytes) {
            Ok(written) => return Ok(written),
            Err(error) if error.code() == ErrorCode::WANT_READ && error.io_error().is_none() => {}
            Err(error) => {
                let error = trouble::of_session(error, session.ssl());
                return Err(last_words(session).unwrap_or(error));
            }
        }
    }
}

/// What a broker that has closed the connection said before. In TLS 1.3 it refuses a client's certificate after the
/// client's handshake is done (RFC 8446, section 4.4.4), so that the first write may find the connection closed, and
/// only a read finds why.
fn last_words(session: &mut SslStream<Socket>) -> Option<io::Error> {
    let error = session.ssl_read(&mut [0]).err()?;
    Some(trouble::of_session(error, session.ssl())).filter(trouble::is_refusal)
}

/// A socket whose calls are made again when a signal interrupts them, which OpenSSL would take for their failure.
#[derive(Debug)]
struct Socket(TcpStream);

fn again(mut call: impl FnMut() -> io::Result<usize>) -> io::Result<usize> {
    loop {
        match call() {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            done => return done,
        }
    }
}

impl Read for Socket {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        again(|| self.0.read(buffer))
    }
}

impl Write for Socket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        again(|| self.0.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[cfg(test)]
mod tests;
