//! When the process ends.

use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use super::connection::{Connections, Count};
use crate::limits::{FIRST_CONNECTION, GONE, GRACE};
use crate::service::Service;

/// How often it is looked whether something still runs.
const LOOK: Duration = Duration::from_millis(20);

/// Whose life the process shares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lifetime {
    /// Terraform's, which may be killed without a word. An interrupt from the terminal is its to handle.
    OfTerraform,
    /// Its own, until somebody interrupts it.
    Own,
}

impl Lifetime {
    /// Waits for the end.
    pub(super) async fn ends(self, connections: &Connections, shutdown: &watch::Sender<bool>) {
        let mut ending = shutdown.subscribe();
        match self {
            Self::OfTerraform => tokio::select! {
                _ = ending.wait_for(|ends| *ends) => {}
                () = gone(connections.watch()) => {
                    tracing::warn!("Terraform is gone without a word");
                }
                () = told(SignalKind::terminate()) => {}
                // Terraform and its providers get an interrupt at the same time; it says what is to be stopped.
                () = ignored(SignalKind::interrupt()) => {}
            },
            // Many come and go, and none may end it for the others.
            Self::Own => tokio::select! {
                () = told(SignalKind::terminate()) => {}
                () = told(SignalKind::interrupt()) => {}
            },
        }
    }
}

/// Waits until nobody is connected for too long.
async fn gone(mut connections: watch::Receiver<Count>) {
    loop {
        let count = *connections.borrow_and_update();
        let patience = match count {
            Count { open: 0, ever: 0 } => Some(FIRST_CONNECTION),
            Count { open: 0, .. } => Some(GONE),
            Count { .. } => None,
        };
        let changed = connections.changed();
        let result = match patience {
            Some(patience) => match tokio::time::timeout(patience, changed).await {
                Ok(result) => result,
                Err(_) => return,
            },
            None => changed.await,
        };
        if result.is_err() {
            return;
        }
    }
}

async fn told(kind: SignalKind) {
    match signal(kind) {
        Ok(mut told) => {
            told.recv().await;
        }
        Err(error) => {
            tracing::warn!(%error, "a signal can't be listened to");
            std::future::pending::<()>().await;
        }
    }
}

async fn ignored(kind: SignalKind) {
    loop {
        told(kind).await;
    }
}

/// Waits until nothing runs, but not for ever.
pub(super) async fn idle(service: &Service) {
    let ended = async {
        while !service.is_idle() {
            tokio::time::sleep(LOOK).await;
        }
    };
    if tokio::time::timeout(GRACE, ended).await.is_err() {
        tracing::warn!("what ran didn't come to an end");
    }
}
