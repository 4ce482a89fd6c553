//! What the hosts' documents have in common: commits, references, and who may not be believed.

use whimbrel_sdk::prelude::*;
use whimbrel_sdk::serde::de::DeserializeOwned;
use whimbrel_sdk::serde_json;
use whimbrel_sdk::webhook::{Event, PullRequest, Push, Rejection};

/// The longest name that is taken: more than any host allows.
const LONGEST_NAME: usize = 1_000;

/// The fewest digits of a commit: an abbreviation of Git's own has seven.
const FEWEST_DIGITS: usize = 7;

/// Changes of one push that are told; a person's push has one or two, and a mirror's can have thousands.
const MOST_CHANGES: usize = 1_000;

/// Reads a document.
pub(super) fn document<T: DeserializeOwned>(body: &[u8]) -> Result<T, Rejection> {
    serde_json::from_slice(body).map_err(|error| {
        malformed(format!(
            "line {} column {}: {}",
            error.line(),
            error.column(),
            category(&error)
        ))
    })
}

/// What is wrong with a document, without a word of it.
fn category(error: &serde_json::Error) -> &'static str {
    match error.classify() {
        serde_json::error::Category::Eof => "the body ends too early",
        serde_json::error::Category::Data => "not what this event has there",
        _ => "the body is no JSON",
    }
}

/// A rejection of what is genuine and can't be read.
pub(super) fn malformed(what: impl Into<String>) -> Rejection {
    Rejection::Malformed(what.into())
}

/// A name that may be shown and compared.
pub(super) fn name(what: &str, text: String) -> Result<String, Rejection> {
    if text.len() > LONGEST_NAME || text.chars().any(char::is_control) {
        return Err(malformed(format!("the {what}'s name is none")));
    }
    Ok(text)
}

/// A commit's name, whole or abbreviated.
pub(super) fn commit(text: String) -> Result<String, Rejection> {
    let is_commit = (FEWEST_DIGITS..=64).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if is_commit && !is_zero(&text) {
        Ok(text)
    } else {
        Err(malformed("what should be a commit is none"))
    }
}

/// A commit's name, or none for the zeros that stand for nothing.
pub(super) fn commit_or_none(text: Option<String>) -> Result<Option<String>, Rejection> {
    text.filter(|text| !is_zero(text)).map(commit).transpose()
}

fn is_zero(text: &str) -> bool {
    text.bytes().all(|byte| byte == b'0')
}

/// The full name of a reference, by the rules of `git check-ref-format`.
pub(super) fn reference(text: String) -> Result<String, Rejection> {
    let is_plain = |c: char| !c.is_control() && !" ~^:?*[\\".contains(c);
    let is_part = |part: &str| {
        !part.is_empty()
            && !part.starts_with('.')
            && !part.ends_with('.')
            && !part.ends_with(".lock")
    };
    let is_reference = text.starts_with("refs/")
        && text.len() <= LONGEST_NAME
        && text.chars().all(is_plain)
        && text.split('/').all(is_part)
        && !text.contains("..")
        && !text.contains("@{");
    if is_reference {
        Ok(text)
    } else {
        Err(malformed("what should be a reference is none"))
    }
}

/// A branch's full name.
pub(super) fn branch(name: &str) -> Result<String, Rejection> {
    reference(format!("refs/heads/{name}"))
}

/// One changed reference. What is at its old place and at its new place may be the zeros of nothing.
pub(super) fn change(
    name: String,
    before: Option<String>,
    after: Option<String>,
    forced: bool,
) -> Result<Push, Rejection> {
    Ok(Push {
        reference: reference(name)?,
        before: commit_or_none(before)?,
        after: commit_or_none(after)?,
        forced,
    })
}

/// A push.
pub(super) fn push(
    changes: impl IntoIterator<Item = Result<Push, Rejection>>,
) -> Result<Event, Rejection> {
    let changes = changes.into_iter().take(MOST_CHANGES);
    Ok(Event::Push(changes.collect::<Result<_, _>>()?))
}

/// A pull request as the hosts' documents say it.
pub(super) struct Request {
    pub number: u64,
    pub commit: String,
    /// What to fetch.
    pub reference: String,
    pub fork: Option<String>,
    pub base: String,
    pub open: bool,
}

impl Request {
    /// The event of it, checked.
    pub fn event(self) -> Result<Event, Rejection> {
        branch(&self.base)?;
        Ok(Event::PullRequest(PullRequest {
            number: self.number,
            head_commit: commit(self.commit)?,
            head_reference: reference(self.reference)?,
            fork: self.fork.map(|fork| name("fork", fork)).transpose()?,
            base_branch: self.base,
            open: self.open,
        }))
    }
}

/// What stands for a fork that is gone.
pub(super) const GONE: &str = "(deleted)";

/// The repository that a change comes from, unless it is the one that it goes to. A name that isn't there is a fork's: what
/// isn't known to be ours is somebody else's.
pub(super) fn fork(head: Option<&str>, base: &str) -> Option<String> {
    match head {
        Some(head) if head == base && !base.is_empty() => None,
        Some(head) if !head.is_empty() => Some(head.to_owned()),
        _ => Some(GONE.to_owned()),
    }
}

/// What is genuine and of no interest.
pub(super) fn ignored(what: &str) -> Event {
    let plain = what.chars().filter(|c| !c.is_control()).take(100);
    Event::Ignored(plain.collect())
}

/// A repository as GitHub, Gitea and Bitbucket Cloud name it.
#[derive(Default, Deserialize)]
#[serde(crate = "whimbrel_sdk::serde")]
pub(super) struct Named {
    #[serde(default)]
    pub full_name: String,
}
