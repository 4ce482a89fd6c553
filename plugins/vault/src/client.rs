//! A login in use: requests with its token, once more after a new login when the token turns out to be over.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use rustify::Endpoint;
use vaultrs::api;
use vaultrs::client::{Client, VaultClient, VaultClientSettingsBuilder};
use vaultrs::error::ClientError;
use whimbrel_sdk::{Duration, Fault};

use crate::config::{Config, LoginMethod};
use crate::endpoint::{Call, Envelope};
use crate::login;
use crate::refusal::{Refusal, unreadable};
use crate::session::Login;

/// Runs a future of `vaultrs`, which is ready at once: the `http` import answers synchronously.
pub(crate) fn now<F: Future>(future: F) -> Result<F::Output, Refusal> {
    let mut future = pin!(future);
    match future
        .as_mut()
        .poll(&mut Context::from_waker(Waker::noop()))
    {
        Poll::Ready(output) => Ok(output),
        Poll::Pending => Err(Refusal::Other(unreadable("it isn't there at once"))),
    }
}

/// A client of `vaultrs` with this token, or with none.
pub(crate) fn client(config: &Config, token: &str) -> Result<VaultClient, Fault> {
    let settings = VaultClientSettingsBuilder::default()
        .address(&config.address)
        .namespace(config.namespace.clone())
        .token(token)
        // Said, so that nothing is looked for in an environment that isn't there.
        .verify(true)
        .ca_certs(Vec::new())
        .identity(None)
        .build();
    settings
        .map_err(|error| Fault::invalid("/address", error.to_string()))
        .and_then(|settings| {
            VaultClient::new(settings)
                .map_err(|error| Refusal::from(error).into_fault("connecting"))
        })
}

/// A login in use.
pub(crate) struct Connection<'a> {
    pub(crate) config: &'a Config,
    pub(crate) login: Login,
    client: VaultClient,
    /// Whether the token may turn out to be over: it wasn't made in this call.
    is_old: bool,
}

impl<'a> Connection<'a> {
    /// With the login of an earlier call, renewed if that is due, or with a new one. The client may be there already.
    pub(crate) fn open(config: &'a Config, ready: Option<VaultClient>) -> Result<Self, Fault> {
        let (login, is_old) = login::current(config)?;
        let mut client = ready.map_or_else(|| client(config, ""), Ok)?;
        client.set_token(&login.token);
        login.work_under();
        Ok(Self {
            config,
            login,
            client,
            is_old,
        })
    }

    /// Makes sure that what is lent now isn't soon ended by its login.
    pub(crate) fn freshen(&mut self) -> Result<(), Fault> {
        let login = login::fresh(self.config, self.login.clone())?;
        self.is_old &= login.token == self.login.token;
        self.take(login);
        Ok(())
    }

    /// Lets the login hold for so long, if it can.
    pub(crate) fn last(&mut self, want: Duration) -> Result<(), Fault> {
        let login = login::lasting(self.config, self.login.clone(), want)?;
        self.take(login);
        Ok(())
    }

    fn take(&mut self, login: Login) {
        self.client.set_token(&login.token);
        login.work_under();
        self.login = login;
    }

    /// Does what a function of `vaultrs` does, again after a new login if the token is over.
    pub(crate) fn run<T>(
        &mut self,
        action: impl AsyncFn(&VaultClient) -> Result<T, ClientError>,
    ) -> Result<T, Refusal> {
        let answer = now(action(&self.client))?.map_err(Refusal::from);
        match answer {
            Err(refusal) if refusal.code() == Some(403) && self.replace()? => {
                now(action(&self.client))?.map_err(Refusal::from)
            }
            answer => answer,
        }
    }

    /// A request that answers with something.
    pub(crate) fn call(&mut self, call: &Call) -> Result<Envelope, Refusal> {
        self.exec(call)
    }

    fn exec<E: Endpoint + Clone>(&mut self, endpoint: &E) -> Result<E::Response, Refusal> {
        self.run(async |client| api::exec_with_no_result(client, endpoint.clone()).await)
    }

    /// A request that answers with nothing.
    pub(crate) fn call_for_nothing(&mut self, call: &Call) -> Result<(), Refusal> {
        self.run(async |client| done(client, call.clone()).await)
    }

    /// After a 403: it is the token or the policy, and only asking for the token itself tells. A token that is over is
    /// replaced; one that isn't is kept, because its leases end with it.
    fn replace(&mut self) -> Result<bool, Refusal> {
        if !self.is_old {
            return Ok(false);
        }
        let looked = now(api::exec_with_no_result(
            &self.client,
            Call::get("auth/token/lookup-self"),
        ))?;
        match looked.map_err(Refusal::from) {
            Err(refusal) if refusal.code() == Some(403) => {}
            _ => return Ok(false),
        }
        if matches!(self.config.login, LoginMethod::Token(_)) {
            return Err(Refusal::Other(login::over()));
        }
        self.is_old = false;
        let login =
            login::renewed(self.config, Some(self.login.clone())).map_err(Refusal::Other)?;
        self.take(login);
        Ok(true)
    }
}

/// A request that Vault itself says is done: without a body, or with one of its own that warns. A page of whatever stands
/// before it says so, too, and nothing was done.
pub(crate) async fn done(client: &VaultClient, call: Call) -> Result<(), ClientError> {
    match api::exec_with_no_result(client, call).await {
        Err(ClientError::RestClientError {
            source: rustify::errors::ClientError::ResponseParseError { content, .. },
        }) if content.as_deref() == Some("") => Ok(()),
        answer => answer.map(|_| ()),
    }
}
