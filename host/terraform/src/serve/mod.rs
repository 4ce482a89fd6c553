//! The process that Terraform starts: a socket, one line that says where, and calls until Terraform is done.
//!
//! Source: go-plugin's `docs/internals.md`. Nothing but the handshake's line is ever written to standard output.

mod connection;
mod error;
mod handshake;
mod lifetime;
mod reattach;
mod socket;
mod tls;

use std::io::Write;
use std::sync::Arc;

use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;
use whimbrel_signal::Scrubber;

pub use error::ServeError;
pub use handshake::Environment;

use crate::cancel::CancelReason;
use crate::provider::Provider;
use crate::service::{Routes, Service};
use lifetime::Lifetime;
use socket::Socket;

/// Serves Terraform, which started this process with this environment, until it says that it is done or is gone.
///
/// # Errors
/// Nobody that speaks the protocol started the process, or it can't be answered: nothing was done.
pub async fn serve(
    provider: Arc<dyn Provider>,
    scrubber: Scrubber,
    environment: Environment,
    out: impl Write,
) -> Result<(), ServeError> {
    environment.check()?;
    let socket = Socket::bind(environment.socket_folder.as_deref())?;
    let (tls, certificate) = match &environment.client_certificate {
        Some(client) => {
            let (tls, certificate) = tls::acceptor(client)?;
            (Some(tls), Some(certificate))
        }
        None => (None, None),
    };
    handshake::announce(out, socket.path(), certificate.as_ref())?;
    let service = Arc::new(Service::new(provider, scrubber));
    run(socket, tls, service, Lifetime::OfTerraform).await;
    Ok(())
}

/// Serves any number of Terraforms, none of which started this process, until it is interrupted. Writes what
/// `TF_REATTACH_PROVIDERS` must be for them, with the provider's full address such as
/// `registry.terraform.io/hashicorp/null`. For tests and debuggers: whoever reaches the socket is trusted.
///
/// # Errors
/// There is no place for the socket: nothing was done.
pub async fn serve_reattached(
    provider: Arc<dyn Provider>,
    scrubber: Scrubber,
    address: &str,
    out: impl Write,
) -> Result<(), ServeError> {
    let socket = Socket::bind(None)?;
    reattach::announce(out, address, socket.path())?;
    let service = Arc::new(Service::new(provider, scrubber));
    run(socket, None, service, Lifetime::Own).await;
    Ok(())
}

async fn run(socket: Socket, tls: Option<TlsAcceptor>, service: Arc<Service>, lifetime: Lifetime) {
    let shutdown = Arc::new(watch::Sender::new(false));
    let routes = Routes {
        service: Arc::clone(&service),
        shutdown: Arc::clone(&shutdown),
    };
    let connections = connection::Connections::default();
    tokio::select! {
        () = connections.take(&socket, tls, &routes) => {}
        () = lifetime.ends(&connections, &shutdown) => {}
    }
    if !*shutdown.borrow() {
        // Nobody said goodbye: what runs comes to its end first.
        service.cancel(CancelReason::Gone);
        lifetime::idle(&service).await;
        service.close().await;
        shutdown.send_replace(true);
    }
    connections.farewell().await;
}
