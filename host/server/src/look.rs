//! An environment as it is asked about now: at the newest revision that was fetched, or at a commit that led there.

use std::sync::Arc;

use whimbrel_core::lineage::Revision;
use whimbrel_core::name::MigrationName;
use whimbrel_core::plan::{Plan, Work};
use whimbrel_engine::{Closing, Context, EngineError, Meanwhile, Opened, Selection, opening};
use whimbrel_git::{Relation, Repository};
use whimbrel_project::{Control, Location, Opening, Place, ProjectError};

use crate::audience::Nobody;
use crate::desired::{Desired, Marker};
use crate::environment::Environment;
use crate::problem::Problem;
use crate::said::Said;
use crate::server::Server;

/// The whole id of a commit. Nothing shorter: that could be the name of a branch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Commit(String);

impl Commit {
    /// The id.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::str::FromStr for Commit {
    type Err = Problem;

    fn from_str(text: &str) -> Result<Self, Problem> {
        let is_whole = matches!(text.len(), 40 | 64)
            && text
                .bytes()
                .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        if is_whole {
            Ok(Self(text.to_owned()))
        } else {
            Err(Problem::bad(format!(
                "`{text}` isn't the whole id of a commit"
            )))
        }
    }
}

/// An environment, open.
pub(crate) struct Look {
    pub(crate) desired: Arc<Desired>,
    /// The commit that it is kept at; none where files of a folder are followed.
    pub(crate) head: Option<String>,
    /// What is followed, where that has a name.
    pub(crate) reference: Option<String>,
}

impl Look {
    /// Opens an environment. Who it is, how it is reached and what runs for it is said by what is followed, also for an older
    /// commit: only the migrations are that one's. Unless somebody who may says it.
    pub(crate) async fn at(
        server: &Server,
        environment: &Environment,
        commit: Option<Commit>,
        said: Option<&Said>,
        context: &Context,
    ) -> Result<Self, Problem> {
        // It was fetched at least once, then.
        let kept = environment.desired();
        let kept =
            kept.ok_or_else(|| Problem::unavailable("the definitions haven't been read yet"))?;
        let selection = environment.source.selection(&environment.name);
        let name = environment.name.clone();
        let over = said.cloned();
        let work = move || begin(selection, commit, over.as_ref(), &name);
        let begun = tokio::task::spawn_blocking(work).await;
        let of = |error: &EngineError| Problem::of(error).scrubbed(server.context.scrubber());
        let begun = begun.map_err(|error| of(&EngineError::Task(error)))?;
        let begun = begun.map_err(|problem| problem.scrubbed(server.context.scrubber()))?;
        let mut look = Self {
            desired: kept,
            head: begun.head,
            reference: begun.reference,
        };
        // What is said makes it another one than what is kept.
        let marker = Marker::of(&begun.opening).filter(|_| said.is_none());
        if marker.is_some() && look.desired.marker == marker {
            return Ok(look);
        }
        let guard = server.guard();
        let guard = guard.ok_or_else(|| Problem::unavailable("this process ends"))?;
        let opened = Opened::of(begun.opening, &begun.selection, context, Meanwhile::Read).await;
        let opened = opened.map_err(|error| of(&error))?;
        look.desired = Arc::new(Desired::new(opened, marker, guard));
        Ok(look)
    }
}

/// The surroundings of who only looks.
pub(crate) fn looking(server: &Server) -> Context {
    let context = server.context.clone().unmeasured();
    context
        .with_audience(Arc::new(Nobody(server.context.scrubber().clone())))
        .with_closing(Closing::default())
}

/// What a plan of an older commit would apply that the newest one hasn't got, or has otherwise, and what it would revert that
/// the newest one has: that was decided otherwise since.
pub(crate) fn withdrawn(plan: &Plan, newest: &Opened) -> Vec<MigrationName> {
    let mut names = Vec::new();
    for target in &plan.targets {
        let desired = newest.project.desired(&target.target.database);
        let defined = |name: &MigrationName| {
            let mut all = desired.iter();
            all.find(|item| &item.migration.name == name)
        };
        for work in &target.work {
            let is_so = match work {
                Work::Apply(change) => {
                    defined(&change.migration).is_some_and(|item| item.checksum == change.checksum)
                }
                Work::Revert(change) => defined(&change.migration).is_none(),
                Work::Rename { to, .. } => defined(to).is_some(),
            };
            let name = match work {
                Work::Apply(change) | Work::Revert(change) => &change.migration,
                Work::Rename { to, .. } => to,
            };
            if !is_so {
                names.push(name.clone());
            }
        }
    }
    names.sort();
    names.dedup();
    names
}

