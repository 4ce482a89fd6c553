//! Statuses and comments over scripted answers of every host.
//!
//! tidy: long because every host is asked the same.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use git_reporter::Reporter;
use whimbrel_sdk::http::{Request, Response};
use whimbrel_sdk::mock::{self, Answers, Host};
use whimbrel_sdk::prelude::*;
use whimbrel_sdk::reporter::{State, Status};
use whimbrel_sdk::serde_json;

const COMMIT: &str = "95790bf891e76fee5e1747ab589903a6a1f80f22";
const MARKER: &str = "whimbrel/plan/production";
const LINE: &str = "[whimbrel]: # (whimbrel/plan/production)";

/// A host, the address of its API, and where its statuses and comments are below it.
struct Place {
    host: &'static str,
    api: &'static str,
    status: String,
    /// The end of the address of the first page of comments.
    comments: &'static str,
    create: &'static str,
    replace: (&'static str, &'static str),
}

fn places() -> Vec<Place> {
    let github = |host, api, comments| Place {
        host,
        api,
        status: format!("/repos/acme/shop/statuses/{COMMIT}"),
        comments,
        create: "/repos/acme/shop/issues/7/comments",
        replace: ("PATCH", "/repos/acme/shop/issues/comments/42"),
    };
    let all = "/repos/acme/shop/issues/7/comments";
    vec![
        github(
            "github",
            "https://api.github.com",
            "/repos/acme/shop/issues/7/comments?per_page=30&page=1",
        ),
        github("gitea", "https://gitea.test/api/v1", all),
        github("forgejo", "https://forgejo.test/api/v1/", all),
        Place {
            host: "gitlab",
            api: "https://gitlab.test/api/v4",
            status: format!("/projects/acme%2Fshop/statuses/{COMMIT}"),
            comments: "/projects/acme%2Fshop/merge_requests/7/notes?per_page=30&page=1&sort=asc&order_by=created_at",
            create: "/projects/acme%2Fshop/merge_requests/7/notes",
            replace: ("PUT", "/projects/acme%2Fshop/merge_requests/7/notes/42"),
        },
        Place {
            host: "bitbucket-cloud",
            api: "https://api.bitbucket.org/2.0",
            status: format!("/repositories/acme/shop/commit/{COMMIT}/statuses/build"),
            comments: "/repositories/acme/shop/pullrequests/7/comments?pagelen=100&page=1",
            create: "/repositories/acme/shop/pullrequests/7/comments",
            replace: ("PUT", "/repositories/acme/shop/pullrequests/7/comments/42"),
        },
        Place {
            host: "bitbucket-data-center",
            api: "https://bitbucket.test/rest/api/latest",
            status: format!("/projects/acme/repos/shop/commits/{COMMIT}/builds"),
            comments: "/projects/acme/repos/shop/pull-requests/7/activities?limit=100&start=0",
            create: "/projects/acme/repos/shop/pull-requests/7/comments",
            replace: (
                "PUT",
                "/projects/acme/repos/shop/pull-requests/7/comments/42",
            ),
        },
    ]
}

impl Place {
    fn with(&self) -> Json {
        json!({ "host": self.host, "api": self.api, "repository": "acme/shop", "account": "whimbrel[bot]", "token": "t-1" })
    }

    /// A page of comments as this host gives it.
    fn page(&self, comments: &[(u64, &str, &str)]) -> Json {
        let comments = comments.iter();
        match self.host {
            "github" | "gitea" | "forgejo" => comments
                .map(|(id, author, text)| json!({ "id": id, "body": text, "user": { "login": author } }))
                .collect(),
            "gitlab" => comments
                .map(|(id, author, text)| json!({ "id": id, "body": text, "author": { "username": author } }))
                .collect(),
            "bitbucket-cloud" => {
                let values: Json = comments
                    .map(|(id, author, text)| json!({ "id": id, "content": { "raw": text }, "user": { "nickname": author } }))
                    .collect();
                json!({ "values": values, "page": 1 })
            }
            _ => {
                let values: Json = comments
                    .map(|(id, author, text)| json!({ "action": "COMMENTED", "comment": { "id": id, "version": 3, "text": text, "author": { "name": author } } }))
                    .collect();
                json!({ "values": values, "isLastPage": true })
            }
        }
    }

