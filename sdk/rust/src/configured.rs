//! The one configured object of an instance: the host configures each new instance first, and then calls it.

use std::any::Any;
use std::cell::RefCell;

use crate::{Fault, FaultClass, log};

thread_local! {
    static CONFIGURED: RefCell<Option<Box<dyn Any>>> = const { RefCell::new(None) };
}

/// Keeps what was configured.
pub(crate) fn set<T: 'static>(object: T) {
    CONFIGURED.with(|configured| *configured.borrow_mut() = Some(Box::new(object)));
}

/// Calls what was configured.
pub(crate) fn on<T: 'static, R>(call: impl FnOnce(&T) -> Result<R, Fault>) -> Result<R, Fault> {
    log::hook_panics();
    CONFIGURED.with(|configured| {
        let configured = configured.borrow();
        let object = configured
            .as_ref()
            .and_then(|object| object.downcast_ref::<T>());
        object.map_or_else(
            || {
                Err(Fault::new(
                    FaultClass::Internal,
                    "not-configured",
                    "the plugin was called before it was configured",
                ))
            },
            call,
        )
    })
}
