//! Connections: how many there are, and what is answered on them.

use std::sync::Arc;

use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

use super::socket::Socket;
use crate::limits::{FAREWELL, TLS_HANDSHAKE};
use crate::service::{Routes, answer};

/// How many connections there are and have been.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(super) struct Count {
    pub(super) open: usize,
    pub(super) ever: usize,
}

/// The connections of this process.
#[derive(Clone, Default)]
pub(super) struct Connections {
    count: Arc<watch::Sender<Count>>,
}

/// A connection that is counted until this is dropped.
struct Open(Arc<watch::Sender<Count>>);

impl Open {
    fn new(count: Arc<watch::Sender<Count>>) -> Self {
        count.send_modify(|count| {
            count.open += 1;
            count.ever += 1;
        });
        Self(count)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0
            .send_modify(|count| count.open = count.open.saturating_sub(1));
    }
}

impl Connections {
    /// Tells of changes in their number.
    pub(super) fn watch(&self) -> watch::Receiver<Count> {
        self.count.subscribe()
    }

    /// Takes connections, and never ends.
    pub(super) async fn take(&self, socket: &Socket, tls: Option<TlsAcceptor>, routes: &Routes) {
        loop {
            let stream = match socket.listener.accept().await {
                Ok((stream, _)) => stream,
                Err(error) => {
                    tracing::warn!(%error, "a connection can't be taken");
                    tokio::time::sleep(FAREWELL).await;
                    continue;
                }
            };
            let (routes, tls) = (routes.clone(), tls.clone());
            let count = Arc::clone(&self.count);
            tokio::spawn(async move {
                let Some(tls) = tls else {
                    let _open = Open::new(count);
                    return serve(stream, routes).await;
                };
                match tokio::time::timeout(TLS_HANDSHAKE, tls.accept(stream)).await {
                    Ok(Ok(stream)) => {
                        // Whoever can't prove who it is doesn't count.
                        let _open = Open::new(count);
                        serve(stream, routes).await;
                    }
                    Ok(Err(error)) => tracing::warn!(%error, "a client isn't the one expected"),
                    Err(_) => tracing::warn!("a client didn't come to an end with its handshake"),
                }
            });
        }
    }

    /// Waits until all that was answered is sent.
    pub(super) async fn farewell(&self) {
        let mut count = self.watch();
        let ended = count.wait_for(|count| count.open == 0);
        if tokio::time::timeout(FAREWELL, ended).await.is_err() {
            tracing::debug!("a connection is still open");
        }
    }
}

async fn serve(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, routes: Routes) {
    let mut shutdown = routes.shutdown.subscribe();
    let ending = async move {
        // The sender lives as long as the process.
        let _ = shutdown.wait_for(|ends| *ends).await;
    };
    let service = service_fn(move |request| answer(routes.clone(), request));
    let connection =
        http2::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = ending => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended");
    }
}
