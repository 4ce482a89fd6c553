//! `whimbrel:secrets`: sessions of secret stores and checks for webhooks are no part of any call yet.

use wasmtime::Result;

use crate::bindings::imports::whimbrel::secrets::{session, verify};
use crate::instance::State;

impl session::Host for State {
    fn get(&mut self) -> Result<Option<Vec<u8>>> {
        Err(self.not_here("secrets session").trap())
    }

    fn put(&mut self, _: Vec<u8>, _: Vec<Vec<u8>>, _: Option<u64>) -> Result<()> {
        Err(self.not_here("secrets session").trap())
    }

    fn forget(&mut self) -> Result<()> {
        Err(self.not_here("secrets session").trap())
    }
}

impl verify::Host for State {
    fn hmac(&mut self, _: verify::Key, _: verify::Digest, _: Vec<u8>, _: Vec<u8>) -> Result<bool> {
        Err(self.not_here("secrets verify").trap())
    }

    fn token(&mut self, _: Vec<u8>) -> Result<bool> {
        Err(self.not_here("secrets verify").trap())
    }
}
