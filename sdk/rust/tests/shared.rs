//! What most stores of secrets need: addresses, logins that are kept, forms, and what a refusal says.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::cell::Cell;

use whimbrel_sdk::http::{Refusal, Request, Response, encoded};
use whimbrel_sdk::mock::{Answers, Host};
use whimbrel_sdk::prelude::*;
use whimbrel_sdk::session::{self, Token};
use whimbrel_sdk::{address, environment, files};

const MARGIN: Duration = Duration::from_secs(10);

fn response(status: u16, headers: &[(&str, &str)]) -> Response {
    let headers = headers
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Response {
        status,
        headers: headers.collect(),
        body: Vec::new(),
    }
}

#[test]
fn an_address_is_a_scheme_a_host_and_a_port() {
    for (text, authority) in [
        ("https://example.org", Some("example.org")),
        ("http://127.0.0.1:80/", Some("127.0.0.1:80")),
        ("https://[::1]:8443", Some("[::1]:8443")),
        ("https://secret_store:8200", Some("secret_store:8200")),
        ("https://example.org/v1", None),
        ("https://example.org//", None),
        ("https://user@example.org", None),
        ("https://example.org?x", None),
        ("https://", None),
        ("https:///", None),
        ("ftp://example.org", None),
        ("HTTPS://example.org", None),
        ("example.org", None),
        ("", None),
    ] {
        assert_eq!(address::authority(text), authority, "{text}");
        let checked = address::check("/address", text);
        assert_eq!(checked.is_ok(), authority.is_some(), "{text}");
        if let Err(fault) = checked {
            assert_eq!(fault.pointer.as_deref(), Some("/address"));
            assert!(fault.message.contains("without a path"));
        }
    }
    for (text, is_good) in [
        ("https://example.org", true),
        ("https://example.org/k8s/clusters/c_1/", true),
        ("https://example.org/a?b", false),
        ("https://user@example.org/", false),
        ("https://", false),
        ("/path", false),
    ] {
        let checked = address::check_with_path("/from", text);
        assert_eq!(checked.is_ok(), is_good, "{text}");
        let pointer = checked.err().and_then(|fault| fault.pointer);
        assert!(is_good || pointer.as_deref() == Some("/from"));
    }
}

/// A store that gives tokens `t-1`, `t-2` and so on, each for a minute, and finds some of them over.
struct Store {
    given: Cell<u32>,
    shown: Cell<u32>,
}

impl Store {
    const fn new() -> Self {
        Self {
            given: Cell::new(0),
            shown: Cell::new(0),
        }
    }

    fn call(&self, host: Host, over: &[&str]) -> (Result<String, Fault>, Host) {
        host.run(|| {
            session::with_token(
                MARGIN,
                || {
                    self.given.set(self.given.get() + 1);
                    Ok(Token {
                        text: format!("t-{}", self.given.get()),
                        holds: Duration::from_secs(60),
                    })
                },
                |token| {
                    self.shown.set(self.shown.get() + 1);
                    if over.contains(&token) {
                        return Err(Fault::new(FaultClass::Denied, "over", "no"));
                    }
                    Ok(token.to_owned())
                },
                |answer| matches!(answer, Err(fault) if fault.code == "over"),
            )
        })
    }
}

#[test]
fn a_token_is_kept_until_a_margin_before_its_end() {
    let store = Store::new();
    let (token, host) = store.call(Host::without_database().with_clock(1_000), &[]);
    assert_eq!(token.unwrap(), "t-1");
    let login = host.login().unwrap();
    assert_eq!(login.expires, Some(61_000));
    assert_eq!(login.conceal, [b"t-1".to_vec()]);
    let (token, host) = store.call(host.later(49_999), &[]);
    assert_eq!(token.unwrap(), "t-1");
    let (kept, host) = host.run(|| Ok::<_, Fault>(session::token(Duration::default())));
    assert_eq!(kept.unwrap().as_deref(), Some("t-1"));
    let (token, host) = store.call(host.later(1), &[]);
    assert_eq!(token.unwrap(), "t-2");
    assert_eq!(host.login().unwrap().expires, Some(111_000));
}

