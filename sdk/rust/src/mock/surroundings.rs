//! What surrounds a call in a test, besides its database: web servers, clock, variables, files, a login.

use std::collections::BTreeMap;

use super::Host;
use crate::http::{Request, Response};
use crate::{Fault, FaultClass};

/// A login as the plugin put it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Login {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// What in it the host must hide.
    pub conceal: Vec<Vec<u8>>,
    /// Until when it may be used, in milliseconds since the Unix epoch.
    pub expires: Option<u64>,
}

type Responder = Box<dyn FnMut(&Request) -> Result<Response, Fault>>;

#[derive(Default)]
pub(super) struct Surroundings {
    responder: Option<Responder>,
    requests: Vec<Request>,
    now: u64,
    variables: BTreeMap<String, String>,
    files: BTreeMap<String, Vec<u8>>,
    login: Option<Login>,
    under: Option<(String, Option<u64>)>,
    random: u8,
}

impl Surroundings {
    pub(super) fn send(&mut self, request: &Request) -> Result<Response, Fault> {
        self.requests.push(request.clone());
        self.responder.as_mut().map_or_else(
            || {
                Err(Fault::new(
                    FaultClass::Denied,
                    "http.denied",
                    format!("the mock host grants no {}", request.url),
                ))
            },
            |respond| respond(request),
        )
    }

    pub(super) const fn now(&self) -> u64 {
        self.now
    }

    pub(super) const fn pass(&mut self, milliseconds: u64) {
        self.now = self.now.saturating_add(milliseconds);
    }

    pub(super) fn variable(&self, name: &str) -> Option<String> {
        self.variables.get(name).cloned()
    }

    pub(super) fn file(&self, path: &str) -> Result<Vec<u8>, Fault> {
        self.files.get(path).cloned().ok_or_else(|| {
            Fault::new(
                FaultClass::NotFound,
                "files.not-found",
                format!("the mock host has no file {path}"),
            )
        })
    }

    /// Different bytes each time, and the same in each test.
    pub(super) fn random(&mut self, count: u32) -> Vec<u8> {
        (0..count)
            .map(|_| {
                self.random = self.random.wrapping_mul(5).wrapping_add(17);
                self.random
            })
            .collect()
    }

    pub(super) fn login(&self) -> Option<Vec<u8>> {
        let login = self.login.as_ref()?;
        let is_over = login.expires.is_some_and(|expires| expires <= self.now);
        (!is_over).then(|| login.bytes.clone())
    }

    pub(super) fn put(&mut self, login: Login) {
        self.login = Some(login);
    }

    pub(super) fn forget(&mut self) {
        self.login = None;
    }

    pub(super) fn work_under(&mut self, login: &str, expires: Option<u64>) {
        self.under = Some((login.to_owned(), expires));
    }
}

impl Host {
    /// Requests are answered by this: [`Answers`](super::Answers), or anything that acts like the server.
    #[must_use]
    pub fn with_responder(
        mut self,
        responder: impl FnMut(&Request) -> Result<Response, Fault> + 'static,
    ) -> Self {
        self.surroundings.responder = Some(Box::new(responder));
        self
    }

    /// Requests are answered from these.
    #[must_use]
    pub fn with_answers(self, mut answers: super::Answers) -> Self {
        self.with_responder(move |request| answers.answer(request))
    }

    /// It is so many milliseconds after the Unix epoch; only pauses let time pass.
    #[must_use]
    pub const fn with_clock(mut self, now: u64) -> Self {
        self.surroundings.now = now;
        self
    }

    /// So many milliseconds pass.
    #[must_use]
    pub const fn later(mut self, milliseconds: u64) -> Self {
        self.surroundings.pass(milliseconds);
        self
    }

    /// This variable is granted and set.
    #[must_use]
    pub fn with_variable(mut self, name: &str, value: &str) -> Self {
        self.surroundings
            .variables
            .insert(name.to_owned(), value.to_owned());
        self
    }

    /// This file is granted and there.
    #[must_use]
    pub fn with_file(mut self, path: &str, contents: impl Into<Vec<u8>>) -> Self {
        self.surroundings
            .files
            .insert(path.to_owned(), contents.into());
        self
    }

    /// The requests since the last call of this, in order.
    pub fn take_requests(&mut self) -> Vec<Request> {
        std::mem::take(&mut self.surroundings.requests)
    }

    /// The requests, in order, as `METHOD URL`.
    #[must_use]
    pub fn requests(&self) -> Vec<String> {
        self.surroundings
            .requests
            .iter()
            .map(|request| format!("{} {}", request.method, request.url))
            .collect()
    }

    /// The login that the plugin put, if it didn't forget it.
    #[must_use]
    pub const fn login(&self) -> Option<&Login> {
        self.surroundings.login.as_ref()
    }

    /// The login that the plugin last said to work under, and until when that holds.
    #[must_use]
    pub const fn under(&self) -> Option<&(String, Option<u64>)> {
        self.surroundings.under.as_ref()
    }
}
