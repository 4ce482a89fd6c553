//! Servers of this process: a thread for each connection.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use rustls::pki_types::ServerName;
use rustls::{ClientConnection, ServerConnection, StreamOwned};

use crate::authority::{Identity, client};
use crate::http::{Request, Response};

/// How long a peer may say nothing.
const PATIENCE: Duration = Duration::from_secs(60);

/// A server on a port of 127.0.0.1 that ends when the value is dropped.
#[derive(Debug)]
pub struct Listener {
    address: SocketAddr,
    ended: Arc<AtomicBool>,
}

impl Listener {
    /// Gives every connection to a function, on a thread of its own; over TLS when there is an identity for it.
    ///
    /// # Panics
    ///
    /// No port is free.
    #[must_use]
    pub fn start(
        identity: Option<&Identity>,
        serve: impl Fn(Connection) + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address");
        let ended = Arc::new(AtomicBool::new(false));
        let (tls, end, serve) = (
            identity.map(Identity::server),
            Arc::clone(&ended),
            Arc::new(serve),
        );
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if end.load(Ordering::SeqCst) {
                    return;
                }
                let (tls, serve) = (tls.clone(), Arc::clone(&serve));
                thread::spawn(move || {
                    let _ = stream.set_read_timeout(Some(PATIENCE));
                    match tls.map(ServerConnection::new) {
                        None => serve(Connection::Plain(stream)),
                        Some(Ok(session)) => {
                            let stream = StreamOwned::new(session, stream);
                            serve(Connection::Tls(Box::new(Secured::Server(stream))));
                        }
                        Some(Err(_)) => {}
                    }
                });
            }
        });
        Self { address, ended }
    }

    /// Answers one request on each connection, as a fake of a server does.
    ///
    /// # Panics
    ///
    /// No port is free.
    #[must_use]
    pub fn answering(
        identity: Option<&Identity>,
        answer: impl Fn(&Request) -> Response + Send + Sync + 'static,
    ) -> Self {
        Self::start(identity, move |mut connection| {
            if let Ok(Some(request)) = Request::read(&mut connection) {
                let _ = connection.write_all(&answer(&request).bytes());
                connection.finish();
            }
        })
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::SeqCst);
        // Wakes the thread that waits for a connection.
        let _ = TcpStream::connect(self.address);
    }
}

/// A connection, plain or encrypted.
#[derive(Debug)]
pub enum Connection {
    /// Without TLS.
    Plain(TcpStream),
    /// With TLS, as either side.
    Tls(Box<Secured>),
}

/// A connection with TLS.
#[derive(Debug)]
pub enum Secured {
    /// The other side called.
    Server(StreamOwned<ServerConnection, TcpStream>),
    /// This side called.
    Client(StreamOwned<ClientConnection, TcpStream>),
}

impl Connection {
    /// Calls a server on loopback; with TLS when there is something to trust, in PEM.
    ///
    /// # Errors
    ///
    /// Nobody answers.
    ///
    /// # Panics
    ///
    /// What is to be trusted is no certificate.
    pub fn call(port: u16, trusted: Option<&str>) -> io::Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let Some(trusted) = trusted else {
            return Ok(Self::Plain(stream));
        };
        let name = ServerName::try_from("localhost").expect("a name");
        let session = ClientConnection::new(client(trusted), name).map_err(io::Error::other)?;
        let stream = StreamOwned::new(session, stream);
        Ok(Self::Tls(Box::new(Secured::Client(stream))))
    }

    /// Ends it well: what was written arrives.
    pub fn finish(mut self) {
        if let Self::Tls(stream) = &mut self {
            match &mut **stream {
                Secured::Server(stream) => stream.conn.send_close_notify(),
                Secured::Client(stream) => stream.conn.send_close_notify(),
            }
        }
        let _ = self.flush();
        let _ = self.socket().shutdown(Shutdown::Write);
        // Until the peer has it all; closing with unread bytes would reset the connection.
        let _ = io::copy(&mut self.socket(), &mut io::sink());
    }

    /// Breaks it off: the other side sees the end of the stream in the middle, or a reset.
    pub fn break_off(self) {
        let _ = self.socket().shutdown(Shutdown::Both);
    }

    fn socket(&self) -> &TcpStream {
        match self {
            Self::Plain(stream) => stream,
            Self::Tls(stream) => match &**stream {
                Secured::Server(stream) => &stream.sock,
                Secured::Client(stream) => &stream.sock,
            },
        }
    }
}

impl Read for Connection {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.read(buffer),
            Self::Tls(stream) => match &mut **stream {
                Secured::Server(stream) => stream.read(buffer),
                Secured::Client(stream) => stream.read(buffer),
            },
        }
    }
}

impl Write for Connection {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.write(buffer),
            Self::Tls(stream) => match &mut **stream {
                Secured::Server(stream) => stream.write(buffer),
                Secured::Client(stream) => stream.write(buffer),
            },
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(stream) => stream.flush(),
            Self::Tls(stream) => match &mut **stream {
                Secured::Server(stream) => stream.flush(),
                Secured::Client(stream) => stream.flush(),
            },
        }
    }
}
