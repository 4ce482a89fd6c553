//! Writes promotion records: the whole of what an environment has in one commit, signed where there is a key.
//!
//! The ref moves by compare-and-swap, so two writers lose nothing. A writer with a key or with a list of signers never
//! vouches for what somebody else has written: only what such a signature covers is kept.

use std::thread;
use std::time::Duration;

use git2::{Commit, ErrorCode, FileMode, Oid, Signature};
use whimbrel_core::lineage::Revision;
use whimbrel_core::name::EnvironmentName;
use whimbrel_core::promotion::PromotionRecord;

use crate::promotion::file;
use crate::{GitError, Repository, SignatureError, Signers, SigningKey};

/// How often a write is tried when others write the same ref.
const ATTEMPTS: u32 = 20;

/// How long the first wait between two attempts is; later ones are longer.
const FIRST_WAIT: Duration = Duration::from_millis(5);

/// How long a wait becomes at most; all of them take two seconds at the outside.
const LONGEST_WAIT: Duration = Duration::from_millis(150);

const WRITING: &str = "writing promotion records";

/// What an environment publishes at once.
#[derive(Clone, Copy, Debug)]
pub struct Publication<'a> {
    /// The environment.
    pub environment: &'a EnvironmentName,
    /// Its records, each in the place of an earlier one of the same migration.
    pub records: &'a [PromotionRecord],
    /// Whether those are all that it has.
    pub reach: Reach,
    /// What signs the commit, if anything does.
    pub key: Option<&'a SigningKey>,
    /// Whose earlier records are kept besides the key's own; everybody's where there is no key either.
    pub signers: Option<&'a Signers>,
}

/// How much of an environment was looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// All of it: what is published before of other migrations is withdrawn.
    Everything,
    /// Some of its databases: what is published of other migrations stays.
    Part,
}

/// What became of a publication.
#[derive(Debug)]
pub struct Published {
    /// The commit that holds the records now; none when there is nothing to publish.
    pub head: Option<Revision>,
    /// Why what was there before didn't count, and so was not built upon.
    pub distrusted: Option<String>,
}

/// What a ref holds that is to be moved.
struct Before<'r> {
    id: Oid,
    /// None when it names something else.
    commit: Option<Commit<'r>>,
    distrusted: Option<String>,
}

impl Repository {
    /// Publishes records of an environment. Nothing is written when nothing changes.
    ///
    /// # Errors
    /// The ref can't be written, or what it holds is signed and there is no key.
    pub fn publish_promotions(&self, publication: &Publication<'_>) -> Result<Published, GitError> {
        let name = Self::promotion_reference(publication.environment);
        let mut wait = FIRST_WAIT;
        for _ in 0..ATTEMPTS {
            if let Some(published) = self.try_publish(&name, publication)? {
                return Ok(published);
            }
            thread::sleep(wait);
            wait = (wait * 2).min(LONGEST_WAIT);
        }
        Err(GitError::Contended(name))
    }

    /// One attempt; none when somebody else was quicker.
    fn try_publish(
        &self,
        name: &str,
        publication: &Publication<'_>,
    ) -> Result<Option<Published>, GitError> {
        let repository = self.lock();
        let before = before(&repository, name, publication)?;
        let commit = before.as_ref().and_then(|before| before.commit.as_ref());
        let is_trusted = before.as_ref().is_none_or(|it| it.distrusted.is_none());
        let kept = match publication.reach {
            Reach::Part if is_trusted => commit.map(Commit::tree).transpose(),
            Reach::Part | Reach::Everything => Ok(None),
        };
        let tree = kept
            .and_then(|kept| new_tree(&repository, kept.as_ref(), publication.records))
            .map_err(GitError::doing(WRITING))?;
        let unchanged = match &before {
            Some(_) => is_trusted && commit.is_some_and(|commit| commit.tree_id() == tree),
            None => publication.records.is_empty(),
        };
        let expected = before.as_ref().map_or(Oid::ZERO_SHA1, |before| before.id);
        let done = |head: Option<Oid>| Published {
            head: head.map(|head| Revision::commit(head.to_string())),
            distrusted: before.as_ref().and_then(|before| before.distrusted.clone()),
        };
        if unchanged {
            return Ok(Some(done(before.as_ref().map(|before| before.id))));
        }
        if let (None, Some(commit)) = (publication.key, commit)
            && repository.extract_signature(&commit.id(), None).is_ok()
        {
            return Err(GitError::NoSigningKey(publication.environment.to_string()));
        }
        let count = publication.records.len();
        let message = format!("{}: {count} published\n", publication.environment);
        let new = new_commit(&repository, tree, commit, &message, publication.key)
            .map_err(GitError::doing(WRITING))?;
        // Zero says that there must be none yet. A creation without it is checked before the ref is locked, and of two
        // at once one would be lost.
        let log = message.trim_end();
        let moved = repository.reference_matching(name, new, true, expected, log);
        match moved.map(|_| ()) {
            Ok(()) => Ok(Some(done(Some(new)))),
            Err(error)
                if matches!(
                    error.code(),
                    ErrorCode::Modified
                        | ErrorCode::Exists
                        | ErrorCode::Locked
                        | ErrorCode::NotFound
                ) =>
            {
                Ok(None)
            }
            Err(source) => Err(GitError::doing(WRITING)(source)),
        }
    }
}

