//! What a receiver answers, checked before anybody gets it: bounded, and names of what they should name.

use super::{GitEvent, PullRequest, Push, Rejection, Verified};
use crate::bindings::webhook::exports::whimbrel::git::webhook as wit;
use crate::limits::Limits;

/// Checks an answer.
///
/// # Errors
/// Why it can't be used.
pub fn checked(
    answer: Result<wit::Verified, wit::Rejection>,
    limits: &Limits,
) -> Result<Result<Verified, Rejection>, String> {
    match answer {
        Ok(verified) => Check(limits).verified(verified).map(Ok),
        Err(rejection) => Ok(Err(rejected(rejection, limits))),
    }
}

fn rejected(rejection: wit::Rejection, limits: &Limits) -> Rejection {
    match rejection {
        wit::Rejection::Unknown => Rejection::Unknown,
        wit::Rejection::Unsigned => Rejection::Unsigned,
        wit::Rejection::BadSignature => Rejection::BadSignature,
        wit::Rejection::Stale => Rejection::Stale,
        wit::Rejection::Malformed(what) => {
            let plain = what.chars().filter(|c| !c.is_control());
            Rejection::Malformed(plain.take(limits.summary_bytes).collect())
        }
    }
}

struct Check<'a>(&'a Limits);

impl Check<'_> {
    fn verified(&self, given: wit::Verified) -> Result<Verified, String> {
        if given.id.is_empty() || given.id.len() > self.0.webhook_id_bytes {
            return Err(format!("an id of {} bytes", given.id.len()));
        }
        Ok(Verified {
            id: self.name("id", given.id)?,
            repository: self.name("repository", given.repository)?,
            event: self.event(given.event)?,
        })
    }

    fn event(&self, event: wit::Event) -> Result<GitEvent, String> {
        Ok(match event {
            wit::Event::Ping => GitEvent::Ping,
            wit::Event::Push(changes) => {
                if changes.len() > self.0.webhook_changes {
                    return Err(format!("{} changed references", changes.len()));
                }
                let changes = changes.into_iter().map(|one| self.push(one));
                GitEvent::Push(changes.collect::<Result<_, _>>()?)
            }
            wit::Event::PullRequest(request) => GitEvent::PullRequest(self.request(request)?),
            wit::Event::Other(text) => {
                if text.len() > self.0.details_bytes {
                    return Err(format!("an event of {} bytes", text.len()));
                }
                let json = serde_json::from_str(&text);
                GitEvent::Other(json.map_err(|error| format!("an event that is no JSON: {error}"))?)
            }
            wit::Event::Ignored(what) => GitEvent::Ignored(self.name("event", what)?),
        })
    }

    fn push(&self, push: wit::Push) -> Result<Push, String> {
        Ok(Push {
            reference: self.reference(push.reference)?,
            before: push.before.map(commit).transpose()?,
            after: push.after.map(commit).transpose()?,
            forced: push.forced,
        })
    }

    fn request(&self, request: wit::PullRequest) -> Result<PullRequest, String> {
        let fork = request.fork.map(|fork| self.name("fork", fork));
        Ok(PullRequest {
            number: request.number,
            head_commit: commit(request.head_commit)?,
            head_reference: self.reference(request.head_reference)?,
            fork: fork.transpose()?,
            base_branch: self.name("branch", request.base_branch)?,
            open: request.open,
        })
    }

    /// A text that may be shown, kept and compared.
    fn name(&self, what: &str, text: String) -> Result<String, String> {
        if text.len() > self.0.name_bytes || text.chars().any(char::is_control) {
            return Err(format!("a name of a {what} that is none"));
        }
        Ok(text)
    }

    /// The full name of a reference, which means nothing else to Git.
    fn reference(&self, text: String) -> Result<String, String> {
        let is_plain = |c: char| !c.is_whitespace() && !":^~?*[\\".contains(c);
        let text = self.name("reference", text)?;
        if text.starts_with("refs/") && text.chars().all(is_plain) && !text.contains("..") {
            Ok(text)
        } else {
            Err("a reference that is none".to_owned())
        }
    }
}

/// A commit's name, whole or abbreviated.
fn commit(text: String) -> Result<String, String> {
    let is_commit =
        (4..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if is_commit {
        Ok(text)
    } else {
        Err("a commit that is none".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::{GitEvent, Rejection, checked, wit};
    use crate::limits::Limits;

    fn verified(event: wit::Event) -> wit::Verified {
        wit::Verified {
            id: "github:1".to_owned(),
            repository: "a/b".to_owned(),
            event,
        }
    }

    fn push(reference: &str, commit: &str) -> wit::Event {
        wit::Event::Push(vec![wit::Push {
            reference: reference.to_owned(),
            before: None,
            after: Some(commit.to_owned()),
            forced: false,
        }])
    }

    fn is_believed(given: wit::Verified) -> bool {
        checked(Ok(given), &Limits::default()).is_ok()
    }

    #[test]
    fn names_of_other_things_are_not_believed() {
        assert!(is_believed(verified(push("refs/heads/a", "abcdef1"))));
        for (reference, commit) in [
            ("heads/a", "abcdef1"),
            ("refs/heads/a:b", "abcdef1"),
            ("refs/heads/../a", "abcdef1"),
            ("refs/heads/a b", "abcdef1"),
            ("refs/heads/a", "--upload-pack"),
            ("refs/heads/a", ""),
        ] {
            assert!(
                !is_believed(verified(push(reference, commit))),
                "{reference}"
            );
        }
        for (id, repository) in [("", "a/b"), ("x\n", "a/b"), ("x", "a\u{1b}b")] {
            let mut given = verified(wit::Event::Ping);
            (given.id, given.repository) = (id.to_owned(), repository.to_owned());
            assert!(!is_believed(given), "{id:?}");
        }
        let mut given = verified(wit::Event::Ping);
        given.id = "x".repeat(1_000);
        assert!(!is_believed(given));
    }

    #[test]
    fn too_much_is_not_believed() {
        let limits = Limits {
            webhook_changes: 0,
            details_bytes: 8,
            ..Limits::default()
        };
        for event in [
            push("refs/heads/a", "abcdef1"),
            wit::Event::Other("{\"a\":\"long enough\"}".to_owned()),
            wit::Event::Other("{".to_owned()),
        ] {
            assert!(checked(Ok(verified(event)), &limits).is_err());
        }
        let event = checked(Ok(verified(wit::Event::Other("[1]".to_owned()))), &limits);
        let event = event.unwrap().unwrap().event;
        assert_eq!(event, GitEvent::Other(serde_json::json!([1])));
    }

    #[test]
    fn rejections_come_through() {
        let limits = Limits::default();
        let said = |given| checked(Err(given), &limits).unwrap().unwrap_err();
        assert_eq!(said(wit::Rejection::Unknown).as_str(), "unknown");
        assert_eq!(said(wit::Rejection::Unsigned).as_str(), "unsigned");
        assert_eq!(said(wit::Rejection::BadSignature).as_str(), "bad_signature");
        assert_eq!(said(wit::Rejection::Stale).as_str(), "stale");
        let malformed = said(wit::Rejection::Malformed("a\u{1b}b".to_owned()));
        assert_eq!(malformed, Rejection::Malformed("ab".to_owned()));
        assert_eq!(malformed.as_str(), "malformed");
    }
}
