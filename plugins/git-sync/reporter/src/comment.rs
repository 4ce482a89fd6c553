//! One comment, found again by the marker that it carries.
//!
//! Anybody can write a marker. So a comment is ours only if our account wrote it: else a stranger's comment would be
//! overwritten with a plan that the stranger can change.

use whimbrel_sdk::prelude::*;

use crate::api::{Api, Call};
use crate::refusal;
use crate::service::{Comment, Service};
use crate::text;

/// Pages of comments that are looked through: some thousand comments, within the requests that a call may send.
const MOST_PAGES: u32 = 50;

/// Creates the comment, or replaces it.
pub(crate) fn put(
    api: &Api,
    service: &dyn Service,
    number: u64,
    marker: &str,
    markdown: &str,
) -> Result<(), Fault> {
    let line = line(marker)?;
    let body = text::markdown(&format!("{line}\n\n{markdown}"), service.longest_comment());
    let call = match find(api, service, number, &line)? {
        // What says the same already stays, and nobody is notified.
        Some(comment) if comment.text.trim_end() == body.trim_end() => return Ok(()),
        Some(comment) => service.replace(number, &comment, &body),
        None => service.create(number, &body),
    };
    let doing = format!("commenting on pull request {number}");
    let answer = api.send(call, &doing)?;
    if answer.is_success() {
        Ok(())
    } else {
        Err(refusal::of(&answer, &doing))
    }
}

/// The marker as a line that no host shows: a definition of a link that nothing refers to.
fn line(marker: &str) -> Result<String, Fault> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:".contains(c);
    if (1..=200).contains(&marker.len()) && marker.chars().all(is_plain) {
        return Ok(format!("[whimbrel]: # ({marker})"));
    }
    let message = format!("`{}` is no marker of a comment", marker.escape_debug());
    Err(Fault::new(FaultClass::Invalid, "git.marker", message))
}

fn find(
    api: &Api,
    service: &dyn Service,
    number: u64,
    line: &str,
) -> Result<Option<Comment>, Fault> {
    let doing = format!("reading the comments of pull request {number}");
    let mut place = Some(service.first_page());
    for _ in 0..MOST_PAGES {
        let Some(at) = place else {
            return Ok(None);
        };
        let answer = api.send(Call::get(service.comments(number, at)), &doing)?;
        if !answer.is_success() {
            return Err(refusal::of(&answer, &doing));
        }
        let body: Json = answer
            .json()
            .map_err(|_| Fault::unreadable("git.unreadable", "the Git host"))?;
        let page = service.page(&body, at);
        let is_ours = |comment: &Comment| {
            comment.text.lines().next().map(str::trim_end) == Some(line)
                && comment.authors.iter().any(|author| author == api.account())
        };
        if let Some(comment) = page.comments.into_iter().find(is_ours) {
            return Ok(Some(comment));
        }
        place = page.next;
    }
    let message = format!("{doing}: more than {MOST_PAGES} pages, and our own isn't among them");
    Err(Fault::new(
        FaultClass::Conflict,
        "git.too-many-comments",
        message,
    ))
}
