//! The guard around every call: a store of its own, ticks, a wall clock, a stop with grace, and an end in order.

use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::time::{Duration, Instant};

use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{sleep, timeout_at};
use wasmtime::component::InstancePre;
use wasmtime::{Error, Store};
use whimbrel_signal::metric::PluginResult;

use crate::bindings::imports::whimbrel::types::types;
use crate::call::{StopFlag, traced};
use crate::desk::panic_text;
use crate::error::PluginError;
use crate::instance::{Scope, State};
use crate::plugin::Plugin;
use crate::trap::{self, TrapReport};

/// What the dry instantiation is called in errors.
pub const START: &str = "start";

/// How a call ended that did not end by itself.
enum Cut {
    Timeout,
    Stopped,
}

/// How a guest's code ended: cut off, in a panic of the host, in a trap, with a fault or with an answer.
type Ended<T> =
    Result<Result<Result<Result<T, types::Fault>, Error>, Box<dyn std::any::Any + Send>>, Cut>;

/// The guest's code of a call: instantiates it in this store and calls one function.
pub type Guest<'a, T> = BoxFuture<'a, Result<Result<T, types::Fault>, Error>>;

/// A store whose instance was made before its call, and its place until the call has one.
pub struct Made {
    pub store: Store<State>,
    pub place: OwnedSemaphorePermit,
}

/// Runs a guest's code under guard.
pub async fn guarded<T: Send>(
    plugin: &Plugin,
    scope: Scope,
    limit: Duration,
    stop: &StopFlag,
    guest: impl for<'a> FnOnce(&'a mut Store<State>) -> Guest<'a, T>,
) -> Result<T, PluginError> {
    guarded_in(None, plugin, scope, limit, stop, guest).await
}

/// The same in a store that was made before.
pub async fn guarded_in<T: Send>(
    made: Option<Made>,
    plugin: &Plugin,
    scope: Scope,
    limit: Duration,
    stop: &StopFlag,
    guest: impl for<'a> FnOnce(&'a mut Store<State>) -> Guest<'a, T>,
) -> Result<T, PluginError> {
    let function = scope.function;
    let sandbox = plugin.sandbox();
    let begun = Instant::now();
    // Before the store, so that it is given up after it: the store's end frees what the place stands for.
    let _place = sandbox.place(plugin).await?;
    let mut store = match made {
        Some(Made { mut store, place }) => {
            drop(place);
            sandbox.begin(&mut store, plugin, scope, limit);
            store
        }
        None => sandbox.store(plugin, scope, limit)?,
    };
    let desk = store.data().desk();
    let engine = store.data().engine();
    let ended = {
        let running = AssertUnwindSafe(guest(&mut store)).catch_unwind();
        within(running, limit, stop, sandbox.limits().stop_grace).await
    };
    let answered = matches!(&ended, Ok(Ok(Ok(Ok(_)))));
    // The dry instantiation is no call.
    if let Some(meter) = sandbox.meter().filter(|_| function != START) {
        let name = plugin.name().to_string();
        meter.plugin(&name, result_of(&ended), begun.elapsed());
    }
    if let Some(desk) = desk {
        desk.close(!answered).await;
    }
    if let Some(engine) = engine {
        engine.close().await;
    }
    let state = store.data_mut();
    let name = plugin.name().to_string();
    match ended {
        Ok(Ok(Ok(Ok(answer)))) => Ok(answer),
        Ok(Ok(Ok(Err(fault)))) => Err(PluginError::Fault {
            plugin: name,
            function,
            fault: Box::new(state.hush.clean_fault(fault.into())),
        }),
        Ok(Ok(Err(error))) => Err(died(name, function, state, &error)),
        Ok(Err(payload)) => Err(PluginError::Bug {
            plugin: name,
            function,
            reason: state.hush.clean(&panic_text(&*payload)),
        }),
        Err(Cut::Timeout) => Err(PluginError::Timeout {
            plugin: name,
            function,
            after: limit,
            committed: state.committed(),
        }),
        Err(Cut::Stopped) => Err(PluginError::Stopped {
            plugin: name,
            function,
            grace: sandbox.limits().stop_grace,
            committed: state.committed(),
        }),
    }
}