#[test]
fn a_kept_token_that_is_not_taken_is_replaced_once() {
    let store = Store::new();
    let over = ["t-1", "t-2", "t-3"];
    // A new one that isn't taken isn't asked for again.
    let (answer, host) = store.call(Host::without_database(), &over);
    assert_eq!(answer.unwrap_err().code, "over");
    assert_eq!((store.given.get(), store.shown.get()), (1, 1));
    let (answer, host) = store.call(host, &over);
    assert_eq!(answer.unwrap_err().code, "over");
    assert_eq!((store.given.get(), store.shown.get()), (2, 3));
    let (answer, host) = store.call(host, &["t-2"]);
    assert_eq!(answer.unwrap(), "t-3");
    let (answer, _) = store.call(host, &["t-2"]);
    assert_eq!(answer.unwrap(), "t-3");
    assert_eq!((store.given.get(), store.shown.get()), (3, 6));
}

#[test]
fn without_a_token_nothing_is_done() {
    let (answer, host) = Host::without_database().run(|| {
        session::put(b"of another release", &[], None);
        session::with_token(
            MARGIN,
            || Err(Fault::new(FaultClass::Denied, "none", "no token")),
            |_| Ok(()),
            |_| true,
        )
    });
    assert_eq!(answer.unwrap_err().code, "none");
    assert_eq!(host.login().unwrap().bytes, b"of another release");
}

#[test]
fn a_token_that_is_not_taken_is_not_kept_when_there_is_no_other() {
    let store = Store::new();
    let (_, host) = store.call(Host::without_database(), &[]);
    let (answer, host) = host.run(|| {
        session::with_token(
            MARGIN,
            || Err(Fault::new(FaultClass::Denied, "none", "no token")),
            |_| Ok(()),
            |_| true,
        )
    });
    assert_eq!(answer.unwrap_err().code, "none");
    assert!(host.login().is_none());
}

#[test]
fn a_given_token_is_text_without_white_space() {
    session::check("/token", "t-1").unwrap();
    for text in ["", " ", "t 1", "t-1\n"] {
        let fault = session::check("/token", text).unwrap_err();
        assert_eq!(fault.pointer.as_deref(), Some("/token"));
        assert!(!fault.message.contains("t-1"));
    }
}

#[test]
fn a_login_of_several_parts_is_kept_and_found() {
    let login = json!({ "id": "a", "key": "k" });
    let (found, host) = Host::without_database().with_clock(1).run(|| {
        assert_eq!(session::load::<Json>(), None);
        session::keep(&login, &["k"], Some(5))?;
        let other: Option<Vec<u8>> = session::load();
        assert!(other.is_none(), "it is of another kind");
        Ok::<_, Fault>(session::load::<Json>())
    });
    assert_eq!(found.unwrap(), Some(login));
    assert_eq!(host.login().unwrap().conceal, [b"k".to_vec()]);
}

#[test]
fn a_refusal_says_what_is_known_of_it() {
    let refusal = Refusal {
        doing: "reading a",
        status: 403,
        name: "",
        said: "",
    };
    assert_eq!(refusal.to_string(), "reading a: status 403");
    let named = Refusal {
        name: "Forbidden",
        said: " not\r\n  for you\n",
        ..refusal
    };
    assert_eq!(named.to_string(), "reading a: Forbidden: not for you");
    let long = "ä".repeat(401);
    let cut = Refusal {
        said: &long,
        ..refusal
    };
    let expected = format!("reading a: status 403: {}", "ä".repeat(400));
    assert_eq!(cut.to_string(), expected);
    let fault = Fault::unreadable("x.unreadable", "the store");
    assert_eq!(
        (fault.class, fault.message.as_str(), fault.retry),
        (
            FaultClass::Internal,
            "the answer of the store can't be read",
            Retry::Never
        )
    );
    assert_eq!(fault.with_hint("").hint, None);
}