    /// The text of a comment that was sent.
    fn sent(&self, request: &Request) -> String {
        let body = body(request);
        let text = match self.host {
            "bitbucket-cloud" => &body["content"]["raw"],
            "bitbucket-data-center" => &body["text"],
            _ => &body["body"],
        };
        text.as_str().unwrap_or_else(|| panic!("{body}")).to_owned()
    }

    fn longest(&self) -> usize {
        match self.host {
            "gitlab" => 200_000,
            "bitbucket-cloud" | "bitbucket-data-center" => 32_768,
            _ => 65_536,
        }
    }
}

fn body(request: &Request) -> Json {
    serde_json::from_slice(request.body.as_deref().unwrap()).unwrap()
}

fn status(state: State) -> Status {
    Status {
        commit: COMMIT.to_owned(),
        context: "whimbrel/production".to_owned(),
        state,
        summary: "2 migrations would run".to_owned(),
        link: Some("https://whimbrel.test/plans/1".to_owned()),
    }
}

fn host(answers: Answers) -> Host {
    Host::without_database().with_answers(answers)
}

fn set(with: Json, answers: Answers, status: &Status) -> (Result<(), Fault>, Host) {
    mock::report(host(answers), with, |reporter: &Reporter| {
        reporter.set_status(status)
    })
}

fn put(with: Json, answers: Answers, markdown: &str) -> (Result<(), Fault>, Host) {
    mock::report(host(answers), with, |reporter: &Reporter| {
        reporter.put_comment(7, MARKER, markdown)
    })
}

#[test]
fn a_status_is_said_in_each_hosts_words() {
    for place in places() {
        for (state, word) in [
            (State::Pending, 0),
            (State::Success, 1),
            (State::Failure, 2),
        ] {
            let answers = Answers::new().on("POST", &place.status, 201, "{}");
            let (answer, mut host) = set(place.with(), answers, &status(state));
            answer.unwrap();
            let request = host.take_requests().remove(0);
            let api = place.api.trim_end_matches('/');
            assert_eq!(request.url, format!("{api}{}", place.status));
            let said = body(&request);
            let words = match place.host {
                "gitlab" => ["pending", "success", "failed"],
                "bitbucket-cloud" | "bitbucket-data-center" => {
                    ["INPROGRESS", "SUCCESSFUL", "FAILED"]
                }
                _ => ["pending", "success", "failure"],
            };
            assert_eq!(said["state"], words[word], "{}", place.host);
            assert_eq!(said["description"], "2 migrations would run");
            let link = said.get("target_url").or_else(|| said.get("url"));
            assert_eq!(link, Some(&json!("https://whimbrel.test/plans/1")));
            let name = said.get("context").or_else(|| said.get("name"));
            assert_eq!(name, Some(&json!("whimbrel/production")));
            let shown = if ["gitea", "forgejo"].contains(&place.host) {
                "token t-1"
            } else {
                "Bearer t-1"
            };
            assert_eq!(request.header("authorization"), Some(shown));
            assert_eq!(request.header("user-agent"), Some("whimbrel"));
        }
    }
}

#[test]
fn what_a_host_requires_is_always_said() {
    let mut long = status(State::Success);
    (long.link, long.context, long.summary) = (None, "x".repeat(300), "ü".repeat(400));
    for place in places() {
        let answers = Answers::new().on("POST", &place.status, 201, "{}");
        let (answer, mut host) = set(place.with(), answers, &long);
        answer.unwrap();
        let said = body(&host.take_requests()[0]);
        let most = if ["github", "gitea", "forgejo"].contains(&place.host) {
            140
        } else {
            255
        };
        assert_eq!(said["description"].as_str().unwrap().chars().count(), most);
        match place.host {
            "bitbucket-cloud" => {
                assert_eq!(
                    said["url"],
                    format!("https://bitbucket.org/acme/shop/commits/{COMMIT}")
                );
                assert_eq!(said["key"].as_str().unwrap().len(), 40);
            }
            "bitbucket-data-center" => {
                assert_eq!(
                    said["url"],
                    format!("https://bitbucket.test/projects/acme/repos/shop/commits/{COMMIT}")
                );
            }
            _ => assert_eq!(said.get("target_url"), None),
        }
    }
    let mut with = places()[4].with();
    with["username"] = json!("bot");
    let answers = Answers::new().on("POST", "/build", 201, "{}");
    let (_, mut host) = set(with, answers, &long);
    assert_eq!(
        host.take_requests()[0].header("authorization"),
        Some("Basic Ym90OnQtMQ==")
    );
}

