//! Requests of plugins go where they are granted and nowhere else, whatever a guest, a name server or a server says.
//!
//! tidy: long because every way out is tried against one rig.

use std::sync::Arc;
use std::time::Duration;

use crate::support::server::{Authority, Server, answer};
use crate::support::store::{Setup, Store, value};
use serde_json::{Value as Json, json};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use whimbrel_core::fault::{Fault, FaultClass, Retry};
use whimbrel_plugin::Limits;

/// A server that says what it was asked.
async fn echo() -> Server {
    Server::plain(|request| answer("200 OK", "x-answer: yes\r\n", request)).await
}

/// A store that may ask one place and is told its names.
async fn asking(to: &str) -> Store {
    Setup::new().http(to).names(&[&["127.0.0.1"]]).store().await
}

async fn refused(store: &Store, url: &str) -> Fault {
    match store.read("http", json!({ "url": url })).await {
        Ok(secret) => panic!("{url} was let through: {}", value(&secret)),
        Err(fault) => fault,
    }
}

#[tokio::test]
async fn a_granted_request_goes_out_and_its_answer_comes_back() {
    let server = echo().await;
    let base = format!("http://{}", server.address);
    let store = asking(&format!("{base}/v1/*")).await;
    let options = json!({
        "url": format!("{base}/v1/x?a=b"),
        "method": "POST",
        "body": "hello",
        "headers": { "x-vault-token": "t", "host": server.address.to_string() },
    });
    let secret = store.read("http", options).await.unwrap();
    let seen = value(&secret);
    assert!(seen.starts_with("POST /v1/x?a=b HTTP/1.1\r\n"), "{seen}");
    assert!(
        seen.contains("x-vault-token: t\r\n") && seen.ends_with("\r\n\r\nhello"),
        "{seen}"
    );
    assert_eq!(
        seen.matches(&server.address.to_string()).count(),
        1,
        "one Host: {seen}"
    );
    assert_eq!(secret.details["status"], 200);
    assert!(secret.details["headers"].to_string().contains("x-answer"));
    // A connection is kept for the next call.
    store
        .read("http", json!({ "url": format!("{base}/v1/y") }))
        .await
        .unwrap();
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn an_error_of_the_server_is_an_answer() {
    let server = Server::plain(|_| answer("403 Forbidden", "", r#"{"errors":["no"]}"#)).await;
    let store = asking(&format!("http://{}", server.address)).await;
    let secret = store
        .read(
            "http",
            json!({ "url": format!("http://{}/", server.address) }),
        )
        .await;
    assert_eq!(secret.unwrap().details["status"], 403);
}

#[tokio::test]
async fn nothing_else_is_reached() {
    let server = echo().await;
    let other = echo().await;
    let port = server.port();
    let store = asking(&format!("http://127.0.0.1:{port}/v1/*")).await;
    for url in [
        format!("http://127.0.0.1:{port}/v2"),
        format!("http://127.0.0.1:{port}/v1/../v2"),
        format!("http://127.0.0.1:{port}/v1/%2e%2e/v2"),
        format!("http://127.0.0.1:{port}/v1/..%2fv2"),
        format!("http://127.0.0.1:{}/v1/x", other.port()),
        format!("https://127.0.0.1:{port}/v1/x"),
        format!("http://localhost:{port}/v1/x"),
        format!("http://[::1]:{port}/v1/x"),
        format!("http://[::ffff:127.0.0.1]:{port}/v1/x"),
        format!("http://a@127.0.0.1:{port}/v1/x"),
        "http://169.254.169.254/latest/meta-data/".to_owned(),
        "http://2852039166/latest/meta-data/".to_owned(),
        "http://metadata.google.internal/".to_owned(),
    ] {
        let fault = refused(&store, &url).await;
        assert_eq!(
            (fault.class, fault.code.as_str()),
            (FaultClass::Denied, "http.denied"),
            "{url}"
        );
        assert!(fault.message.contains("/v1/*"), "{fault}");
    }
    for url in ["", "x", "http://", "file:///etc/passwd"] {
        assert_eq!(refused(&store, url).await.code, "http.invalid");
    }
    assert!(server.requests().is_empty() && other.requests().is_empty());
}

#[tokio::test]
async fn names_lead_only_where_their_grant_reaches() {
    let server = echo().await;
    let port = server.port();
    for (to, addresses, hint) in [
        // A name with its port may be in a private network, never this machine or this link.
        (
            format!("http://vault.example:{port}/*"),
            "127.0.0.1",
            "127.0.0.1",
        ),
        (format!("http://vault.example:{port}/*"), "::1", "127.0.0.1"),
        (
            format!("http://vault.example:{port}/*"),
            "169.254.169.254",
            "169.254.169.254",
        ),
        (
            format!("http://vault.example:{port}/*"),
            "::ffff:169.254.169.254",
            "169.254.169.254",
        ),
        (
            format!("http://vault.example:{port}/*"),
            "fd00:ec2::254",
            "169.254.169.254",
        ),
        (
            format!("http://vault.example:{port}/*"),
            "0.0.0.0",
            "169.254.169.254",
        ),
        // A name alone is one of the internet.
        (
            "http://vault.example/*".to_owned(),
            "10.0.0.1",
            "with its port",
        ),
        (
            "http://vault.example/*".to_owned(),
            "192.168.1.1",
            "with its port",
        ),
        (
            "http://vault.example/*".to_owned(),
            "fd12::1",
            "with its port",
        ),
        // `localhost` is this machine.
        (
            format!("http://localhost:{port}/*"),
            "10.0.0.1",
            "this machine",
        ),
    ] {
        let store = Setup::new().http(&to).names(&[&[addresses]]).store().await;
        let fault = refused(&store, &to.replace('*', "x")).await;
        assert_eq!(
            (fault.class, fault.code.as_str()),
            (FaultClass::Denied, "http.address"),
            "{to} at {addresses}: {fault}"
        );
        assert!(fault.hint.as_deref().unwrap().contains(hint), "{fault:?}");
    }
    let to = format!("http://localhost:{port}/*");
    let store = Setup::new()
        .http(&to)
        .names(&[&["127.0.0.1"]])
        .store()
        .await;
    assert!(
        store
            .read("http", json!({ "url": to.replace('*', "x") }))
            .await
            .is_ok()
    );
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn a_name_that_is_rebound_leads_nowhere() {
    let server = echo().await;
    let port = server.port();
    // First an address that may be asked (and where nobody answers), then this machine.
    let to = format!("http://rebind.example:{port}/*");
    let limits = Limits {
        http_connect_timeout: Duration::from_millis(200),
        ..Limits::default()
    };
    let setup = Setup::new().http(&to).limits(limits);
    let store = setup
        .names(&[&["10.255.255.1"], &["127.0.0.1"]])
        .store()
        .await;
    let url = to.replace('*', "x");
    assert_eq!(refused(&store, &url).await.code, "http.unreachable");
    for _ in 0..2 {
        assert_eq!(refused(&store, &url).await.code, "http.address");
    }
    assert!(server.requests().is_empty());
}

#[tokio::test]
async fn of_several_addresses_only_those_in_reach_are_tried() {
    let server = echo().await;
    let to = format!("http://localhost:{}/*", server.port());
    let setup = Setup::new().http(&to);
    let store = setup
        .names(&[&["169.254.169.254", "10.0.0.1", "127.0.0.1"]])
        .store()
        .await;
    assert!(
        store
            .read("http", json!({ "url": to.replace('*', "x") }))
            .await
            .is_ok()
    );
}

#[tokio::test]
async fn redirects_lead_nowhere_else() {
    let other = echo().await;
    let target = format!("http://{}/stolen", other.address);
    let server = Server::plain(move |request| {
        let to = if request.contains("/away") {
            target.as_str()
        } else {
            "/v1/end"
        };
        if request.contains("/end") {
            answer("200 OK", "", "arrived")
        } else {
            let headers = format!("location: {to}\r\n");
            answer("307 Temporary Redirect", &headers, "")
        }
    })
    .await;
    let base = format!("http://{}", server.address);
    let store = asking(&format!("{base}/v1/*")).await;
    // The host follows nothing; the guest does, and each request is checked again.
    let secret = store
        .read("http", json!({ "url": format!("{base}/v1/away") }))
        .await
        .unwrap();
    assert_eq!(secret.details["status"], 307);
    let fault = store
        .read("follow", json!({ "url": format!("{base}/v1/away") }))
        .await
        .err()
        .unwrap();
    assert_eq!(fault.code, "http.denied");
    assert!(other.requests().is_empty());
}

#[tokio::test]
async fn large_answers_and_requests_are_refused() {
    let large = |request: &str| {
        let size = 2 << 20;
        if request.contains("/head") {
            return format!(
                "HTTP/1.1 200 OK\r\nx: {}\r\ncontent-length: 0\r\n\r\n",
                "h".repeat(size)
            )
            .into_bytes();
        }
        if request.contains("/chunks") {
            let chunk = "c".repeat(size);
            return format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{size:x}\r\n{chunk}\r\n0\r\n\r\n").into_bytes();
        }
        if request.contains("/headers") {
            let headers: String = (0..500).map(|index| format!("h{index}: x\r\n")).collect();
            return answer("200 OK", &headers, "");
        }
        answer("200 OK", "", &"b".repeat(size))
    };
    let server = Server::plain(large).await;
    let base = format!("http://{}", server.address);
    let limits = Limits {
        http_response_bytes: 1 << 20,
        http_request_bytes: 1000,
        ..Limits::default()
    };
    let store = Setup::new().http(&base).limits(limits).store().await;
    for path in ["/body", "/chunks"] {
        let fault = refused(&store, &format!("{base}{path}")).await;
        assert_eq!(
            (fault.code.as_str(), fault.retry),
            ("http.too-large", Retry::Never),
            "{path}"
        );
    }
    for path in ["/head", "/headers"] {
        assert_eq!(
            refused(&store, &format!("{base}{path}")).await.class,
            FaultClass::Unavailable
        );
    }
    let options = json!({ "url": format!("{base}/x"), "body": "x".repeat(1001) });
    assert_eq!(
        store.read("http", options).await.err().unwrap().code,
        "http.too-large"
    );
    assert_eq!(server.requests().len(), 4);
}

#[tokio::test]
async fn who_answers_slowly_or_never_is_left() {
    let server = Server::plain(|request| {
        if request.contains("/never") {
            Vec::new()
        } else {
            b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nx".to_vec()
        }
    })
    .await;
    let base = format!("http://{}", server.address);
    let store = asking(&base).await;
    for path in ["/never", "/half"] {
        let options = json!({ "url": format!("{base}{path}"), "timeout": 200 });
        let fault = store.read("http", options).await.err().unwrap();
        assert_eq!(
            (fault.code.as_str(), fault.retry),
            ("http.timeout", Retry::Backoff),
            "{path}"
        );
    }
    let limits = Limits {
        http_timeout_ceiling: Duration::from_millis(200),
        ..Limits::default()
    };
    let store = Setup::new().http(&base).limits(limits).store().await;
    let options = json!({ "url": format!("{base}/never"), "timeout": u64::MAX });
    assert_eq!(
        store.read("http", options).await.err().unwrap().code,
        "http.timeout"
    );
}

#[tokio::test]
async fn nothing_is_sent_twice() {
    let server = Server::plain(|request| {
        // Half an answer, then the end.
        if request.contains("/break") {
            b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nx".to_vec()
        } else {
            answer("200 OK", "", "")
        }
    })
    .await;
    let base = format!("http://{}", server.address);
    let store = asking(&base).await;
    let fault = refused(&store, &format!("{base}/break")).await;
    assert_eq!(
        (fault.code.as_str(), fault.class),
        ("http.broken", FaultClass::Unavailable)
    );
    assert_eq!(server.requests().len(), 1);
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = closed.local_addr().unwrap();
    drop(closed);
    let store = asking(&format!("http://{address}")).await;
    assert_eq!(
        refused(&store, &format!("http://{address}/")).await.code,
        "http.unreachable"
    );
}

#[tokio::test]
async fn requests_of_a_call_are_counted() {
    let server = echo().await;
    let url = format!("http://{}/", server.address);
    let store = asking(&url).await;
    assert!(
        store
            .read("many-requests", json!({ "url": url, "n": 100 }))
            .await
            .is_ok()
    );
    let fault = store
        .read("many-requests", json!({ "url": url, "n": 101 }))
        .await
        .err()
        .unwrap();
    assert!(fault.message.contains("more than 100 requests"), "{fault}");
}

#[tokio::test]
async fn the_configuration_says_where_and_cannot_say_more() {
    let server = echo().await;
    let base = format!("http://{}/team", server.address);
    let setup = Setup::new().http("config:/address");
    let store = setup.clone().with(json!({ "address": base })).store().await;
    assert!(store.read("http", json!({ "path": "/v1/x" })).await.is_ok());
    let fault = refused(&store, &format!("http://{}/other", server.address)).await;
    assert_eq!(fault.code, "http.denied");
    let store = setup
        .clone()
        .with(json!({ "address": "no address" }))
        .store()
        .await;
    let fault = refused(&store, &base).await;
    assert_eq!(
        (fault.code.as_str(), fault.pointer.as_deref()),
        ("http.address", Some("/address"))
    );
    let store = setup.with(json!({ "other": 1 })).store().await;
    assert_eq!(refused(&store, &base).await.code, "http.denied");
}

#[tokio::test]
async fn credentials_are_added_by_the_host_and_reread() {
    let server = echo().await;
    let base = format!("http://{}", server.address);
    let setup = Setup::new()
        .grant(json!({ "to": format!("{base}/bearer"), "bearer": "secret://file/token" }))
        .grant(json!({ "to": format!("{base}/basic"), "basic": { "username": { "file": "user" }, "password": { "file": "password" } } }))
        .http(&format!("{base}/plain"));
    setup.materials.set("secret://file/token", "first-token\n");
    setup.materials.set("user", "ada");
    setup.materials.set("password", "pw");
    let store = setup.clone().store().await;
    let ask = async |path: &str| {
        let options =
            json!({ "url": format!("{base}{path}"), "headers": { "authorization": "mine" } });
        store.read("http", options).await.map(drop)
    };
    ask("/bearer").await.unwrap();
    setup.materials.set("secret://file/token", "second-token");
    ask("/bearer").await.unwrap();
    ask("/basic").await.unwrap();
    ask("/plain").await.unwrap();
    let requests = server.requests();
    for (request, expected) in requests.iter().zip([
        "Bearer first-token",
        "Bearer second-token",
        "Basic YWRhOnB3",
        "mine",
    ]) {
        assert!(
            request.contains(&format!("authorization: {expected}\r\n")),
            "{request}"
        );
        assert_eq!(request.matches("authorization").count(), 1);
    }
    setup.materials.0.lock().unwrap().clear();
    assert_eq!(ask("/bearer").await.unwrap_err().code, "test.none");
    assert_eq!(server.requests().len(), 4);
}

/// A store that asks `https://localhost`, with this more in its grant.
async fn secure(server: &Server, more: Json, setup: Setup) -> Store {
    let mut grant = json!({ "to": format!("https://localhost:{}/*", server.port()) });
    whimbrel_core::environment::merge(&mut grant, &more);
    setup.grant(grant).names(&[&["127.0.0.1"]]).store().await
}

#[tokio::test]
async fn tls_trusts_whom_the_grant_names() {
    let authority = Authority::new();
    let server = Server::tls(authority.server("localhost", false), |_| {
        answer("200 OK", "", "secure")
    })
    .await;
    let url = format!("https://localhost:{}/", server.port());
    let setup = Setup::new();
    setup.materials.set("ca.pem", &authority.pem);
    setup.materials.set("other.pem", &Authority::new().pem);
    let store = secure(
        &server,
        json!({ "ca": { "file": "ca.pem" } }),
        setup.clone(),
    )
    .await;
    assert_eq!(
        store.value("http", json!({ "url": url })).await.unwrap(),
        "secure"
    );
    for more in [json!({}), json!({ "ca": { "file": "other.pem" } })] {
        let store = secure(&server, more, setup.clone()).await;
        let fault = refused(&store, &url).await;
        assert_eq!(
            (fault.class, fault.code.as_str()),
            (FaultClass::Denied, "http.tls"),
            "{fault}"
        );
    }
    // A certificate of another name.
    let server = Server::tls(authority.server("other.example", false), |_| Vec::new()).await;
    let url = format!("https://localhost:{}/", server.port());
    let store = secure(
        &server,
        json!({ "ca": { "file": "ca.pem" } }),
        setup.clone(),
    )
    .await;
    assert_eq!(refused(&store, &url).await.code, "http.tls");
    // What is rotated is used at once, and broken material is said to be.
    setup.materials.set("ca.pem", "no pem");
    assert_eq!(refused(&store, &url).await.code, "http.material");
}

#[tokio::test]
async fn a_client_certificate_is_shown() {
    let authority = Authority::new();
    let server = Server::tls(authority.server("localhost", true), |_| {
        answer("200 OK", "", "known")
    })
    .await;
    let url = format!("https://localhost:{}/", server.port());
    let signed = authority.sign("client");
    let setup = Setup::new();
    setup.materials.set("ca.pem", &authority.pem);
    setup.materials.set("client.pem", &signed.certificate);
    setup.materials.set("client.key", &signed.key);
    let store = secure(
        &server,
        json!({ "ca": { "file": "ca.pem" } }),
        setup.clone(),
    )
    .await;
    assert_eq!(refused(&store, &url).await.class, FaultClass::Unavailable);
    let more = json!({ "ca": { "file": "ca.pem" }, "certificate": { "file": "client.pem" }, "key": { "file": "client.key" } });
    let store = secure(&server, more, setup).await;
    assert_eq!(
        store.value("http", json!({ "url": url })).await.unwrap(),
        "known"
    );
}

#[tokio::test]
async fn http2_is_spoken_where_it_is_offered() {
    let authority = Authority::new();
    let mut config = authority.server("localhost", false);
    config.alpn_protocols = vec![b"h2".to_vec()];
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let stream = acceptor.accept(stream).await.unwrap();
        let mut connection = h2::server::handshake(stream).await.unwrap();
        while let Some(Ok((request, mut respond))) = connection.accept().await {
            let text = format!("{:?} {}", request.version(), request.uri().path());
            let response = http::Response::builder().status(200).body(()).unwrap();
            let mut stream = respond.send_response(response, false).unwrap();
            stream.send_data(text.into(), true).unwrap();
        }
    });
    let to = format!("https://localhost:{port}/*");
    let setup = Setup::new().grant(json!({ "to": to, "ca": { "file": "ca.pem" } }));
    setup.materials.set("ca.pem", &authority.pem);
    let store = setup.names(&[&["127.0.0.1"]]).store().await;
    for _ in 0..2 {
        let seen = store
            .value("http", json!({ "url": to.replace('*', "x") }))
            .await
            .unwrap();
        assert_eq!(seen, "HTTP/2.0 /x");
    }
}

#[tokio::test]
async fn what_an_answer_reveals_is_repeated_nowhere() {
    let body = r#"{"data":{"password":"an5wer-s3cret"}}"#;
    let server = Server::plain(move |_| answer("200 OK", "", body)).await;
    let url = format!("http://{}/", server.address);
    let store = asking(&url).await;
    for deed in ["http-log", "http-panic", "http-fault"] {
        let outcome = store.read(deed, json!({ "url": url })).await.map(drop);
        let told = format!("{outcome:?} {}", store.log());
        assert!(told.contains("[redacted]"), "{deed}: {told}");
        assert!(!told.contains("an5wer-s3cret"), "{deed}: {told}");
    }
    // Known until the call ends, and no longer: what nobody read is nobody's secret.
    assert_eq!(store.scrubber.scrub("an5wer-s3cret"), "an5wer-s3cret");
}
