//! Which commit says what a project and its environments are: what a change that is still to be judged must not decide.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use whimbrel_config::{Control as Documents, control_ref, load_control};
use whimbrel_core::environment::Environment;
use whimbrel_core::history::History;
use whimbrel_core::lineage::{OffBranch, Revision};
use whimbrel_core::name::TargetName;
use whimbrel_git::{Followed, GitError, Relation, Repository};

use crate::open::{Tree, load_options};
use crate::{OpenProject, ProjectError};

/// The control ref of a project that names none, and the place where a project that moved it says so.
const DEFAULT: &str = "main";

/// Where the project file, environments, plugins and grants are read from. Migrations always come from the location.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Control {
    /// The location itself: for whoever looks at definitions and reaches no database.
    #[default]
    AtHand,
    /// This ref.
    Ref(String),
    /// As the project says it for one of its environments, the only one if none is named: the project's `controlRef`
    /// for a revision, and in a work tree for an environment that follows a `branch`.
    Environment(Option<String>),
}

/// The control ref with what it says.
pub(crate) struct Controlling {
    pub(crate) reference: String,
    pub(crate) revision: Revision,
    pub(crate) tree: Tree,
    pub(crate) documents: Documents,
}

impl Controlling {
    /// Reads a ref. None when the repository doesn't have it, or the project isn't there.
    pub(crate) fn read(
        repository: &Repository,
        prefix: &str,
        reference: &str,
    ) -> Result<Option<Self>, ProjectError> {
        let followed = repository.follow(reference)?;
        let revision = match followed.as_ref().and_then(Followed::newest) {
            Some(revision) => revision.clone(),
            // A commit, `HEAD~1`, `origin/main`.
            None => match repository.resolve(reference) {
                Ok(revision) => revision,
                Err(GitError::UnknownReference { .. }) => return Ok(None),
                Err(error) => return Err(error.into()),
            },
        };
        let tree: Tree = match repository.tree(&revision, prefix) {
            Ok(tree) if control_ref(&tree).is_some() => Arc::new(tree),
            // The project isn't there yet.
            Ok(_) | Err(GitError::NoFolder { .. }) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let documents = load_control(&*tree, &load_options()).map_err(|source| {
            ProjectError::ControlDefinitions {
                reference: reference.to_owned(),
                source,
            }
        })?;
        Ok(Some(Self {
            reference: reference.to_owned(),
            revision,
            tree,
            documents,
        }))
    }

    /// The environment that is meant: the named one, or the only one.
    pub(crate) fn environment(&self, name: Option<&str>) -> Option<&Environment> {
        let mut all = self.documents.environments.values();
        match name {
            Some(name) => all.find(|environment| environment.name.as_str() == name),
            None => all
                .next()
                .filter(|_| self.documents.environments.len() == 1),
        }
    }
}

/// The project's control ref. It is asked of the branch that `origin` calls its own, then of `main`, and only where
/// neither has the project of the tree at hand: a pull request can't move it.
pub(crate) fn reference(
    repository: &Repository,
    prefix: &str,
    at_hand: &Tree,
) -> Result<String, ProjectError> {
    let trusted = repository
        .default_branch()
        .into_iter()
        .chain([DEFAULT.to_owned()]);
    for branch in trusted {
        let Some(Followed::Branch(tip)) = repository.follow(&branch)? else {
            continue;
        };
        // Where the project isn't on that branch, it says nothing.
        if let Ok(tree) = repository.tree(&tip, prefix)
            && let Some(said) = control_ref(&tree)
        {
            return Ok(said);
        }
    }
    Ok(control_ref(&**at_hand).unwrap_or_else(|| DEFAULT.to_owned()))
}

/// Why what is at hand isn't on the branch of an environment; none when it is, or nothing is followed.
pub(crate) fn off_branch(
    project: &OpenProject,
    environment: &Environment,
    histories: &BTreeMap<TargetName, History>,
) -> Result<Option<(String, OffBranch)>, ProjectError> {
    let Some(branch) = &environment.branch else {
        return apart(project, histories);
    };
    let off = |why| Ok(Some((branch.clone(), why)));
    let (Some(repository), Some(revision)) = (project.repository(), project.revision()) else {
        return off(OffBranch::NoCommit);
    };
    let Some(followed) = repository.follow(branch)? else {
        return off(OffBranch::NoBranch);
    };
    let is_on_it = match &followed {
        Followed::Branch(tip) => matches!(
            repository.relation(revision, tip)?,
            Relation::Same | Relation::Descendant
        ),
        Followed::Branches(tips) => {
            let mut on_one = false;
            for tip in tips {
                on_one = on_one
                    || matches!(
                        repository.relation(revision, tip)?,
                        Relation::Same | Relation::Descendant
                    );
            }
            on_one
        }
        Followed::Tags(tags) => tags.iter().any(|tag| tag.commit == revision.commit),
    };
    if !is_on_it {
        return off(OffBranch::Elsewhere);
    }
    if revision.dirty {
        return off(OffBranch::Uncommitted);
    }
    // Versions may come from branches of their own; one branch goes forwards only.
    if matches!(followed, Followed::Branch(_))
        && let Some(applied) = rewritten(repository, revision, histories)?
    {
        return off(OffBranch::Rewritten { applied });
    }
    Ok(None)
}

/// The same of an environment that names no branch: anything may be applied to it, but the branch that a source or a person
/// follows elsewhere goes forwards only, too. Commits, tags and patterns are chosen anew each time.
fn apart(
    project: &OpenProject,
    histories: &BTreeMap<TargetName, History>,
) -> Result<Option<(String, OffBranch)>, ProjectError> {
    let (Some(branch), Some(repository), Some(revision)) =
        (&project.followed, project.repository(), project.revision())
    else {
        return Ok(None);
    };
    let applied = rewritten(repository, revision, histories)?;
    Ok(applied.map(|applied| (branch.clone(), OffBranch::Apart { applied })))
}

/// A commit that was applied last somewhere, and that the revision at hand doesn't have.
fn rewritten(
    repository: &Repository,
    revision: &Revision,
    histories: &BTreeMap<TargetName, History>,
) -> Result<Option<Revision>, ProjectError> {
    let last = histories.values().filter_map(|history| {
        let records = history.records.iter();
        let last = records.max_by_key(|record| record.sequence)?;
        last.revision.as_ref().filter(|applied| !applied.dirty)
    });
    for applied in last.collect::<BTreeSet<_>>() {
        let is_gone = match repository.relation(applied, revision)? {
            Relation::Diverged => true,
            // A shallow clone can't tell.
            Relation::UnknownRevision => !repository.is_shallow(),
            Relation::Same | Relation::Descendant | Relation::Ancestor => false,
        };
        if is_gone {
            return Ok(Some(applied.clone()));
        }
    }
    Ok(None)
}