#[test]
fn gitlab_refuses_what_is_shown_already() {
    let place = &places()[3];
    let refusal = json!({ "message": "Cannot transition status via :enqueue from :pending (Reason(s): Status cannot transition via \"enqueue\")" });
    let answers = || Answers::new().on("POST", &place.status, 400, &refusal);
    assert!(
        set(place.with(), answers(), &status(State::Pending))
            .0
            .is_ok()
    );
    let fault = set(place.with(), answers(), &status(State::Success))
        .0
        .unwrap_err();
    assert_eq!(
        (fault.code.as_str(), fault.class),
        ("git.invalid", FaultClass::Invalid)
    );
    let answers = Answers::new().on(
        "POST",
        &place.status,
        400,
        json!({ "message": { "sha": ["is invalid"] } }),
    );
    let fault = set(place.with(), answers, &status(State::Pending))
        .0
        .unwrap_err();
    assert!(fault.message.contains("is invalid"), "{}", fault.message);
}

#[test]
fn a_comment_is_made_once_and_then_replaced() {
    for place in places() {
        let others = [
            (1, "mallory", LINE),
            (2, "whimbrel[bot]", "another"),
            (
                3,
                "whimbrel[bot]",
                "[whimbrel]: # (whimbrel/plan/staging)\n\nx",
            ),
        ];
        let answers = Answers::new()
            .on("GET", place.comments, 200, place.page(&others))
            .on("POST", place.create, 201, "{}");
        let (answer, mut host) = put(place.with(), answers, "# The plan");
        answer.unwrap_or_else(|fault| panic!("{}: {}", place.host, fault.message));
        let requests = host.take_requests();
        assert_eq!(requests.len(), 2, "{}", place.host);
        assert_eq!(place.sent(&requests[1]), format!("{LINE}\n\n# The plan"));

        let old = format!("{LINE}\r\n\r\n# The old plan");
        let ours = [others[0], (42, "whimbrel[bot]", old.as_str())];
        let (method, path) = place.replace;
        let answers = Answers::new()
            .on("GET", place.comments, 200, place.page(&ours))
            .on(method, path, 200, "{}");
        let (answer, mut host) = put(place.with(), answers, "# The plan");
        answer.unwrap_or_else(|fault| panic!("{}: {}", place.host, fault.message));
        let requests = host.take_requests();
        assert_eq!(place.sent(&requests[1]), format!("{LINE}\n\n# The plan"));
        if place.host == "bitbucket-data-center" {
            assert_eq!(body(&requests[1])["version"], 3);
        }

        // The same again disturbs nobody.
        let same = format!("{LINE}\n\n# The plan");
        let ours = [(42, "whimbrel[bot]", same.as_str())];
        let answers = Answers::new().on("GET", place.comments, 200, place.page(&ours));
        let (answer, host) = put(place.with(), answers, "# The plan");
        answer.unwrap();
        assert_eq!(host.requests().len(), 1);
    }
}

