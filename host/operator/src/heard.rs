//! When a watch last heard something of the API server. A watch says nothing of its own renewals, and in a namespace where
//! nothing happens they are all there is: so the answers are looked at that its client gets.

use std::error::Error;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::{Request, Response};
use kube::Client;
use kube::client::Body;
use kube::runtime::watcher;
use tower_service::Service;
use whimbrel_config::Kind;
use whimbrel_server::{Pulse, Pulses};
use whimbrel_signal::metric::{Gauge, Meter, Name};

use crate::requests::asked_pause;

/// How many times its time-out a watch may be silent before the process counts as dead.
const SILENCES: u32 = 3;

/// What a watch of a kind has heard.
pub struct Heard {
    pulse: Pulse,
    last: Gauge,
    patience: Duration,
}

impl Heard {
    /// For a watch that is renewed at the latest after `timeout`.
    pub fn new(kind: Kind, pulses: &Pulses, meter: &Meter, timeout: Duration) -> Arc<Self> {
        let kind = kind.as_str();
        let heard = Self {
            pulse: pulses.begin(format!("watch of {kind}")),
            last: meter.gauge(Name::WatchLastEvent, &[kind]),
            patience: timeout * SILENCES,
        };
        heard.pulse.expect(heard.patience);
        Arc::new(heard)
    }

    /// The API server gave an event, or a watch anew.
    pub fn hear(&self) {
        self.last.set_now();
        self.pulse.expect(self.patience);
    }

    /// The API server asks to come again later; until then nothing is heard.
    fn pause(&self, pause: Duration) {
        self.pulse.expect(self.patience.saturating_add(pause));
    }

    /// The watch failed. Where that is an answer, the loop lives, and a process that is started again would hear the same; it
    /// would only cut what runs. Silence is none.
    pub fn fail(&self, error: &watcher::Error) {
        if is_answer(error) {
            self.pulse.expect(self.patience);
        }
    }
}

/// Whether somebody said no: the API server, or the machine where it would be.
fn is_answer(error: &(dyn Error + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(kube::Error::Api(_)) = error.downcast_ref() {
            return true;
        }
        if let Some(error) = error.downcast_ref::<io::Error>() {
            let kind = error.kind();
            if kind == io::ErrorKind::ConnectionRefused || kind == io::ErrorKind::ConnectionReset {
                return true;
            }
        }
        next = error.source();
    }
    false
}

/// A client whose good answers are heard. Refusals are given once the time is over that they ask for.
pub fn hearing(client: Client, heard: Arc<Heard>) -> Client {
    let namespace = client.default_namespace().to_owned();
    Client::new(Hearing { client, heard }, namespace)
}

struct Hearing {
    client: Client,
    heard: Arc<Heard>,
}

impl Service<Request<Body>> for Hearing {
    type Response = Response<Body>;
    type Error = kube::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, kube::Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), kube::Error>> {
        // Each request waits by itself.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let (client, heard) = (self.client.clone(), Arc::clone(&self.heard));
        Box::pin(async move {
            let response = client.send(request).await?;
            if response.status().is_success() {
                heard.hear();
            }
            if let Some(pause) = asked_pause(&response) {
                heard.pause(pause);
                tokio::time::sleep(pause).await;
            }
            Ok(response)
        })
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use kube::core::Status;
    use kube::runtime::watcher;

    use super::is_answer;

    #[test]
    fn a_refusal_is_an_answer_and_silence_is_none() {
        let failed = |error| is_answer(&watcher::Error::WatchStartFailed(error));
        let refused = Status::failure("no", "Forbidden").with_code(403);
        assert!(failed(kube::Error::Api(Box::new(refused))));
        let io = |kind| kube::Error::Service(Box::new(io::Error::from(kind)));
        assert!(failed(io(io::ErrorKind::ConnectionRefused)));
        assert!(!failed(io(io::ErrorKind::TimedOut)));
    }
}
