//! `whimbrel:resources/engine`: no part of any call yet.

use wasmtime::Result;

use crate::bindings::imports::whimbrel::resources::engine;
use crate::bindings::imports::whimbrel::types::types::Fault;
use crate::instance::State;

impl State {
    fn no_engine(&self) -> Result<Result<String, Fault>> {
        Ok(Err(self.not_here("engine").fault("engine.denied")))
    }
}

impl engine::Host for State {
    fn plan(&mut self, _: String) -> Result<Result<String, Fault>> {
        self.no_engine()
    }

    fn apply(&mut self, _: String) -> Result<Result<String, Fault>> {
        self.no_engine()
    }

    fn revert(&mut self, _: String) -> Result<Result<String, Fault>> {
        self.no_engine()
    }

    fn status(&mut self, _: String) -> Result<Result<String, Fault>> {
        self.no_engine()
    }
}