#[test]
fn a_comment_is_found_on_a_later_page() {
    let old = format!("{LINE}\n\nold");
    let full = |place: &Place| {
        let many: Vec<_> = (1_000..1_030).map(|id| (id, "mallory", LINE)).collect();
        place.page(&many)
    };
    for place in places() {
        let second = match place.host {
            "gitea" | "forgejo" => continue,
            "bitbucket-data-center" => place.comments.replace("start=0", "start=100"),
            _ => place.comments.replace("page=1", "page=2"),
        };
        let mut first = full(&place);
        match place.host {
            "bitbucket-cloud" => first["next"] = json!("https://evil.test/elsewhere?page=2"),
            "bitbucket-data-center" => {
                first["isLastPage"] = json!(false);
                first["nextPageStart"] = json!(100);
            }
            _ => {}
        }
        let answers = Answers::new()
            .on("GET", place.comments, 200, &first)
            .on(
                "GET",
                &second,
                200,
                place.page(&[(42, "whimbrel[bot]", &old)]),
            )
            .on(place.replace.0, place.replace.1, 200, "{}");
        let (answer, host) = put(place.with(), answers, "new");
        answer.unwrap_or_else(|fault| panic!("{}: {}", place.host, fault.message));
        assert_eq!(host.requests().len(), 3, "{}", place.host);
    }
    // There is an end to it.
    let place = &places()[0];
    let page = full(place);
    let endless = Host::without_database().with_responder(move |_| {
        Ok(Response {
            status: 200,
            headers: vec![],
            body: page.to_string().into_bytes(),
        })
    });
    let (answer, host) = mock::report(endless, place.with(), |reporter: &Reporter| {
        reporter.put_comment(7, MARKER, "x")
    });
    assert_eq!(answer.unwrap_err().code, "git.too-many-comments");
    assert_eq!(host.requests().len(), 50);
}

#[test]
fn a_comment_is_cut_to_what_the_host_takes() {
    let plan = format!(
        "```sql\n{}```\n",
        "SELECT 'ü' FROM orders;\n".repeat(20_000)
    );
    for place in places() {
        let answers = Answers::new()
            .on("GET", place.comments, 200, place.page(&[]))
            .on("POST", place.create, 201, "{}");
        let (answer, mut host) = put(place.with(), answers, &plan);
        answer.unwrap();
        let text = place.sent(&host.take_requests()[1]);
        let length = text.chars().count();
        assert!(
            length <= place.longest() && length > place.longest() - 400,
            "{length}"
        );
        assert!(text.starts_with(LINE) && text.contains("**Cut off here:**"));
        assert_eq!(text.matches("```").count() % 2, 0);
    }
}

#[test]
fn refusals_are_told_apart() {
    use FaultClass::{Conflict, Denied, Internal, Invalid, NotFound, Unavailable};
    for place in places() {
        for (code, expected, class, retry) in [
            (401, "git.credentials", Denied, Retry::Never),
            (403, "git.denied", Denied, Retry::Never),
            (404, "git.not-found", NotFound, Retry::Never),
            (409, "git.conflict", Conflict, Retry::Backoff),
            (422, "git.invalid", Invalid, Retry::Never),
            (301, "git.moved", Invalid, Retry::Never),
            (429, "git.rate-limited", Unavailable, Retry::Backoff),
            (500, "git.unavailable", Unavailable, Retry::Backoff),
            (503, "git.unavailable", Unavailable, Retry::Backoff),
            (299 + 900, "git.unexpected", Internal, Retry::Never),
        ] {
            let said = json!({ "message": "what it says" });
            let answers = Answers::new().on("POST", &place.status, code, &said);
            let fault = set(place.with(), answers, &status(State::Success))
                .0
                .unwrap_err();
            assert_eq!(
                (fault.code.as_str(), fault.class, fault.retry),
                (expected, class, retry),
                "{}",
                place.host
            );
            assert!(fault.message.ends_with("what it says"), "{}", fault.message);
            let answers = Answers::new().on("GET", place.comments, code, "<html>");
            let fault = put(place.with(), answers, "x").0.unwrap_err();
            assert_eq!(fault.code, expected);
            let answers = Answers::new()
                .on("GET", place.comments, 200, place.page(&[]))
                .on("POST", place.create, code, "");
            assert_eq!(
                put(place.with(), answers, "x").0.unwrap_err().code,
                expected
            );
        }
        let answers = Answers::new().fail("POST", &place.status);
        let fault = set(place.with(), answers, &status(State::Success))
            .0
            .unwrap_err();
        assert_eq!(fault.code, "http.unreachable");
        let answers = Answers::new().on("GET", place.comments, 200, "<html>");
        assert_eq!(
            put(place.with(), answers, "x").0.unwrap_err().code,
            "git.unreadable"
        );
    }
    let revoked = Answers::new().on("POST", "", 401, "");
    let fault = set(places()[0].with(), revoked, &status(State::Success))
        .0
        .unwrap_err();
    assert!(fault.hint.unwrap().contains("revoked"));
}

