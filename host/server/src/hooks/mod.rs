//! Deliveries of Git hosts: a genuine one rings its source's bell, and says which pull request to look at. Nothing else in it
//! is believed.

mod bucket;
mod seen;

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use axum::http::StatusCode;
use tokio::sync::{Semaphore, SemaphorePermit};
use whimbrel_plugin::{GitEvent, Rejection, Verified, WebhookReceiver};
use whimbrel_signal::metric::{Provider, WebhookResult};

use crate::environment::Reach;
use crate::limits::Limits;
use crate::problem::Problem;
use crate::server::Server;
use crate::source::Source;

pub(crate) use bucket::Bucket;
pub(crate) use seen::Seen;

/// After how many seconds somebody who found no room may come again.
const AGAIN: u16 = 1;

/// After how many seconds somebody may come again whose delivery can't be checked: a person has to do something.
const MUCH_LATER: u16 = 60;

/// The room for deliveries.
pub(crate) struct Hooks {
    room: Semaphore,
    turns: Semaphore,
}

/// What became of a genuine delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    /// It rang.
    Rang,
    /// Its pull request will be looked at.
    Proposed,
    /// It was taken before.
    Duplicate,
    /// It is about nothing that is followed.
    Ignored,
}

/// Why a delivery isn't taken, and after how many seconds it may come again.
pub(crate) struct Refused {
    pub(crate) problem: Problem,
    pub(crate) again: Option<u16>,
}

impl From<Problem> for Refused {
    fn from(problem: Problem) -> Self {
        Self {
            problem,
            again: None,
        }
    }
}

impl Taken {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Rang | Self::Proposed => "accepted",
            Self::Duplicate => "duplicate",
            Self::Ignored => "ignored",
        }
    }

    /// Whether something follows from it.
    pub(crate) const fn rings(self) -> bool {
        matches!(self, Self::Rang | Self::Proposed)
    }
}

impl Hooks {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            room: Semaphore::new(limits.deliveries),
            turns: Semaphore::new(limits.deliveries_at_once),
        }
    }

    /// Room for one more, of a source from which not too many came.
    pub(crate) fn room(
        &self,
        server: &Server,
        source: &Source,
    ) -> Result<SemaphorePermit<'_>, Refused> {
        let room = self.room.try_acquire().map_err(|_| overloaded());
        let room = room.and_then(|room| match source.bucket.take(Instant::now()) {
            Ok(()) => Ok(room),
            Err(pause) => Err(too_many(pause)),
        });
        room.inspect_err(|_| self.count(server, "", WebhookResult::Overloaded))
    }

    /// Why a body couldn't be read.
    pub(crate) fn unreadable(&self, server: &Server, error: &axum::Error) -> Refused {
        if !is_too_long(error) {
            return Problem::bad("the body couldn't be read").into();
        }
        self.count(server, "", WebhookResult::Malformed);
        too_big().into()
    }

    /// Verifies a delivery and does what it asks for.
    pub(crate) async fn take(
        &self,
        server: &Arc<Server>,
        source: &Source,
        receiver: &WebhookReceiver,
        headers: &[(String, String)],
        body: &[u8],
    ) -> Result<Taken, Refused> {
        let received = {
            // Nobody closes it.
            let _turn = self.turns.acquire().await;
            receiver.receive(headers, body, SystemTime::now()).await
        };
        let verified = match received {
            Ok(verified) => verified,
            Err(rejection) => {
                self.count(server, "", result_of(&rejection));
                return Err(refusal(source, &rejection));
            }
        };
        let taken = self.act(source, &verified);
        let result = match &taken {
            Ok(Taken::Rang | Taken::Proposed) => WebhookResult::Accepted,
            Ok(Taken::Duplicate) => WebhookResult::Duplicate,
            Ok(Taken::Ignored) => WebhookResult::Ignored,
            Err(refused) if refused.again.is_some() => WebhookResult::Overloaded,
            Err(_) => WebhookResult::Unverified,
        };
        self.count(server, verified.provider(), result);
        taken
    }

    fn act(&self, source: &Source, verified: &Verified) -> Result<Taken, Refused> {
        let is_named = |name: &str| {
            let hosted = source.hosted();
            hosted.is_some_and(|hosted| hosted.source.is_repository(name))
        };
        if !verified.repository.is_empty() && !is_named(&verified.repository) {
            tracing::info!(source = %source.name, "a delivery is about another repository");
            let detail = format!("the source `{}` is another repository", source.name);
            let kind = "wrong-repository";
            return Err(Problem::new(StatusCode::FORBIDDEN, kind, "not here", detail).into());
        }
        if source.seen.knows(&verified.id, Instant::now()) {
            return Ok(Taken::Duplicate);
        }
        let taken = match &verified.event {
            GitEvent::Push(_) => {
                source.ring(Reach::Changes);
                Taken::Rang
            }
            GitEvent::PullRequest(request) => match &source.reports {
                Some(reports) if reports.propose(source, request).map_err(|_| overloaded())? => {
                    Taken::Proposed
                }
                _ => Taken::Ignored,
            },
            GitEvent::Ping | GitEvent::Other(_) | GitEvent::Ignored(_) => Taken::Ignored,
        };
        // What found no room may come again under its name.
        source.seen.remember(&verified.id, Instant::now());
        Ok(taken)
    }

    /// Counts what became of a delivery; the provider is empty where nobody can tell.
    #[allow(clippy::unused_self)]
    fn count(&self, server: &Server, provider: &str, result: WebhookResult) {
        let provider = match provider {
            "github" => Provider::GitHub,
            "gitlab" => Provider::GitLab,
            "bitbucket-cloud" => Provider::BitbucketCloud,
            "bitbucket-data-center" => Provider::BitbucketDataCenter,
            "gitea" | "forgejo" | "gogs" => Provider::Gitea,
            _ => Provider::Unknown,
        };
        server.measures.delivered(provider, result);
    }
}

