//! `whimbrel serve`: keeps environments where their sources say, and tells about it over HTTP.
//!
//! What this crate must not know: how a plan is made or run. It opens projects, asks the engine, and keeps nothing that a
//! restart would miss: the databases' histories are the truth, and any number of these may run side by side.

#![forbid(unsafe_code)]

mod answers;
mod api;
mod audience;
pub mod client;
mod desired;
mod drift;
mod environment;
mod error;
mod hooks;
mod limits;
mod listen;
mod look;
mod measures;
pub mod probes;
mod problem;
mod pulse;
mod readiness;
mod reports;
mod runs;
mod said;
mod server;
mod settings;
mod source;
mod tokens;
mod worker;
mod written;

use std::sync::Arc;

use tokio::sync::{Semaphore, mpsc};
use whimbrel_engine::Context;
use whimbrel_report::metrics::Metrics;
use whimbrel_run::Stop;

pub use audience::Listeners;
pub use error::ServeError;
pub use limits::Limits;
pub use pulse::{Pulse, Pulses};
pub use settings::{Access, Grants, Hosted, Listen, Settings, SourceSettings, Tls, Token};
pub use written::{Writing, Written};

use listen::{Listener, is_local};
use server::Server;
use tokens::Tokens;

/// How a server ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Everything came to a safe point by itself.
    Gracefully,
    /// Something was cut off when the grace was over.
    Cut,
}

/// Serves until it is asked to stop; tells where it listens once it does. The first request to stop lets what is in flight
/// come to a safe point within the grace, the second cancels it.
///
/// # Errors
/// It can't begin: nothing was changed.
pub async fn serve(
    settings: &Settings,
    context: Context,
    listeners: Listeners,
    stop: Stop,
    announce: impl Fn(&Listen),
) -> Result<Ended, ServeError> {
    let has_authority = settings
        .tls
        .as_ref()
        .is_some_and(|tls| tls.client_authority.is_some());
    if settings.tokens.is_empty()
        && !has_authority
        && let Some(open) = settings.listen.iter().find(|listen| !is_local(listen))
    {
        return Err(ServeError::Open(open.clone()));
    }
    let tokens = Tokens::read(
        &settings.tokens,
        &settings.folder,
        context.scrubber().clone(),
    )
    .await?;
    let mut places = Vec::new();
    for listen in &settings.listen {
        places.push(Listener::bind(listen, settings.tls.as_ref()).await?);
    }
    let (guard, mut all_gone) = mpsc::channel(1);
    let metrics = context.metrics().cloned().unwrap_or_else(Metrics::new);
    let context = context.with_metrics(metrics.clone());
    let server = Server::new(
        settings,
        tokens,
        context,
        metrics,
        listeners,
        stop.clone(),
        guard.clone(),
    );
    let server = Arc::new(server);
    let router = api::router(Arc::clone(&server));
    let connections = Arc::new(Semaphore::new(settings.limits.connections));
    for place in places {
        announce(&place.listen);
        let (limits, connections) = (Arc::clone(&server.limits), Arc::clone(&connections));
        tokio::spawn(place.serve(
            router.clone(),
            limits,
            connections,
            stop.clone(),
            guard.clone(),
        ));
    }
    for source in server.sources.values() {
        tokio::spawn(source::keep(Arc::clone(&server), Arc::clone(source)));
        reports::keep(&server, source);
    }
    tokio::spawn(read_tokens_again(Arc::clone(&server)));
    tokio::spawn(drift::keep(Arc::clone(&server)));
    stop.requested().await;
    drop(guard);
    server.release();
    let insisted = tokio::select! {
        _ = all_gone.recv() => return Ok(Ended::Gracefully),
        () = tokio::time::sleep(settings.limits.grace) => false,
        () = stop.insisted() => true,
    };
    if !insisted {
        stop.request();
    }
    // What is cancelled still records what it did.
    let patience = settings.limits.grace;
    let _ = tokio::time::timeout(patience, all_gone.recv()).await;
    Ok(Ended::Cut)
}

async fn read_tokens_again(server: Arc<Server>) {
    if server.tokens.is_empty() {
        return;
    }
    loop {
        tokio::select! {
            () = server.stop.requested() => return,
            () = tokio::time::sleep(server.limits.token_time) => {}
        }
        if let Err(error) = server.tokens.refresh().await {
            tracing::warn!(%error, "tokens can't be read again; those that were known go on counting");
        }
    }
}
