//! What a resource asks of the engine. It runs apart from the guest, so that dropping the guest drops no operation.

use std::sync::Arc;

use futures::future::BoxFuture;
use serde_json::Value as Json;
use tokio::sync::Mutex;
use whimbrel_core::fault::{Fault, FaultClass};

use crate::call::StopFlag;
use crate::desk::HostPanic;

/// What can be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EngineQuestion {
    /// What would be run.
    Plan,
    /// Run it.
    Apply,
    /// Run what is stored to take it back.
    Revert,
    /// What has been run.
    Status,
}

impl EngineQuestion {
    /// Its function in the interface `engine`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Plan => "plan",
            Self::Apply => "apply",
            Self::Revert => "revert",
            Self::Status => "status",
        }
    }

    /// Whether the answer changes a database.
    #[must_use]
    pub const fn changes(self) -> bool {
        matches!(self, Self::Apply | Self::Revert)
    }
}

/// Answers what resources ask: the engine in this process, or a server elsewhere.
pub trait ResourceEngine: Send + Sync {
    /// Answers. Once asked it goes on to its end, or to a safe point after `stop` is raised, whoever waits for it.
    fn ask(
        &self,
        question: EngineQuestion,
        request: Json,
        stop: StopFlag,
    ) -> BoxFuture<'static, Result<Json, Fault>>;
}

/// The engine as one call of a guest may ask it.
#[derive(Clone)]
pub struct EngineAccess {
    engine: Arc<dyn ResourceEngine>,
    /// Whether the call may change databases.
    changing: bool,
    /// Asks what runs for the call to end.
    stop: StopFlag,
    running: Arc<Mutex<()>>,
}

impl EngineAccess {
    pub fn new(engine: Arc<dyn ResourceEngine>, changing: bool) -> Self {
        Self {
            engine,
            changing,
            stop: StopFlag::new(),
            running: Arc::default(),
        }
    }

    /// Whether this may be asked in this call.
    pub const fn allows(&self, question: EngineQuestion) -> bool {
        self.changing || !question.changes()
    }

    /// Asks, and passes on that the call should stop.
    pub async fn ask(
        &self,
        question: EngineQuestion,
        request: &str,
        call: &StopFlag,
    ) -> Result<Result<Json, Fault>, HostPanic> {
        let request = match serde_json::from_str(request) {
            Ok(request) => request,
            Err(error) => {
                let message = format!("the request is no JSON: {error}");
                return Ok(Err(Fault::new(
                    FaultClass::Invalid,
                    "engine.request",
                    message,
                )));
            }
        };
        let running = Arc::clone(&self.running).lock_owned().await;
        let answering = self.engine.ask(question, request, self.stop.clone());
        let mut task = tokio::spawn(async move {
            let answer = answering.await;
            drop(running);
            answer
        });
        let answered = tokio::select! {
            biased;
            answered = &mut task => answered,
            () = call.stopped() => {
                self.stop.stop();
                task.await
            }
        };
        answered.map_err(|error| HostPanic(error.to_string()))
    }

    /// Waits until nothing runs for the call any more; what still does is asked to end at a safe point.
    pub async fn close(&self) {
        if self.running.try_lock().is_err() {
            self.stop.stop();
        }
        drop(self.running.lock().await);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::time::Duration;

    use futures::FutureExt as _;
    use futures::future::BoxFuture;
    use serde_json::{Value as Json, json};
    use whimbrel_core::fault::Fault;

    use super::{EngineAccess, EngineQuestion, ResourceEngine};
    use crate::call::StopFlag;

    /// Runs until it is asked to stop.
    struct Endless(Arc<AtomicBool>);

    impl ResourceEngine for Endless {
        fn ask(
            &self,
            _: EngineQuestion,
            request: Json,
            stop: StopFlag,
        ) -> BoxFuture<'static, Result<Json, Fault>> {
            let ended = Arc::clone(&self.0);
            async move {
                stop.stopped().await;
                tokio::time::sleep(Duration::from_millis(20)).await;
                ended.store(true, Ordering::SeqCst);
                Ok(request)
            }
            .boxed()
        }
    }

    #[tokio::test]
    async fn what_a_dropped_guest_asked_ends_in_order() {
        let ended = Arc::new(AtomicBool::new(false));
        let access = EngineAccess::new(Arc::new(Endless(Arc::clone(&ended))), true);
        let stop = StopFlag::new();
        let asked = access.ask(EngineQuestion::Apply, "{}", &stop);
        let cut = tokio::time::timeout(Duration::from_millis(10), asked).await;
        assert!(cut.is_err() && !ended.load(Ordering::SeqCst));
        access.close().await;
        assert!(ended.load(Ordering::SeqCst));
    }

    #[tokio::test]
    async fn a_call_that_should_stop_stops_what_it_asked() {
        let ended = Arc::new(AtomicBool::new(false));
        let access = EngineAccess::new(Arc::new(Endless(ended)), true);
        let stop = StopFlag::new();
        stop.stop();
        let answer = access.ask(EngineQuestion::Plan, r#"{"a":1}"#, &stop).await;
        assert_eq!(answer.unwrap().unwrap(), json!({"a": 1}));
        let wrong = access.ask(EngineQuestion::Plan, "{", &stop).await.unwrap();
        assert_eq!(wrong.unwrap_err().code, "engine.request");
    }

    #[test]
    fn what_only_looks_may_not_change() {
        let access = EngineAccess::new(Arc::new(Endless(Arc::default())), false);
        assert!(access.allows(EngineQuestion::Status) && !access.allows(EngineQuestion::Revert));
    }
}
