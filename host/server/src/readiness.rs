//! Whether the schema that a version of an app needs is there. Once true it stays true until it is seen to be gone: no
//! push, no pending approval and no database that is away for a while takes an application down.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio::sync::Semaphore;
use whimbrel_core::name::{MigrationName, TargetName};
use whimbrel_engine::{EngineError, Opened, Wanted};
use whimbrel_signal::Scrubbed;

use crate::environment::Environment;
use crate::limits::Limits;
use crate::server::Server;

/// What somebody needs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Need {
    /// The environment was read at all.
    Nothing,
    /// A migration is applied.
    Migration(MigrationName),
    /// Everything that a revision defines is applied.
    Revision(String),
}

/// The answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// It is there.
    Ready,
    /// It isn't, and why.
    Missing(Scrubbed),
}

/// What was found so far.
pub(crate) struct Readiness {
    known: Mutex<BTreeMap<Need, Known>>,
    /// Held while looking, so that many who ask at once cost one look.
    looking: tokio::sync::Mutex<()>,
    limits: Arc<Limits>,
}

#[derive(Clone)]
struct Known {
    /// The targets that had it; empty when some lack it.
    targets: BTreeSet<TargetName>,
    answer: Answer,
    at: Instant,
}

/// Whether it is there. Who asks for what was there is kept waiting for no database: the look goes on, and what it finds counts
/// for whoever asks next.
pub(crate) async fn ask(
    server: &Arc<Server>,
    environment: &Arc<Environment>,
    need: Need,
) -> Answer {
    let readiness = &environment.readiness;
    let (was_ready, is_looking) = (readiness.was_ready(&need), readiness.is_looking());
    let (looks, of) = (Arc::clone(server), Arc::clone(environment));
    let look = async move { of.readiness.find(need, &of, &looks.readers).await };
    if !was_ready {
        return look.await;
    }
    let patience = server.limits.readiness_patience;
    let found = if is_looking {
        tokio::time::timeout(patience, look).await.ok()
    } else {
        let look = tokio::time::timeout(patience, tokio::spawn(look)).await;
        look.ok().and_then(Result::ok)
    };
    found.unwrap_or(Answer::Ready)
}

impl Readiness {
    pub(crate) fn new(limits: Arc<Limits>) -> Self {
        Self {
            known: Mutex::default(),
            looking: tokio::sync::Mutex::default(),
            limits,
        }
    }

    fn was_ready(&self, need: &Need) -> bool {
        self.lock()
            .get(need)
            .is_some_and(|known| known.answer == Answer::Ready)
    }

    fn is_looking(&self) -> bool {
        self.looking.try_lock().is_err()
    }

    async fn find(&self, need: Need, environment: &Environment, readers: &Semaphore) -> Answer {
        let _alone = self.looking.lock().await;
        let before = self.lock().get(&need).cloned();
        if let Some(known) = &before
            && known.at.elapsed() < self.limits.readiness_time
        {
            return known.answer.clone();
        }
        let was_ready = before
            .as_ref()
            .is_some_and(|known| known.answer == Answer::Ready);
        let had = before.map(|known| known.targets).unwrap_or_default();
        let (answer, targets) = match environment.desired() {
            Some(_) if was_ready && need == Need::Nothing => (Answer::Ready, had),
            Some(desired) => {
                // Few at once: each opens connections.
                let _turn = readers.acquire().await;
                look(&desired.opened, &need, had, was_ready).await
            }
            None if was_ready => (Answer::Ready, had),
            None => (
                Answer::Missing("the definitions haven't been read yet".into()),
                had,
            ),
        };
        let known = Known {
            targets,
            answer: answer.clone(),
            at: Instant::now(),
        };
        self.remember(need, known);
        answer
    }

    fn remember(&self, need: Need, found: Known) {
        let mut all = self.lock();
        if all.len() >= self.limits.readiness && !all.contains_key(&need) {
            // What wasn't asked for the longest goes.
            let oldest = all.iter().min_by_key(|(_, known)| known.at);
            if let Some(oldest) = oldest.map(|(need, _)| need.clone()) {
                all.remove(&oldest);
            }
        }
        all.insert(need, found);
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Need, Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Looks at the databases: at those that had it, else at all that should.
async fn look(
    opened: &Opened,
    need: &Need,
    had: BTreeSet<TargetName>,
    was_ready: bool,
) -> (Answer, BTreeSet<TargetName>) {
    let missing = |why: &dyn Display| Answer::Missing(opened.context.scrubber().clean(why));
    let wanted = match wanted(opened, need, &had) {
        Ok(wanted) => wanted,
        // Its definitions can't be read any more: that takes nothing away.
        Err(_) if was_ready => return (Answer::Ready, had),
        Err(error) => return (missing(&error), had),
    };
    let names = opened.names();
    let all = names.into_iter().filter(|target| match &wanted {
        Some(wanted) => wanted.concerns(&target.database),
        None => true,
    });
    let asked: BTreeSet<TargetName> = if had.is_empty() {
        all.collect()
    } else {
        all.filter(|target| had.contains(target)).collect()
    };
    for target in &asked {
        match opened.history(target).await {
            Ok(history) => {
                let lacking = wanted
                    .as_ref()
                    .and_then(|wanted| wanted.lacking(target, &history));
                if let Some(name) = lacking {
                    let why = format!("{name} is not applied on {target}");
                    return (missing(&why), BTreeSet::new());
                }
            }
            // Away isn't gone.
            Err(_) if was_ready => {}
            Err(error) => return (missing(&error), had),
        }
    }
    (Answer::Ready, if had.is_empty() { asked } else { had })
}

/// What must be applied; none when it is enough that the targets can be read.
fn wanted(
    opened: &Opened,
    need: &Need,
    had: &BTreeSet<TargetName>,
) -> Result<Option<Wanted>, EngineError> {
    Ok(Some(match need {
        Need::Nothing => return Ok(None),
        Need::Revision(revision) => Wanted::revision(opened, revision)?,
        Need::Migration(name) => match Wanted::migration(opened, name.as_str()) {
            // Its definition is gone, and its tables are still there.
            Err(EngineError::UnknownMigration { .. }) if !had.is_empty() => {
                Wanted::named(name, had.iter().map(|target| target.database.clone()))
            }
            wanted => wanted?,
        },
    }))
}
