//! From a request of Terraform's to a call of the provider, and back.
//!
//! Whatever is asked is answered: what can't be read, what panics and what doesn't end become diagnostics.

mod data;
mod function;
mod provider;
mod resource;
mod route;
mod running;
mod timeouts;

use std::future::Future;
use std::sync::{Arc, PoisonError, RwLock};

use tokio::sync::OnceCell;
use whimbrel_signal::Scrubber;

pub(crate) use route::{Routes, answer};
use running::{Broken, Running};

use crate::cancel::{Cancel, CancelReason};
use crate::diagnostic::Diagnostic;
use crate::limits::{CLOSE, GRACE};
use crate::message;
use crate::provider::{Answer, Call, Provider};
use crate::schema::{Block, ProviderSchema};
use crate::sealed::Sealed;
use crate::value::{Type, Value, from_wire, to_wire};

/// Answers Terraform by a provider.
pub(crate) struct Service {
    provider: Arc<dyn Provider>,
    scrubber: Scrubber,
    schema: OnceCell<Arc<ProviderSchema>>,
    /// The sensitive values of the provider's own configuration.
    configured: RwLock<Option<Arc<Sealed>>>,
    running: Running,
}

/// What is said with an answer.
type Said = Vec<message::Diagnostic>;

impl Service {
    pub(crate) fn new(provider: Arc<dyn Provider>, scrubber: Scrubber) -> Self {
        Self {
            provider,
            scrubber,
            schema: OnceCell::new(),
            configured: RwLock::default(),
            running: Running::new(GRACE),
        }
    }

    /// Asks all that runs to end. What is asked for later isn't concerned.
    pub(crate) fn cancel(&self, reason: CancelReason) {
        self.running.cancel(reason);
    }

    /// Whether nothing runs.
    pub(crate) fn is_idle(&self) -> bool {
        self.running.is_idle()
    }

    /// Ends what the provider has open.
    pub(crate) async fn close(&self) {
        let closing = self.provider.close();
        if tokio::time::timeout(CLOSE, closing).await.is_err() {
            tracing::warn!("the provider didn't close in time");
        }
    }

    fn call(&self) -> Arc<Call> {
        let configured = self.configured.read();
        let before = configured.unwrap_or_else(PoisonError::into_inner).clone();
        let sealed = Sealed::new(self.scrubber.clone(), before);
        Arc::new(Call::new(Cancel::default(), Arc::new(sealed)))
    }

    async fn schema(&self) -> Answer<Arc<ProviderSchema>> {
        let asked = self.schema.get_or_try_init(|| self.provider.schema());
        asked.await.cloned()
    }

    /// Does work on a task of its own, with everything that is to be said about it. There is no result if something in it
    /// failed.
    async fn work<T, W>(&self, work: impl FnOnce(Arc<Call>) -> W) -> (Option<T>, Said)
    where
        T: Send + 'static,
        W: Future<Output = Answer<T>> + Send + 'static,
    {
        let call = self.call();
        let working = self.running.run(&call.cancel, work(Arc::clone(&call)));
        let (done, mut all) = match working.await {
            Ok(Ok(done)) => (Some(done), Vec::new()),
            Ok(Err(diagnostics)) => (None, diagnostics),
            Err(Broken::Panicked(error)) => (None, vec![panicked(&error)]),
            Err(Broken::Endless) => (None, vec![endless()]),
        };
        if done.is_none() && call.cancel.reason() == Some(CancelReason::Deadline) {
            all.push(late());
        }
        all.extend(call.warnings());
        let nothing = Type::Dynamic;
        let kind = call.kind().unwrap_or(&nothing);
        let all = all.iter();
        let said = all
            .map(|diagnostic| diagnostic.message(kind, &self.scrubber))
            .collect();
        (done, said)
    }
}

fn panicked(error: &tokio::task::JoinError) -> Diagnostic {
    tracing::error!(%error, "the provider panicked");
    Diagnostic::error(
        "The provider failed in a way that it should not",
        "This is a bug of the provider; what it was doing may be half done. Its log (TF_LOG=error) says where.",
    )
}

fn endless() -> Diagnostic {
    Diagnostic::error(
        "The provider didn't come to an end",
        "It was asked to, and had a minute. What it was doing may be half done.",
    )
}

fn late() -> Diagnostic {
    Diagnostic::error(
        "The time of the `timeouts` block is up",
        "What was being done was ended at its next safe point.",
    )
}

/// Reads a value of a block, sealed as a component may see it.
fn take(
    wire: Option<&message::DynamicValue>,
    block: &Block,
    kind: &Type,
    sealed: &Sealed,
) -> Answer<Value> {
    let value = from_wire(wire, kind)
        .map_err(|error| vec![Diagnostic::of_value("Terraform sent no such value", &error)])?;
    Ok(sealed.seal_block(value, block))
}

/// Writes a value of a block, as it belongs into a plan or a state.
fn give(
    value: Value,
    block: &Block,
    kind: &Type,
    sealed: &Sealed,
) -> Answer<message::DynamicValue> {
    let value = sealed
        .reveal_block(value, block)
        .map_err(|diagnostic| vec![diagnostic])?;
    to_wire(&value, kind).map_err(|error| {
        vec![Diagnostic::of_value(
            "The provider gave no such value",
            &error,
        )]
    })
}
