//! How soon a watch is asked for again. A watch that is ended is no failure, so nobody waits before the next one: where each is ended
//! at once, by the API server or by something before it, it would be asked for as often as that answers.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use http::{Request, Response};
use kube::Client;
use kube::client::Body;
use tokio::time::Instant;
use tower_service::Service;

use crate::requests::asked_pause;

/// A watch that goes on for less has ended at once, as client-go has it.
const SHORT: Duration = Duration::from_secs(1);
/// How long the next one waits after the first that ended at once; each further one doubles it.
const FIRST: Duration = Duration::from_millis(100);
/// The longest that one waits. Something may be between that ends each at its first event: these are to come soon all the same.
const LONGEST: Duration = Duration::from_secs(1);

/// A client for one watch, which is asked for again at the pace that this allows, and not before a refusal said.
pub fn paced(client: Client) -> Client {
    let namespace = client.default_namespace().to_owned();
    let pace = Arc::new(Mutex::new(Pace::default()));
    Client::new(Paced { client, pace }, namespace)
}

#[derive(Default)]
struct Pace {
    /// When the last one began.
    began: Option<Instant>,
    /// How long it had waited for that.
    waited: Duration,
    /// Until when a refusal asked to wait. Who heard of it may be gone.
    refused_until: Option<Instant>,
}

impl Pace {
    /// When a watch may begin that is wanted now.
    fn next(&mut self, now: Instant) -> Instant {
        let is_short = self.began.is_some_and(|began| now < began + SHORT);
        self.waited = if is_short {
            (self.waited * 2).clamp(FIRST, LONGEST)
        } else {
            Duration::ZERO
        };
        let at = now + self.waited;
        let at = self.refused_until.map_or(at, |until| at.max(until));
        self.began = Some(at);
        at
    }

    /// Everything is listed: the next watch goes on from there, and not from where the last one ended.
    const fn begin_anew(&mut self) {
        self.began = None;
    }
}

struct Paced {
    client: Client,
    pace: Arc<Mutex<Pace>>,
}

impl Service<Request<Body>> for Paced {
    type Response = Response<Body>;
    type Error = kube::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, kube::Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), kube::Error>> {
        // Each request waits by itself.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let (client, pace) = (self.client.clone(), Arc::clone(&self.pace));
        Box::pin(async move {
            if is_watch(&request) {
                let at = lock(&pace).next(Instant::now());
                tokio::time::sleep_until(at).await;
            } else {
                lock(&pace).begin_anew();
            }
            let response = client.send(request).await?;
            if let Some(pause) = asked_pause(&response) {
                lock(&pace).refused_until = Some(Instant::now() + pause);
            }
            Ok(response)
        })
    }
}

fn lock(pace: &Mutex<Pace>) -> MutexGuard<'_, Pace> {
    pace.lock().unwrap_or_else(PoisonError::into_inner)
}

fn is_watch<B>(request: &Request<B>) -> bool {
    let query = request.uri().query().unwrap_or_default();
    query.split('&').any(|one| one == "watch=true")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::Instant;

    use super::Pace;

    #[test]
    fn one_that_ends_at_once_is_waited_for_longer_and_longer_until_one_goes_on() {
        let mut pace = Pace::default();
        let mut now = Instant::now();
        let mut waits = || {
            let at = pace.next(now);
            let waited = at - now;
            now = at + Duration::from_millis(5);
            waited.as_millis()
        };
        let all: Vec<u128> = (0..7).map(|_| waits()).collect();
        assert_eq!(all, [0, 100, 200, 400, 800, 1000, 1000]);
        now += Duration::from_secs(1);
        assert_eq!(pace.next(now), now);
        pace.begin_anew();
        assert_eq!(pace.next(now), now);
    }

    #[test]
    fn a_refusal_is_listened_to_by_whoever_asks_next() {
        let now = Instant::now();
        let until = now + Duration::from_secs(3);
        let mut pace = Pace {
            refused_until: Some(until),
            ..Pace::default()
        };
        assert_eq!(pace.next(now), until);
        let later = until + Duration::from_secs(2);
        assert_eq!(pace.next(later), later);
    }
}
