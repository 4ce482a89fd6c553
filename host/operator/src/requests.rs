//! Requests to the API server: how long an answer is waited for, and what a refusal asks for that says when to come again.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use http::header::RETRY_AFTER;
use http::{Request, Response};
use kube::client::Body;
use kube::{Client, Config};
use tower_service::Service;

/// How long a connection may say nothing while an answer is waited for. A connection whose other end is gone says nothing
/// for ever, and whoever waits for it counts as stuck only after minutes.
const SILENCE: Duration = Duration::from_secs(30);

/// How much longer than it is held a watch may say nothing: the API server ends each in time, and one that is held for as long as
/// they are by default is given up within five minutes.
const MARGIN: Duration = Duration::from_secs(10);

/// The longest that a refusal can have somebody wait: whoever waits for longer counts as stuck.
const WAIT: Duration = Duration::from_secs(60);

/// Who asks the API server. Nobody asks again by itself: who needs an answer comes back, more and more slowly, and whether a
/// refusal is progress is known to who hears of it.
pub struct Clients {
    /// For what is answered at once.
    pub objects: Client,
    /// For what says nothing as long as nothing happens.
    pub watches: Client,
}

impl Clients {
    /// For watches that are renewed at the latest after `watch_timeout`.
    ///
    /// # Errors
    /// There is no client of this configuration.
    pub fn new(configuration: &Config, watch_timeout: Duration) -> Result<Self, kube::Error> {
        let client = |silence| {
            let mut own = configuration.clone();
            own.default_retry = false;
            own.read_timeout = Some(silence);
            // A connection that is used again has been silent for long.
            own.reset_reader_on_write = true;
            Client::try_from(own)
        };
        Ok(Self {
            objects: patient(client(SILENCE)?),
            watches: client(watch_timeout.saturating_add(MARGIN))?,
        })
    }
}

/// How long a refusal asks to wait until the next request, by `Retry-After` of RFC 9110, in seconds as the API server says it.
pub fn asked_pause<B>(response: &Response<B>) -> Option<Duration> {
    if response.status().is_success() {
        return None;
    }
    let seconds = response.headers().get(RETRY_AFTER)?.to_str().ok()?;
    let seconds = seconds.trim().parse().ok()?;
    Some(Duration::from_secs(seconds).min(WAIT))
}

/// A client whose refusals are given once the time is over that they ask for: whoever asks again does it then.
fn patient(client: Client) -> Client {
    let namespace = client.default_namespace().to_owned();
    Client::new(Patient(client), namespace)
}

struct Patient(Client);

impl Service<Request<Body>> for Patient {
    type Response = Response<Body>;
    type Error = kube::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, kube::Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), kube::Error>> {
        // Each request waits by itself.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let client = self.0.clone();
        Box::pin(async move {
            let response = client.send(request).await?;
            if let Some(pause) = asked_pause(&response) {
                tokio::time::sleep(pause).await;
            }
            Ok(response)
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use http::Response;

    use super::{WAIT, asked_pause};

    #[test]
    fn only_a_refusal_asks_for_a_pause_and_for_a_bounded_one() {
        let asked = |status: u16, after: &str| {
            let response = Response::builder().status(status);
            asked_pause(&response.header("retry-after", after).body(()).unwrap())
        };
        assert_eq!(asked(429, "3"), Some(Duration::from_secs(3)));
        assert_eq!(asked(503, " 1 "), Some(Duration::from_secs(1)));
        assert_eq!(asked(429, "18446744073709551615"), Some(WAIT));
        assert_eq!(asked(200, "3"), None);
        for nonsense in ["", "-1", "soon", "Fri, 31 Dec 1999 23:59:59 GMT"] {
            assert_eq!(asked(429, nonsense), None);
        }
    }
}
