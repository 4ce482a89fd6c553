//! Whether the schema that a version of an app needs is there. Once true it stays true until it is seen to be gone: no
//! push, no pending approval and no database that is away for a while takes an application down.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use tokio::sync::Mutex;
use whimbrel_core::name::{MigrationName, TargetName};
use whimbrel_engine::{EngineError, Opened, Wanted};

use crate::desired::Desired;

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
    Missing(String),
}

/// What was found so far.
pub(crate) struct Readiness {
    known: Mutex<BTreeMap<Need, Known>>,
    most: usize,
    lasting: Duration,
}

struct Known {
    /// The targets that had it; empty when some lack it.
    targets: BTreeSet<TargetName>,
    answer: Answer,
    at: Instant,
}

impl Readiness {
    pub(crate) fn new(most: usize, lasting: Duration) -> Self {
        Self {
            known: Mutex::default(),
            most,
            lasting,
        }
    }

    /// Whether it is there. Many who ask at once cost one look.
    pub(crate) async fn ask(&self, need: Need, desired: Option<&Desired>) -> Answer {
        // Held while looking, so that the others have what the first one finds.
        let mut all = self.known.lock().await;
        let before = all.get(&need);
        if let Some(known) = before
            && known.at.elapsed() < self.lasting
        {
            return known.answer.clone();
        }
        let had: BTreeSet<TargetName> = before
            .map(|known| known.targets.clone())
            .unwrap_or_default();
        let was_ready = before.is_some_and(|known| known.answer == Answer::Ready);
        let (answer, targets) = match desired {
            Some(_) if was_ready && need == Need::Nothing => (Answer::Ready, had),
            Some(desired) => look(&desired.opened, &need, had, was_ready).await,
            None if was_ready => (Answer::Ready, had),
            None => (
                Answer::Missing("the definitions haven't been read yet".to_owned()),
                had,
            ),
        };
        if all.len() >= self.most && !all.contains_key(&need) {
            // What wasn't asked for the longest goes.
            let oldest = all.iter().min_by_key(|(_, known)| known.at);
            if let Some(oldest) = oldest.map(|(need, _)| need.clone()) {
                all.remove(&oldest);
            }
        }
        let known = Known {
            targets,
            answer: answer.clone(),
            at: Instant::now(),
        };
        all.insert(need, known);
        answer
    }
}

/// Looks at the databases: at those that had it, else at all that should.
async fn look(
    opened: &Opened,
    need: &Need,
    had: BTreeSet<TargetName>,
    was_ready: bool,
) -> (Answer, BTreeSet<TargetName>) {
    let wanted = match wanted(opened, need, &had) {
        Ok(wanted) => wanted,
        // Its definitions can't be read any more: that takes nothing away.
        Err(_) if was_ready => return (Answer::Ready, had),
        Err(error) => return (Answer::Missing(error.to_string()), had),
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
                    let missing = format!("{name} is not applied on {target}");
                    return (Answer::Missing(missing), BTreeSet::new());
                }
            }
            // Away isn't gone.
            Err(_) if was_ready => {}
            Err(error) => {
                let scrubber = opened.context.scrubber();
                return (Answer::Missing(scrubber.scrub(&error.to_string())), had);
            }
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
        Need::Migration(name) => match Wanted::migration(opened, name) {
            // Its definition is gone, and its tables are still there.
            Err(EngineError::UnknownMigration(_)) if !had.is_empty() => {
                Wanted::named(name, had.iter().map(|target| target.database.clone()))
            }
            wanted => wanted?,
        },
    }))
}
