//! `whimbrel:secrets`: the session of a secret store's call, and the checks of a delivery.

use std::sync::Arc;

use wasmtime::Result;
use zeroize::Zeroizing;

use crate::bindings::imports::whimbrel::secrets::{session, verify};
use crate::capability::Denied;
use crate::instance::State;
use crate::live::LiveSecrets;
use crate::session::Visit;

impl State {
    fn visit(&self) -> Result<Arc<Visit>> {
        let visit = self.scope.working.as_ref();
        let visit = visit.and_then(|working| working.visit.clone());
        visit.ok_or_else(|| self.not_here("secrets session").trap())
    }

    fn live(&self) -> Result<&LiveSecrets> {
        let live = self.scope.live.as_ref();
        live.ok_or_else(|| self.not_here("secrets verify").trap())
    }
}

impl session::Host for State {
    fn get(&mut self) -> Result<Option<Vec<u8>>> {
        Ok(self.visit()?.session().get())
    }

    fn put(&mut self, login: Vec<u8>, conceal: Vec<Vec<u8>>, expires: Option<u64>) -> Result<()> {
        let login = Zeroizing::new(login);
        let conceal: Vec<_> = conceal.into_iter().map(Zeroizing::new).collect();
        let visit = self.visit()?;
        let size = login.len() + conceal.iter().map(|value| value.len()).sum::<usize>();
        let (bytes, values) = (self.limits.session_bytes, self.limits.concealed);
        if size > bytes || conceal.len() > values {
            let reason = format!("a login of more than {bytes} bytes or {values} concealed values");
            return Err(Denied::TooMuch(reason).trap());
        }
        for value in &conceal {
            self.hush.keep(value);
        }
        visit.session().put(login, expires);
        Ok(())
    }

    fn forget(&mut self) -> Result<()> {
        self.visit()?.session().forget();
        Ok(())
    }

    fn under(&mut self, login: String, expires: Option<u64>) -> Result<()> {
        let visit = self.visit()?;
        let limit = self.limits.name_bytes;
        if login.len() > limit {
            let reason = format!("a login whose name has more than {limit} bytes");
            return Err(Denied::TooMuch(reason).trap());
        }
        visit.work_under(login, expires);
        Ok(())
    }
}

impl verify::Host for State {
    fn hmac(
        &mut self,
        key: verify::Key,
        digest: verify::Digest,
        data: Vec<u8>,
        mac: Vec<u8>,
    ) -> Result<bool> {
        Ok(self.live()?.signed(key, digest, &data, &mac))
    }

    fn token(&mut self, token: Vec<u8>) -> Result<bool> {
        Ok(self.live()?.are_shown(&token))
    }
}