#[test]
fn a_limit_says_when_it_ends() {
    let place = &places()[0];
    let limited = |status: u16, headers: &[(&str, &str)], body: &str| {
        let headers = headers
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let response = Response {
            status,
            headers: headers.collect(),
            body: body.as_bytes().to_vec(),
        };
        let answers = Answers::new().reply("POST", &place.status, response);
        let fault = set(place.with(), answers, &self::status(State::Success))
            .0
            .unwrap_err();
        assert_eq!(
            (fault.code.as_str(), fault.class),
            ("git.rate-limited", FaultClass::Unavailable)
        );
        fault.retry
    };
    let date = ("date", "Sun, 06 Nov 1994 08:49:37 GMT");
    for status in [403, 429] {
        assert_eq!(
            limited(status, &[("retry-after", "30")], ""),
            Retry::After(30_000)
        );
        // 08:50:07 of that day.
        let spent = [
            ("x-ratelimit-remaining", "0"),
            ("x-ratelimit-reset", "784111807"),
            date,
        ];
        assert_eq!(limited(status, &spent, ""), Retry::After(31_000));
        let gone = [
            ("x-ratelimit-remaining", "0"),
            ("x-ratelimit-reset", "1"),
            date,
        ];
        assert_eq!(limited(status, &gone, ""), Retry::After(1_000));
        let far = [
            ("x-ratelimit-remaining", "0"),
            ("x-ratelimit-reset", "99999999999999"),
            date,
        ];
        assert_eq!(limited(status, &far, ""), Retry::After(3_600_000));
        assert_eq!(
            limited(status, &[("x-ratelimit-remaining", "0")], ""),
            Retry::Backoff
        );
        let secondary = r#"{"message":"You have exceeded a secondary rate limit."}"#;
        assert_eq!(limited(status, &[], secondary), Retry::Backoff);
    }
    assert_eq!(
        limited(429, &[("ratelimit-reset", "784111807"), date], ""),
        Retry::After(31_000)
    );
}

#[test]
fn what_can_not_be_meant_is_said_before_anything_is_sent() {
    let place = &places()[0];
    let fault = |change: &dyn Fn(&mut Json)| {
        let mut with = place.with();
        change(&mut with);
        let (answer, host) = set(with, Answers::new(), &status(State::Success));
        assert!(host.requests().is_empty());
        answer.unwrap_err()
    };
    for (name, value) in [
        ("api", "api.github.com"),
        ("api", "https://a b"),
        ("repository", "shop"),
        ("repository", "a/../b"),
        ("repository", "acme/shop/x"),
        ("repository", "a/.."),
        ("account", " "),
        ("token", ""),
        ("token", "a b"),
        ("host", "svn"),
        ("unknown", "x"),
    ] {
        let fault = fault(&|with| with[name] = json!(value));
        assert_eq!(fault.class, FaultClass::Invalid, "{name}: {value}");
        let pointer = fault.pointer.unwrap_or_default();
        assert!(pointer == format!("/{name}"), "{name}: {pointer}");
    }
    let data_center = fault(&|with| with["host"] = json!("bitbucket-data-center"));
    assert_eq!(data_center.pointer.as_deref(), Some("/api"));
    for change in [
        (|status: &mut Status| status.commit = "95790bf".to_owned()) as fn(&mut Status),
        |status| status.commit = "../../../user".to_owned(),
        |status| status.link = Some("javascript:alert(1)".to_owned()),
        |status| status.link = Some("https://a b".to_owned()),
    ] {
        let mut wrong = status(State::Success);
        change(&mut wrong);
        let (answer, host) = set(place.with(), Answers::new(), &wrong);
        assert_eq!(answer.unwrap_err().class, FaultClass::Invalid);
        assert!(host.requests().is_empty());
    }
    for marker in ["", "a b", "x) --> y", &"x".repeat(201)] {
        let (answer, _) =
            mock::report(host(Answers::new()), place.with(), |reporter: &Reporter| {
                reporter.put_comment(7, marker, "x")
            });
        assert_eq!(answer.unwrap_err().code, "git.marker");
    }
}
