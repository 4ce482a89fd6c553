//! The plugin over the SDK's mock host.

use strongbox::Strongbox;
use whimbrel_sdk::mock::{self, Answers, Host};
use whimbrel_sdk::prelude::*;

fn with(address: &str) -> Json {
    json!({ "address": address, "client": "whimbrel", "key": "k" })
}

fn call<T>(
    host: Host,
    action: impl FnOnce(&Strongbox) -> Result<T, Fault>,
) -> (Result<T, Fault>, Host) {
    mock::call(host, with("https://box.test"), action)
}

fn host(answers: Answers) -> Host {
    let answers = answers
        .on(
            "POST",
            "/login",
            200,
            json!({ "token": "t", "seconds": 60 }),
        )
        .on("DELETE", "/login", 204, "");
    Host::without_database().with_answers(answers)
}

#[test]
fn kept_secrets_have_versions() {
    let kept = json!({ "version": 3, "fields": { "password": "p" } });
    let shape = json!({ "version": 3, "fields": ["password"], "rotates": "1970-01-02T00:00:00Z" });
    let answers = Answers::new()
        .on("GET", "/secrets/shop/db?version=3", 200, kept.clone())
        .on("GET", "/secrets/shop/db", 200, kept)
        .on("GET", "/shapes/shop/db", 200, shape);
    let (answer, host) = call(host(answers), |store| {
        let secret = store.read(&Reference::new("shop/db").with_version("3"))?;
        assert_eq!(secret.field("password"), Some(&b"p"[..]));
        assert_eq!(
            store.read(&Reference::new("shop/db"))?.version.as_deref(),
            Some("3")
        );
        store.describe(&Reference::new("shop/db"))
    });
    let shape = answer.unwrap();
    assert_eq!(
        (shape.fields.as_slice(), shape.next_rotation),
        (&["password".to_owned()][..], Some(86_400_000))
    );
    assert_eq!(
        host.requests()
            .iter()
            .filter(|request| request.contains("/login"))
            .count(),
        1
    );
}

#[test]
fn loans_are_renewed_and_given_back() {
    let answers = Answers::new()
        .on(
            "POST",
            "/loans",
            200,
            json!({ "loan": "l-1", "seconds": 30, "fields": { "password": "p" } }),
        )
        .on(
            "GET",
            "/roles/app",
            200,
            json!({ "fields": ["password"], "seconds": 30 }),
        )
        .on("POST", "/loans/l-1", 200, json!({ "seconds": 20 }))
        .on("POST", "/loans/l-1", 404, json!({ "error": "over" }))
        .on("DELETE", "/loans/l-1", 204, "")
        .on("DELETE", "/loans/l-1", 404, json!({ "error": "over" }));
    let (answer, host) = call(host(answers), |store| {
        assert_eq!(
            store.describe(&Reference::new("loan/app"))?.time_to_live,
            Some(Duration::from_secs(30))
        );
        let lease = store.read(&Reference::new("loan/app"))?.lease.unwrap();
        let want = Duration::from_secs(30);
        assert!(matches!(
            store.renew(&lease.id, want)?,
            Renewal::Truncated(_)
        ));
        assert_eq!(store.renew(&lease.id, want)?, Renewal::Gone);
        store.revoke(&lease.id)?;
        store.revoke(&lease.id)?;
        store.close()?;
        store.close()
    });
    answer.unwrap();
    assert!(host.login().is_none());
}

#[test]
fn a_login_that_is_over_is_made_again() {
    let good = json!({ "version": 1, "fields": { "x": "1" } });
    let answers = Answers::new()
        .on("GET", "/secrets/a", 200, &good)
        .on("GET", "/secrets/a", 401, "")
        .on("GET", "/secrets/a", 200, &good);
    let read = |host| call(host, |store| store.read(&Reference::new("a")));
    let (answer, host) = read(host(answers));
    answer.unwrap();
    let (answer, host) = read(host);
    answer.unwrap();
    let place = "GET https://box.test/secrets/a";
    let login = "POST https://box.test/login";
    assert_eq!(host.requests(), [login, place, place, login, place]);
}

#[test]
fn refusals_are_told_apart() {
    for (status, code) in [
        (401, "strongbox.logged-out"),
        (403, "strongbox.denied"),
        (404, "strongbox.not-found"),
        (503, "strongbox.down"),
        (418, "strongbox.unexpected"),
    ] {
        let (answer, _) = call(
            host(Answers::new().on("GET", "/secrets/a", status, "{}")),
            |store| store.read(&Reference::new("a")),
        );
        assert_eq!(answer.unwrap_err().code, code);
    }
    let (answer, _) = call(host(Answers::new().busy("GET", "/secrets/a", 2)), |store| {
        store.read(&Reference::new("a"))
    });
    assert_eq!(answer.unwrap_err().retry, Retry::After(2_000));
    let (answer, _) = call(
        host(Answers::new().on("GET", "/secrets/a", 200, "<html>")),
        |store| store.read(&Reference::new("a")),
    );
    assert_eq!(answer.unwrap_err().code, "strongbox.unreadable");
}

#[test]
fn names_that_mean_something_else_are_refused() {
    let (answer, host) = call(host(Answers::new()), |store| {
        for path in ["", "a/../b", "a//b", "a?b", "loan/a/b", "loan/"] {
            assert_eq!(
                store.read(&Reference::new(path)).unwrap_err().code,
                "strongbox.name",
                "{path}"
            );
        }
        assert_eq!(
            store
                .read(&Reference::new("loan/a").with_version("1"))
                .unwrap_err()
                .code,
            "strongbox.no-versions"
        );
        assert_eq!(
            store
                .read(&Reference::new("a").with_version("x"))
                .unwrap_err()
                .code,
            "strongbox.version"
        );
        Ok(())
    });
    answer.unwrap();
    assert!(host.requests().is_empty());
    let (answer, host) = mock::call(host, with("box"), |_: &Strongbox| Ok(()));
    assert_eq!(answer.unwrap_err().pointer.as_deref(), Some("/address"));
    assert!(host.requests().is_empty());
}
