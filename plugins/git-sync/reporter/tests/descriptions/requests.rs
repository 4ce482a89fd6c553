//! What a reporter sends.

use git_reporter::Reporter;
use whimbrel_sdk::http::{Request, Response};
use whimbrel_sdk::mock::{self, Host};
use whimbrel_sdk::prelude::*;
use whimbrel_sdk::reporter::{State, Status};

/// Every request of a reporter that sets each status, one without a link, makes a comment and replaces it.
pub fn all(host: &str, with: &Json) -> Vec<Request> {
    let link = || Some("https://whimbrel.test/plans/1".to_owned());
    let mut all = Vec::new();
    for (state, link) in [
        (State::Pending, link()),
        (State::Success, link()),
        (State::Failure, link()),
        (State::Success, None),
    ] {
        let status = Status {
            commit: "95790bf891e76fee5e1747ab589903a6a1f80f22".to_owned(),
            context: "whimbrel/production".to_owned(),
            state,
            summary: "2 migrations would run".to_owned(),
            link,
        };
        let (answer, mut host) =
            mock::report(answering(json!({})), with.clone(), |reporter: &Reporter| {
                reporter.set_status(&status)
            });
        answer.unwrap();
        all.extend(host.take_requests());
    }
    for text in [None, Some("[whimbrel]: # (m)\n\nold")] {
        let comments = answering(comments(host, text));
        let (answer, mut host) = mock::report(comments, with.clone(), |reporter: &Reporter| {
            reporter.put_comment(7, "m", "new")
        });
        answer.unwrap();
        all.extend(host.take_requests());
    }
    // Four statuses; comments that are read and one that is made; and read and replaced.
    assert_eq!(all.len(), 8);
    all
}

/// A page of no comment, or of one of ours.
fn comments(host: &str, text: Option<&str>) -> Json {
    let comment = |text| match host {
        "gitlab" => json!({ "id": 42, "body": text, "author": { "username": "bot" } }),
        "bitbucket-cloud" => {
            json!({ "id": 42, "content": { "raw": text }, "user": { "nickname": "bot" } })
        }
        "bitbucket-data-center" => {
            let comment =
                json!({ "id": 42, "version": 3, "text": text, "author": { "name": "bot" } });
            json!({ "action": "COMMENTED", "comment": comment })
        }
        _ => json!({ "id": 42, "body": text, "user": { "login": "bot" } }),
    };
    let all: Vec<Json> = text.map(comment).into_iter().collect();
    if host.starts_with("bitbucket") {
        json!({ "values": all, "isLastPage": true })
    } else {
        json!(all)
    }
}

fn answering(body: Json) -> Host {
    Host::without_database().with_responder(move |_| {
        Ok(Response {
            status: 200,
            headers: vec![],
            body: body.to_string().into_bytes(),
        })
    })
}
