//! Requests are what the hosts' published descriptions of their APIs say: GitHub's and Gitea's, as their packages have them.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::path::PathBuf;

use git_reporter::Reporter;
use whimbrel_sdk::http::{Request, Response};
use whimbrel_sdk::mock::{self, Host};
use whimbrel_sdk::prelude::*;
use whimbrel_sdk::reporter::{State, Status};
use whimbrel_sdk::serde_json;

/// A description that `cargo xtask tools` fetched.
fn description(name: &str) -> Json {
    let home = std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache/whimbrel"));
    let cache = std::env::var_os("WHIMBREL_CACHE")
        .map(PathBuf::from)
        .or(home);
    let file = cache
        .expect("a home or WHIMBREL_CACHE")
        .join("tools/payloads")
        .join(name);
    let text = std::fs::read(&file).unwrap_or_else(|error| {
        panic!(
            "{}: {error}: `cargo xtask tools` fetches it",
            file.display()
        )
    });
    serde_json::from_slice(&text).unwrap()
}

/// Every request of a reporter that sets each status, makes a comment and replaces it.
fn requests(with: &Json) -> Vec<Request> {
    let mut all = Vec::new();
    for state in [State::Pending, State::Success, State::Failure] {
        let status = Status {
            commit: "95790bf891e76fee5e1747ab589903a6a1f80f22".to_owned(),
            context: "whimbrel/production".to_owned(),
            state,
            summary: "2 migrations would run".to_owned(),
            link: Some("https://whimbrel.test/plans/1".to_owned()),
        };
        let (answer, mut host) =
            mock::report(answering(json!({})), with.clone(), |reporter: &Reporter| {
                reporter.set_status(&status)
            });
        answer.unwrap();
        all.extend(host.take_requests());
    }
    let ours =
        json!([{ "id": 42, "body": "[whimbrel]: # (m)\n\nold", "user": { "login": "bot" } }]);
    for comments in [json!([]), ours] {
        let (answer, mut host) =
            mock::report(answering(comments), with.clone(), |reporter: &Reporter| {
                reporter.put_comment(7, "m", "new")
            });
        answer.unwrap();
        all.extend(host.take_requests());
    }
    assert_eq!(all.len(), 7);
    all
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

struct Description {
    document: Json,
    api: &'static str,
}

impl Description {
    fn at<'a>(&'a self, mut one: &'a Json) -> &'a Json {
        while let Some(reference) = one.get("$ref").and_then(Json::as_str) {
            one = self
                .document
                .pointer(reference.strip_prefix('#').unwrap())
                .unwrap();
        }
        one
    }

    /// The operation that a request is one of.
    fn operation(&self, request: &Request) -> &Json {
        let path = request.url.strip_prefix(self.api).unwrap();
        let path = path.split('?').next().unwrap();
        let fits = |template: &str| {
            let (asked, known) = (path.split('/'), template.split('/'));
            asked.clone().count() == known.clone().count()
                && asked
                    .zip(known)
                    .all(|(part, known)| known.starts_with('{') || part == known)
        };
        let paths = self.document["paths"].as_object().unwrap();
        // A path without a variable in a place is the better one.
        let found = paths
            .iter()
            .filter(|(template, _)| fits(template))
            .min_by_key(|(template, _)| template.matches('{').count());
        let (template, operations) =
            found.unwrap_or_else(|| panic!("no operation is described for {path}"));
        operations
            .get(request.method.to_ascii_lowercase())
            .unwrap_or_else(|| panic!("{template} has no {}", request.method))
    }

    fn check(&self, request: &Request) {
        let operation = self.operation(request);
        let query = request.url.split_once('?').map_or("", |(_, query)| query);
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let name = pair.split('=').next().unwrap();
            let parameters = operation["parameters"].as_array().unwrap();
            let is_known = parameters.iter().any(|one| {
                let one = self.at(one);
                one["name"] == json!(name) && one["in"] == json!("query")
            });
            assert!(is_known, "{name} of {}", request.url);
        }
        let described = operation.get("requestBody").map(|body| self.at(body));
        let (Some(described), Some(body)) = (described, &request.body) else {
            assert!(request.body.is_none(), "{} takes no body", request.url);
            return;
        };
        let body: Json = serde_json::from_slice(body).unwrap();
        let schema = self.at(&described["content"]["application/json"]["schema"]);
        self.fits(schema, &body, &request.url);
    }

    fn fits(&self, schema: &Json, value: &Json, place: &str) {
        let schema = self.at(schema);
        for part in schema
            .get("allOf")
            .and_then(Json::as_array)
            .into_iter()
            .flatten()
        {
            self.fits(part, value, place);
        }
        if let Some(values) = schema.get("enum").and_then(Json::as_array) {
            assert!(
                values.contains(value),
                "{place}: {value} is none of {values:?}"
            );
        }
        match schema.get("type").and_then(Json::as_str) {
            Some("object") => {
                let properties = schema["properties"].as_object().unwrap();
                for (name, value) in value.as_object().unwrap() {
                    let property = properties
                        .get(name)
                        .unwrap_or_else(|| panic!("{place} has no {name}"));
                    self.fits(property, value, &format!("{place}/{name}"));
                }
                for name in schema
                    .get("required")
                    .and_then(Json::as_array)
                    .into_iter()
                    .flatten()
                {
                    assert!(
                        value.get(name.as_str().unwrap()).is_some(),
                        "{place} needs {name}"
                    );
                }
            }
            Some("string") => {
                let text = value
                    .as_str()
                    .unwrap_or_else(|| panic!("{place} is a text"));
                let most = schema
                    .get("maxLength")
                    .and_then(Json::as_u64)
                    .unwrap_or(u64::MAX);
                assert!(text.chars().count() as u64 <= most, "{place}");
            }
            Some(other) => panic!("{place}: {other} isn't compared here"),
            None => {}
        }
    }
}

fn hold(host: &str, api: &'static str, name: &str) {
    let with = json!({ "host": host, "api": api, "repository": "acme/shop", "account": "bot", "token": "t-1" });
    let description = Description {
        document: description(name),
        api,
    };
    for request in requests(&with) {
        description.check(&request);
    }
}

#[test]
fn requests_to_github_are_as_it_describes_them() {
    hold("github", "https://api.github.com", "github-openapi.json");
}

#[test]
fn requests_to_gitea_are_as_it_describes_them() {
    hold("gitea", "https://gitea.test/api/v1", "gitea-openapi.json");
}