#[test]
fn the_server_may_say_when_to_call_again() {
    for (headers, retry) in [
        (&[("Retry-After", " 2 ")][..], Retry::After(2_000)),
        (&[("retry-after", "soon")][..], Retry::Backoff),
        (
            &[("retry-after", "Sun, 06 Nov 1994 08:49:37 GMT")][..],
            Retry::Backoff,
        ),
        (&[][..], Retry::Backoff),
    ] {
        assert_eq!(response(429, headers).retry_after(), retry, "{headers:?}");
    }
    let host = Host::without_database().with_answers(Answers::new().busy("GET", "/a", 3));
    let (answer, _) = host.run(|| http::send(&Request::get("https://store.test/a")));
    let answer = answer.unwrap();
    assert_eq!(
        (answer.status, answer.retry_after()),
        (429, Retry::After(3_000))
    );
    let most = u64::MAX.to_string();
    assert_eq!(
        Retry::after_header(Some(&most)),
        Retry::After(u64::MAX),
        "no overflow"
    );
    assert!(Response::refuses_login(&Ok(response(401, &[]))));
    assert!(!Response::refuses_login(&Ok(response(403, &[]))));
    assert!(!Response::refuses_login(&Err(Fault::cancelled())));
}

#[test]
fn a_form_is_encoded() {
    assert_eq!(encoded("aZ9-._~ &=+/ä"), "aZ9-._~%20%26%3D%2B%2F%C3%A4");
    let request = Request::post_form("https://a.test", &[("a", "1 2"), ("b", "x&y=z")]);
    assert_eq!(request.method, "POST");
    assert_eq!(request.body.as_deref(), Some(&b"a=1%202&b=x%26y%3Dz"[..]));
    assert_eq!(
        request.header("Content-Type"),
        Some("application/x-www-form-urlencoded")
    );
    let request = Request::get("https://a.test").with_bearer("t");
    assert_eq!(request.header("authorization"), Some("Bearer t"));
}

#[test]
fn what_has_no_names_is_a_document_or_a_value() {
    let reference = Reference::new("a");
    let raw = reference.clone().with_options(json!({ "raw": true }));
    let not_raw = reference.clone().with_options(json!({ "raw": "true" }));
    let text = r#"{"user":"ada"}"#;
    for (bytes, reference, field) in [
        (text, &reference, "user"),
        (text, &not_raw, "user"),
        (text, &raw, "value"),
        ("[1]", &reference, "value"),
        ("ada", &reference, "value"),
        ("", &reference, "value"),
    ] {
        let secret = Secret::of_unnamed(bytes, reference);
        assert_eq!(secret.fields.len(), 1);
        let expected = if field == "user" { "ada" } else { bytes };
        assert_eq!(secret.field(field), Some(expected.as_bytes()), "{bytes}");
    }
    let secret = Secret::of_unnamed(vec![0, 255], &reference);
    assert_eq!(secret.field("value"), Some(&[0, 255][..]));
}

#[test]
fn what_proves_an_identity_comes_from_variables_and_files() {
    let host = Host::without_database()
        .with_variable("NAME", "of the variable")
        .with_variable("BLANK", " ")
        .with_file("/token", " t\n")
        .with_file("/empty", "\n")
        .with_file("/bytes", vec![255]);
    let (answer, _) = host.run(|| {
        let given = "given".to_owned();
        assert_eq!(environment::given_or(Some(&given), "NAME", "c")?, "given");
        assert_eq!(environment::given_or(None, "NAME", "c")?, "of the variable");
        for name in ["BLANK", "MISSING"] {
            let fault = environment::given_or(None, name, "no-credentials").unwrap_err();
            assert_eq!(fault.code, "no-credentials");
            assert!(fault.message.contains(name) && fault.hint.unwrap().contains(name));
        }
        assert_eq!(files::read_token("/token", "c")?, "t");
        for path in ["/empty", "/bytes"] {
            let fault = files::read_token(path, "token-file").unwrap_err();
            assert_eq!(
                (fault.class, fault.code.as_str()),
                (FaultClass::Invalid, "token-file")
            );
            assert!(fault.message.contains(path));
        }
        files::read_token("/missing", "c")
    });
    assert_eq!(answer.unwrap_err().class, FaultClass::NotFound);
}
