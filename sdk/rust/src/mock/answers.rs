//! A web server of prepared answers.

use std::collections::VecDeque;

use crate::http::{Request, Response};
use crate::{Fault, FaultClass, Retry};

/// Answers requests by method and the end of their URL's path and query. What is prepared for the same route is given in
/// order, and the last of it for as often as it is asked for. Anything else gets a fault that names the request.
#[derive(Default)]
pub struct Answers {
    routes: Vec<Route>,
}

struct Route {
    method: String,
    ending: String,
    answers: VecDeque<Result<Response, Fault>>,
}

impl Answers {
    /// Nothing prepared.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A response of this status and body.
    #[must_use]
    #[allow(
        clippy::needless_pass_by_value,
        reason = "a document is written where it is answered"
    )]
    pub fn on(self, method: &str, ending: &str, status: u16, body: impl ToString) -> Self {
        let response = Response {
            status,
            headers: Vec::new(),
            body: body.to_string().into_bytes(),
        };
        self.reply(method, ending, response)
    }

    /// This response.
    #[must_use]
    pub fn reply(self, method: &str, ending: &str, response: Response) -> Self {
        self.push(method, ending, Ok(response))
    }

    /// A response of 429, of which the `Retry-After` says to call again in so many seconds.
    #[must_use]
    pub fn busy(self, method: &str, ending: &str, seconds: u64) -> Self {
        let response = Response {
            status: 429,
            headers: vec![("Retry-After".to_owned(), seconds.to_string())],
            body: Vec::new(),
        };
        self.reply(method, ending, response)
    }

    /// No response, because the connection fails.
    #[must_use]
    pub fn fail(self, method: &str, ending: &str) -> Self {
        let fault = Fault::new(
            FaultClass::Unavailable,
            "http.unreachable",
            "the connection was refused",
        );
        self.push(method, ending, Err(fault.with_retry(Retry::Backoff)))
    }

    fn push(mut self, method: &str, ending: &str, answer: Result<Response, Fault>) -> Self {
        let known = self
            .routes
            .iter_mut()
            .find(|route| route.method == method && route.ending == ending);
        if let Some(route) = known {
            route.answers.push_back(answer);
        } else {
            self.routes.push(Route {
                method: method.to_owned(),
                ending: ending.to_owned(),
                answers: VecDeque::from([answer]),
            });
        }
        self
    }

    /// The answer to a request.
    ///
    /// # Errors
    /// A failure was prepared, or nothing.
    pub fn answer(&mut self, request: &Request) -> Result<Response, Fault> {
        let route = self
            .routes
            .iter_mut()
            .find(|route| route.method == request.method && request.url.ends_with(&route.ending));
        let answer = route.and_then(|route| {
            if route.answers.len() > 1 {
                route.answers.pop_front()
            } else {
                route.answers.front().cloned()
            }
        });
        answer.unwrap_or_else(|| {
            Err(Fault::new(
                FaultClass::Internal,
                "mock.unexpected",
                format!(
                    "no answer is prepared for {} {}",
                    request.method, request.url
                ),
            ))
        })
    }
}
