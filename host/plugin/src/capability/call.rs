//! `whimbrel:observe/call`: what the current call is part of.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use wasmtime::Result;

use crate::bindings::imports::whimbrel::observe::call;
use crate::capability::Denied;
use crate::instance::State;

/// Milliseconds since the epoch.
pub fn instant(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH)
        .ok()
        .and_then(|since| u64::try_from(since.as_millis()).ok())
        .unwrap_or(0)
}

impl call::Host for State {
    fn run_id(&mut self) -> Result<String> {
        let working = self.working("call").map_err(Denied::trap)?;
        Ok(working.call.run_id.clone())
    }

    fn operation_id(&mut self) -> Result<String> {
        let working = self.working("call").map_err(Denied::trap)?;
        Ok(working.call.operation_id.clone())
    }

    fn attempt(&mut self) -> Result<u32> {
        let working = self.working("call").map_err(Denied::trap)?;
        Ok(working.call.attempt)
    }

    fn deadline(&mut self) -> Result<Option<u64>> {
        let working = self.working("call").map_err(Denied::trap)?;
        Ok(working.call.timeout.map(|_| instant(self.deadline)))
    }

    fn cancelled(&mut self) -> Result<bool> {
        let working = self.working("call").map_err(Denied::trap)?;
        Ok(working.call.stop.is_stopped())
    }

    async fn pause(&mut self, milliseconds: u64) -> Result<bool> {
        let working = self.working("call").map_err(Denied::trap)?;
        let stop = working.call.stop.clone();
        if self.is_in_transaction() {
            return Err(Denied::InTransaction { import: "pause" }.trap());
        }
        self.meter.pause();
        let cut_short = tokio::select! {
            biased;
            () = stop.stopped() => true,
            () = tokio::time::sleep(Duration::from_millis(milliseconds)) => false,
        };
        self.meter.resume();
        Ok(cut_short)
    }
}