struct Begun {
    opening: Opening,
    selection: Selection,
    head: Option<String>,
    reference: Option<String>,
}

fn begin(
    selection: Selection,
    commit: Option<Commit>,
    said: Option<&Said>,
    name: &str,
) -> Result<Begun, Problem> {
    let of = |error: EngineError| Problem::of(&error);
    let control = Control::Environment(selection.environment.clone());
    let newest = opening(&selection, control).map_err(of)?;
    let head = newest.revision().filter(|_| newest.is_revision()).cloned();
    let reference = followed(&selection.place, &newest, name);
    let older = commit.filter(|commit| head.as_ref().is_some_and(|head| head.commit != commit.0));
    let (opening, selection) = match (older, &head) {
        (Some(commit), Some(head)) => {
            require_ancestor(&selection.place, &commit, head, name)?;
            let selection = at(
                selection,
                &commit,
                newest.control_revision().unwrap_or(head),
            );
            let opening = opening(&selection, Control::default()).map_err(of)?;
            // Somebody could give a branch the name of a commit.
            if opening.revision().map(|revision| &revision.commit) != Some(&commit.0) {
                return Err(unknown(&commit, name));
            }
            (opening, selection)
        }
        _ => (newest, selection),
    };
    let opening = match said {
        None => opening,
        Some(said) => over(opening, said, name)?,
    };
    Ok(Begun {
        opening,
        selection,
        head: head.map(|head| head.commit),
        reference,
    })
}

/// The same with what somebody says of it.
fn over(opening: Opening, said: &Said, name: &str) -> Result<Opening, Problem> {
    let of = |error: ProjectError| Problem::of(&EngineError::from(error));
    let environment = opening.environment(name).map_err(of)?;
    said.require(environment)?;
    opening.with_override(name, said.over()).map_err(of)
}

/// The name of what is followed.
fn followed(place: &Place, newest: &Opening, name: &str) -> Option<String> {
    let said = match place {
        Place::Here(location) => &location.reference,
        Place::Elsewhere { reference, .. } | Place::Fetched { reference, .. } => reference,
        Place::Written { .. } => &None,
    };
    let branch = || newest.environment(name).ok()?.branch.clone();
    let of_a_repository = || {
        let default = newest.control_reference().map(str::to_owned);
        newest.is_revision().then(|| branch().or(default)).flatten()
    };
    said.clone().or_else(of_a_repository)
}

/// What was never followed isn't opened with the environment's credentials.
fn require_ancestor(
    place: &Place,
    commit: &Commit,
    head: &Revision,
    name: &str,
) -> Result<(), Problem> {
    let of = |error: EngineError| Problem::of(&error);
    let repository = match place {
        Place::Here(location) => Repository::discover(&location.folder)
            .map_err(|error| of(ProjectError::from(error).into()))?,
        Place::Fetched { repository, .. } => Some(repository.clone()),
        Place::Elsewhere { .. } | Place::Written { .. } => None,
    };
    let repository = repository.ok_or_else(|| unknown(commit, name))?;
    let relation = repository.relation(&Revision::commit(commit.0.clone()), head);
    match relation.map_err(|error| of(ProjectError::from(error).into()))? {
        Relation::Same | Relation::Descendant => Ok(()),
        Relation::Ancestor | Relation::Diverged | Relation::UnknownRevision => {
            Err(unknown(commit, name))
        }
    }
}

fn at(selection: Selection, commit: &Commit, control: &Revision) -> Selection {
    let reference = Some(commit.0.clone());
    let place = match selection.place {
        Place::Here(location) => Place::Here(Location {
            reference,
            ..location
        }),
        Place::Fetched {
            remote, repository, ..
        } => Place::Fetched {
            remote,
            repository,
            reference,
        },
        Place::Elsewhere { remote, .. } => Place::Elsewhere { remote, reference },
        // Of no repository, and so of no commit.
        written @ Place::Written { .. } => written,
    };
    Selection {
        place,
        control_ref: Some(control.commit.clone()),
        ..selection
    }
}

fn unknown(commit: &Commit, name: &str) -> Problem {
    let commit = &commit.0;
    Problem::not_found(format!(
        "`{commit}` isn't in the history of what `{name}` follows"
    ))
}

#[cfg(test)]
mod tests {
    use super::Commit;

    #[test]
    fn a_commit_is_said_by_its_whole_id() {
        assert!(
            "0123456789abcdef0123456789abcdef01234567"
                .parse::<Commit>()
                .is_ok()
        );
        for wrong in [
            "",
            "main",
            "0123456",
            "0123456789ABCDEF0123456789abcdef01234567",
        ] {
            assert!(wrong.parse::<Commit>().is_err(), "{wrong}");
        }
    }
}