/// The word under which a call is counted.
fn result_of<T>(ended: &Ended<T>) -> PluginResult {
    match ended {
        Ok(Ok(Ok(Ok(_)))) => PluginResult::Ok,
        Ok(Ok(Ok(Err(_)))) => PluginResult::Fault,
        Ok(Ok(Err(error))) if trap::host_panic(error).is_none() => PluginResult::Trap,
        Ok(Ok(Err(_)) | Err(_)) => PluginResult::Failed,
        Err(Cut::Timeout) => PluginResult::Timeout,
        Err(Cut::Stopped) => PluginResult::Stopped,
    }
}

/// Instantiates a plugin once and calls nothing: a changed record or enum shows only here.
pub async fn dry_run(plugin: &Plugin, instance: InstancePre<State>) -> Result<(), PluginError> {
    let limit = plugin.sandbox().limits().pure_timeout;
    let scope = Scope::pure(START, traced());
    guarded(plugin, scope, limit, &StopFlag::new(), move |store| {
        Box::pin(async move { instance.instantiate_async(store).await.map(|_| Ok(())) })
    })
    .await
}

/// Awaits the guest, but not beyond the wall clock, and not beyond the grace after a stop. What is cut off is dropped.
async fn within<T>(
    running: impl Future<Output = T>,
    limit: Duration,
    stop: &StopFlag,
    grace: Duration,
) -> Result<T, Cut> {
    let deadline = tokio::time::Instant::now() + limit;
    let mut running = pin!(running);
    let first = async {
        tokio::select! {
            biased;
            ended = &mut running => Some(ended),
            () = stop.stopped() => None,
        }
    };
    match timeout_at(deadline, first).await {
        Ok(Some(ended)) => return Ok(ended),
        Ok(None) => {}
        Err(_) => return Err(Cut::Timeout),
    }
    tokio::select! {
        biased;
        ended = &mut running => Ok(ended),
        () = sleep(grace) => Err(Cut::Stopped),
    }
}

fn died(plugin: String, function: &'static str, state: &mut State, error: &Error) -> PluginError {
    if let Some(reason) = trap::host_panic(error) {
        return PluginError::Bug {
            plugin,
            function,
            reason: state.hush.clean(&reason),
        };
    }
    PluginError::Trap(Box::new(TrapReport {
        plugin,
        function,
        reason: state.hush.clean(&trap::reason(error)),
        log: state.log_lines(),
        stderr: state.stderr(),
        backtrace: trap::backtrace(error),
        committed: state.committed(),
    }))
}

#[cfg(test)]
mod tests {
    use super::{Cut, within};
    use crate::call::StopFlag;
    use std::time::Duration;

    const SHORT: Duration = Duration::from_millis(10);
    const LONG: Duration = Duration::from_secs(60);

    #[tokio::test]
    async fn what_ends_by_itself_gives_its_answer() {
        let stop = StopFlag::new();
        assert!(matches!(
            within(async { 7 }, LONG, &stop, SHORT).await,
            Ok(7)
        ));
    }

    #[tokio::test]
    async fn a_stop_has_grace_and_a_timeout_none() {
        let stop = StopFlag::new();
        let endless = std::future::pending::<()>;
        assert!(matches!(
            within(endless(), SHORT, &stop, LONG).await,
            Err(Cut::Timeout)
        ));
        stop.stop();
        assert!(stop.is_stopped());
        assert!(matches!(
            within(endless(), LONG, &stop, SHORT).await,
            Err(Cut::Stopped)
        ));
        let slow = async { tokio::time::sleep(SHORT).await };
        assert!(within(slow, LONG, &stop, LONG).await.is_ok());
    }
}
