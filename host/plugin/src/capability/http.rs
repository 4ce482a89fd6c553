//! `whimbrel:http/client`: refuses until egress is served.

use wasmtime::Result;

use crate::bindings::imports::whimbrel::http::client;
use crate::bindings::imports::whimbrel::types::types::Fault;
use crate::grants::Need;
use crate::instance::State;

impl client::Host for State {
    fn send(&mut self, _: client::Request) -> Result<Result<client::Response, Fault>> {
        let denied = match self.working("http") {
            Ok(_) => self.refusal(Need::Http),
            Err(denied) => denied,
        };
        Ok(Err(denied.fault("http.denied")))
    }
}
