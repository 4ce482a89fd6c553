//! Every fault is what a client sees, and only as often as was said.

#![allow(missing_docs, clippy::unwrap_used, clippy::panic)]

use std::io::{self, Read as _, Write as _};
use std::time::{Duration, Instant};

use whimbrel_faulty_proxy::{Fault, FaultyProxy, Rule};
use whimbrel_test_server::{Authority, Connection, Listener, Request, Response};

/// A server that says what it was asked.
fn echo() -> (Listener, String) {
    let authority = Authority::default();
    let listener = Listener::start(Some(&authority.identity()), |mut connection| {
        let request = Request::read(&mut connection).unwrap().unwrap();
        let body = format!(
            "{} {} {}",
            request.method,
            request.target,
            request.body.len()
        );
        let response =
            Response::json(200, body).with_header("date", "Thu, 01 Jan 1970 00:00:00 GMT");
        let _ = connection.write_all(&response.bytes());
        connection.finish();
    });
    (listener, authority.certificate())
}

fn before(listener: &Listener, certificate: &str) -> FaultyProxy {
    FaultyProxy::start(
        &format!("https://{}", listener.address()),
        Some(certificate),
    )
}

fn ask(proxy: &FaultyProxy, method: &str, target: &str) -> io::Result<Response> {
    let port = proxy.address().rsplit(':').next().unwrap().parse().unwrap();
    let mut connection = Connection::call(port, Some(&proxy.certificate()))?;
    let request = Request {
        method: method.to_owned(),
        target: target.to_owned(),
        headers: vec![(
            "x-amz-target".to_owned(),
            "secretsmanager.GetSecretValue".to_owned(),
        )],
        body: b"12345".to_vec(),
    };
    request.send(&mut connection, "localhost")
}

#[test]
fn without_faults_it_is_not_there() {
    let (listener, certificate) = echo();
    let proxy = before(&listener, &certificate);
    let response = ask(&proxy, "LIST", "/v1/shop?list=true").unwrap();
    assert_eq!(
        (response.status, response.body.as_slice()),
        (200, &b"LIST /v1/shop?list=true 5"[..])
    );
    assert_eq!(proxy.requests_for("/v1/shop"), 1);
    assert!(
        proxy
            .seen()
            .iter()
            .all(|seen| seen.forwarded && seen.status == Some(200))
    );
}

#[test]
fn every_status_as_often_as_was_said() {
    let (listener, certificate) = echo();
    let proxy = before(&listener, &certificate);
    for status in [403, 404, 412, 429, 472, 473, 500, 501, 502, 503] {
        proxy.inject(
            Rule::on("/v1/")
                .method("GET")
                .times(1)
                .fault(Fault::Status(status)),
        );
        let response = ask(&proxy, "GET", "/v1/shop").unwrap();
        assert_eq!(response.status, status);
        assert!(
            String::from_utf8(response.body)
                .unwrap()
                .starts_with("{\"errors\":[")
        );
        assert_eq!(ask(&proxy, "GET", "/v1/shop").unwrap().status, 200);
    }
    proxy.forget();
    proxy.inject(
        Rule::on("/v1/")
            .header("x-amz-target", "GetSecretValue")
            .fault(Fault::RetryAfter(7)),
    );
    let response = ask(&proxy, "POST", "/v1/shop").unwrap();
    assert_eq!(
        (response.status, response.header("retry-after")),
        (429, Some("7"))
    );
    assert!(proxy.seen().iter().all(|seen| !seen.forwarded));
    proxy.mend();
    assert_eq!(ask(&proxy, "POST", "/v1/shop").unwrap().status, 200);
}

#[test]
fn connections_break_before_and_after() {
    let (listener, certificate) = echo();
    let proxy = before(&listener, &certificate);
    for (fault, forwarded) in [
        (Fault::ResetBefore, false),
        (Fault::ResetAfter, true),
        (Fault::Truncate(3), true),
    ] {
        proxy.forget();
        proxy.inject(Rule::on("/").times(1).fault(fault));
        let broken = ask(&proxy, "GET", "/v1/shop");
        assert!(
            broken.is_err() || broken.unwrap().body.len() == 3,
            "{fault:?}"
        );
        let seen = proxy.seen();
        assert_eq!(seen.len(), 1);
        assert!(
            seen.iter()
                .all(|seen| seen.forwarded == forwarded && seen.status.is_none())
        );
    }
    assert_eq!(ask(&proxy, "GET", "/v1/shop").unwrap().status, 200);
}

#[test]
fn clocks_and_slowness() {
    let (listener, certificate) = echo();
    let proxy = before(&listener, &certificate);
    proxy.inject(Rule::on("/").times(1).fault(Fault::Skew(-3600)));
    let response = ask(&proxy, "GET", "/").unwrap();
    let date = response.header("date").unwrap();
    assert!(date.ends_with(" GMT") && !date.contains("1970"), "{date}");
    // Only of what is signed can such a server say that it was signed at another time.
    proxy.inject(Rule::on("/").times(1).fault(Fault::Clock(-3600)));
    assert_eq!(ask(&proxy, "GET", "/").unwrap().status, 200);
    proxy.inject(Rule::on("/").times(1).fault(Fault::Delay(300)));
    let begun = Instant::now();
    assert_eq!(ask(&proxy, "GET", "/").unwrap().status, 200);
    assert!(begun.elapsed() >= Duration::from_millis(300));
}

#[test]
fn the_program_does_as_it_is_told() {
    use std::io::{BufRead as _, BufReader};
    use std::process::{Command, Stdio};

    let (listener, certificate) = echo();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ca.pem");
    std::fs::write(&file, certificate).unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_whimbrel-faulty-proxy"))
        .arg(format!("https://{}", listener.address()))
        .arg(&file)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let (mut input, output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    let mut output = BufReader::new(output);
    let mut read = || {
        let mut line = String::new();
        output.read_line(&mut line).unwrap();
        line
    };
    assert!(read().contains("BEGIN CERTIFICATE"));
    for (command, answer) in [
        (
            "{\"path\": \"/v1/\", \"times\": 2, \"fault\": {\"status\": 503}}",
            "{}\n",
        ),
        ("{\"path\": \"/v1/\", \"fault\": \"reset-after\"}", "{}\n"),
        ("\"seen\"", "[]\n"),
        ("\"forget\"", "{}\n"),
        ("\"mend\"", "{}\n"),
    ] {
        writeln!(input, "{command}").unwrap();
        assert_eq!(read(), answer, "{command}");
    }
    for wrong in ["nonsense", "\"nonsense\"", "{}"] {
        writeln!(input, "{wrong}").unwrap();
        assert!(read().contains("error"), "{wrong}");
    }
    drop(input);
    assert!(child.wait().unwrap().success());
    let mut rest = String::new();
    output.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "");
}