/// What the ref holds, and whether it counts.
fn before<'r>(
    repository: &'r git2::Repository,
    name: &str,
    publication: &Publication<'_>,
) -> Result<Option<Before<'r>>, GitError> {
    let reference = match repository.find_reference(name) {
        Ok(reference) => reference,
        Err(error) if error.code() == ErrorCode::NotFound => return Ok(None),
        Err(source) => return Err(GitError::doing(WRITING)(source)),
    };
    let id = reference.target().ok_or_else(|| {
        GitError::doing(WRITING)(git2::Error::from_str("its ref is a symbolic one"))
    })?;
    let Ok(commit) = reference.peel_to_commit() else {
        return Ok(Some(Before {
            id,
            commit: None,
            distrusted: Some("its ref named no commit".to_owned()),
        }));
    };
    let own = publication.key.map(SigningKey::signers);
    let counted = [own.as_ref(), publication.signers];
    let mut distrusted = None;
    for signers in counted.into_iter().flatten() {
        match Repository::verify_in(repository, &commit, signers) {
            Ok(_) => {
                distrusted = None;
                break;
            }
            Err(SignatureError::Commit { problem, .. }) => {
                distrusted = Some(format!("what was there {problem}"));
            }
            Err(SignatureError::Git(error)) => return Err(error),
            Err(error) => distrusted = Some(error.to_string()),
        }
    }
    Ok(Some(Before {
        id,
        commit: Some(commit),
        distrusted,
    }))
}

fn new_tree(
    repository: &git2::Repository,
    kept: Option<&git2::Tree<'_>>,
    records: &[PromotionRecord],
) -> Result<Oid, git2::Error> {
    let mut builder = repository.treebuilder(kept)?;
    for record in records {
        let mut text = serde_json::to_string_pretty(record)
            .map_err(|error| git2::Error::from_str(&error.to_string()))?;
        text.push('\n');
        let blob = repository.blob(text.as_bytes())?;
        builder.insert(file(&record.migration), blob, FileMode::Blob.into())?;
    }
    builder.write()
}

/// Whoever was there before is a parent, trusted or not: so the ref goes forwards, and the tree alone counts.
fn new_commit(
    repository: &git2::Repository,
    tree: Oid,
    previous: Option<&Commit<'_>>,
    message: &str,
    key: Option<&SigningKey>,
) -> Result<Oid, git2::Error> {
    // A pipeline often has no user.name: the records say themselves where they come from.
    let author = repository
        .signature()
        .or_else(|_| Signature::now("whimbrel", "whimbrel@localhost"))?;
    let tree = repository.find_tree(tree)?;
    let parents: Vec<_> = previous.into_iter().collect();
    let Some(key) = key else {
        return repository.commit(None, &author, &author, message, &tree, &parents);
    };
    let content = repository.commit_create_buffer(&author, &author, message, &tree, &parents)?;
    let content = std::str::from_utf8(&content)
        .map_err(|_| git2::Error::from_str("the name of whoever commits is no text"))?;
    key.commit(repository, content)
}
