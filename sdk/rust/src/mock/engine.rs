//! The engine that a resource asks in a test.

use serde_json::Value as Json;

use super::Host;
use crate::{Fault, FaultClass};

/// Answers one request.
type Answering = Box<dyn FnMut(&str, &Json) -> Result<Json, Fault>>;

#[derive(Default)]
pub(super) struct Engine {
    answering: Option<Answering>,
    asked: Vec<(String, Json)>,
}

impl Engine {
    pub(super) fn ask(&mut self, question: &str, request: &str) -> Result<String, Fault> {
        let request: Json = serde_json::from_str(request)?;
        self.asked.push((question.to_owned(), request.clone()));
        let Some(answering) = &mut self.answering else {
            let message = "the mock host has no engine: give it one by `Host::with_engine`";
            return Err(Fault::new(FaultClass::Denied, "engine.denied", message));
        };
        Ok(answering(question, &request)?.to_string())
    }
}

impl Host {
    /// Answers what a resource asks: `plan`, `apply`, `revert` or `status`, with the request.
    #[must_use]
    pub fn with_engine(
        mut self,
        answering: impl FnMut(&str, &Json) -> Result<Json, Fault> + 'static,
    ) -> Self {
        self.engine.answering = Some(Box::new(answering));
        self
    }

    /// What the engine was asked, in order.
    #[must_use]
    pub fn asked(&self) -> &[(String, Json)] {
        &self.engine.asked
    }
}