const fn result_of(rejection: &Rejection) -> WebhookResult {
    match rejection {
        Rejection::Unknown | Rejection::Malformed(_) | Rejection::TooBig => {
            WebhookResult::Malformed
        }
        Rejection::Unsigned | Rejection::BadSignature | Rejection::Stale => {
            WebhookResult::Unverified
        }
        Rejection::Failed(_) => WebhookResult::Overloaded,
    }
}

fn refusal(source: &Source, rejection: &Rejection) -> Refused {
    let detail = rejection.to_string();
    match rejection {
        Rejection::Unsigned | Rejection::BadSignature | Rejection::Stale => {
            tracing::info!(source = %source.name, reason = rejection.as_str(), "a delivery isn't genuine");
            Problem::new(StatusCode::FORBIDDEN, "unproved", "not genuine", detail).into()
        }
        Rejection::Unknown | Rejection::Malformed(_) => Problem::bad(detail).into(),
        Rejection::TooBig => too_big().into(),
        Rejection::Failed(fault) => {
            tracing::warn!(source = %source.name, "a delivery can't be checked: {fault}");
            // What is wrong here is nobody's business elsewhere.
            Refused {
                problem: Problem::unavailable("the delivery can't be checked now"),
                again: Some(MUCH_LATER),
            }
        }
    }
}

fn overloaded() -> Refused {
    Refused {
        problem: Problem::unavailable("too many deliveries at once"),
        again: Some(AGAIN),
    }
}

fn too_many(pause: Duration) -> Refused {
    Refused {
        problem: Problem::unavailable("too many deliveries came"),
        again: Some(
            u16::try_from(pause.as_secs())
                .map_or(MUCH_LATER, |seconds| seconds.saturating_add(AGAIN)),
        ),
    }
}

fn too_big() -> Problem {
    let kind = "too-big";
    let detail = "a delivery has at most 1 MiB";
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, kind, "too big", detail)
}

/// Whether a body was cut off because of its length.
fn is_too_long(error: &axum::Error) -> bool {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if error.is::<http_body_util::LengthLimitError>() {
            return true;
        }
        cause = error.source();
    }
    false
}
