//! Where requests come in: ports and sockets, with a bound on everything that a client could hold up.

mod stream;
mod tls;

use std::net::SocketAddr;
use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::{Extension, Router};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener, UnixStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_rustls::TlsAcceptor;
use whimbrel_run::Stop;

use crate::desired::Guard;
use crate::error::ServeError;
use crate::limits::Limits;
use crate::settings::{Listen, Tls};

use stream::Impatient;

/// How long to wait after a connection could not be taken: usually there are too many open files.
const REST: Duration = Duration::from_millis(100);

/// Where a request came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Peer {
    /// Whether it is the same machine, seen from the listener.
    pub(crate) is_socket: bool,
    /// The digest of the client's certificate, which was checked.
    pub(crate) certificate: Option<String>,
}

/// A place where requests come in.
pub(crate) struct Listener {
    pub(crate) listen: Listen,
    kind: Kind,
}

enum Kind {
    Tcp(TcpListener, Option<TlsAcceptor>),
    Unix(UnixListener),
}

/// Whether only this machine reaches it.
pub(crate) fn is_local(listen: &Listen) -> bool {
    match listen {
        Listen::Tcp(address) => address.ip().is_loopback(),
        Listen::Unix(_) => true,
    }
}

impl Listener {
    /// Takes the place.
    pub(crate) async fn bind(listen: &Listen, tls: Option<&Tls>) -> Result<Self, ServeError> {
        let failed = |source| ServeError::Listen {
            listen: listen.clone(),
            source,
        };
        match listen {
            Listen::Tcp(address) => {
                let acceptor = tls.map(tls::acceptor).transpose()?;
                let listener = TcpListener::bind(address).await.map_err(failed)?;
                let address: SocketAddr = listener.local_addr().map_err(failed)?;
                Ok(Self {
                    listen: Listen::Tcp(address),
                    kind: Kind::Tcp(listener, acceptor),
                })
            }
            Listen::Unix(path) => {
                if UnixStream::connect(path).await.is_ok() {
                    return Err(ServeError::Taken(listen.clone()));
                }
                if is_socket(path) {
                    // Nobody answers: a process that was killed left it.
                    std::fs::remove_file(path).map_err(failed)?;
                }
                let listener = UnixListener::bind(path).map_err(failed)?;
                only_for_me(path).map_err(failed)?;
                Ok(Self {
                    listen: listen.clone(),
                    kind: Kind::Unix(listener),
                })
            }
        }
    }

    /// Takes connections until the server ends.
    pub(crate) async fn serve(
        self,
        router: Router,
        limits: Arc<Limits>,
        connections: Arc<Semaphore>,
        stop: Stop,
        guard: Guard,
    ) {
        loop {
            // Nobody closes it.
            let Ok(permit) = Arc::clone(&connections).acquire_owned().await else {
                return;
            };
            let connection = Connection {
                router: router.clone(),
                limits: Arc::clone(&limits),
                stop: stop.clone(),
                _permit: permit,
                _guard: guard.clone(),
            };
            tokio::select! {
                () = stop.requested() => break,
                taken = self.kind.accept(connection) => if let Err(error) = taken {
                    tracing::warn!(%error, listen = %self.listen, "a connection can't be taken");
                    tokio::time::sleep(REST).await;
                }
            }
        }
        if let Listen::Unix(path) = &self.listen {
            // Whoever comes next finds it free either way.
            let _ = std::fs::remove_file(path);
        }
    }
}

impl Kind {
    async fn accept(&self, connection: Connection) -> std::io::Result<()> {
        match self {
            Self::Unix(listener) => {
                let (stream, _) = listener.accept().await?;
                let peer = Peer {
                    is_socket: true,
                    certificate: None,
                };
                tokio::spawn(connection.serve(stream, peer));
            }
            Self::Tcp(listener, None) => {
                let (stream, _) = listener.accept().await?;
                // What is written is whole.
                let _ = stream.set_nodelay(true);
                let peer = Peer {
                    is_socket: false,
                    certificate: None,
                };
                tokio::spawn(connection.serve(stream, peer));
            }
            Self::Tcp(listener, Some(acceptor)) => {
                let (stream, _) = listener.accept().await?;
                let _ = stream.set_nodelay(true);
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    let patience = connection.limits.head_time;
                    let taken = tokio::time::timeout(patience, acceptor.accept(stream)).await;
                    if let Ok(Ok(stream)) = taken {
                        let peer = Peer {
                            is_socket: false,
                            certificate: tls::fingerprint(stream.get_ref().1),
                        };
                        connection.serve(stream, peer).await;
                    }
                });
            }
        }
        Ok(())
    }
}

struct Connection {
    router: Router,
    limits: Arc<Limits>,
    stop: Stop,
    _permit: OwnedSemaphorePermit,
    _guard: Guard,
}

impl Connection {
    async fn serve(self, stream: impl AsyncRead + AsyncWrite + Send + 'static, peer: Peer) {
        let stream = Impatient::new(Box::pin(stream), self.limits.write_time);
        let service = TowerToHyperService::new(self.router.clone().layer(Extension(peer)));
        let mut connection = pin!(
            http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(self.limits.head_time)
                .max_buf_size(self.limits.head_bytes)
                .serve_connection(TokioIo::new(stream), service)
        );
        let ended = tokio::select! {
            ended = connection.as_mut() => ended,
            () = self.stop.requested() => {
                // The request at hand is answered, and no other.
                connection.as_mut().graceful_shutdown();
                tokio::select! {
                    ended = connection.as_mut() => ended,
                    () = self.stop.insisted() => return,
                }
            }
        };
        if let Err(error) = ended {
            tracing::debug!(%error, "a connection ended");
        }
    }
}

fn is_socket(path: &Path) -> bool {
    use std::os::unix::fs::FileTypeExt as _;
    std::fs::symlink_metadata(path).is_ok_and(|found| found.file_type().is_socket())
}

fn only_for_me(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))
}
