//! `whimbrel:secrets`: the session of a secret store's call. Checks for webhooks are no part of any call yet.

use std::sync::Arc;

use wasmtime::Result;
use zeroize::Zeroizing;

use crate::bindings::imports::whimbrel::secrets::{session, verify};
use crate::capability::Denied;
use crate::instance::State;
use crate::session::Session;

impl State {
    fn session(&self) -> Result<Arc<Session>> {
        let session = self.scope.working.as_ref();
        let session = session.and_then(|working| working.session.clone());
        session.ok_or_else(|| self.not_here("secrets session").trap())
    }
}

impl session::Host for State {
    fn get(&mut self) -> Result<Option<Vec<u8>>> {
        Ok(self.session()?.get())
    }

    fn put(&mut self, login: Vec<u8>, conceal: Vec<Vec<u8>>, expires: Option<u64>) -> Result<()> {
        let login = Zeroizing::new(login);
        let conceal: Vec<_> = conceal.into_iter().map(Zeroizing::new).collect();
        let session = self.session()?;
        let size = login.len() + conceal.iter().map(|value| value.len()).sum::<usize>();
        let (bytes, values) = (self.limits.session_bytes, self.limits.concealed);
        if size > bytes || conceal.len() > values {
            let reason = format!("a login of more than {bytes} bytes or {values} concealed values");
            return Err(Denied::TooMuch(reason).trap());
        }
        for value in &conceal {
            self.hush.keep(value);
        }
        session.put(login, expires);
        Ok(())
    }

    fn forget(&mut self) -> Result<()> {
        self.session()?.forget();
        Ok(())
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
