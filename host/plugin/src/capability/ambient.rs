//! `whimbrel:ambient`: the clock with its grant; randomness, environment and files refuse until they are served.

use std::time::SystemTime;

use wasmtime::Result;

use crate::bindings::imports::whimbrel::ambient::{clock, environment, files, random};
use crate::bindings::imports::whimbrel::types::types::Fault;
use crate::capability::Denied;
use crate::capability::call::instant;
use crate::grants::Need;
use crate::instance::State;

impl clock::Host for State {
    fn now(&mut self) -> Result<u64> {
        self.working("clock").map_err(Denied::trap)?;
        if !self.allows(Need::Clock) {
            return Err(self.refusal(Need::Clock).trap());
        }
        Ok(instant(SystemTime::now()))
    }
}

impl random::Host for State {
    fn bytes(&mut self, _: u32) -> Result<Vec<u8>> {
        Err(self.refusal(Need::Random).trap())
    }
}

impl environment::Host for State {
    fn get(&mut self, _: String) -> Result<Option<String>> {
        Err(self.refusal(Need::Environment).trap())
    }
}

impl files::Host for State {
    fn read(&mut self, _: String) -> Result<Result<Vec<u8>, Fault>> {
        Ok(Err(self.refusal(Need::Files).fault("files.denied")))
    }
}
