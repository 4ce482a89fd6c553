//! Requests go out through the host, and what isn't a plugin's to decide is refused or does nothing.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use reqwest::{Certificate, Client, ClientBuilder, Error, Identity, Proxy, Request};
use whimbrel_sdk::FaultClass;
use whimbrel_sdk::http::Response;
use whimbrel_sdk::mock::{Answers, Host};

fn now<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("the host answers at once"),
    }
}

fn request(url: &str, body: &[u8]) -> Result<Request, Error> {
    let request = http::Request::builder()
        .method("PUT")
        .uri(url)
        .header("x-a", "1");
    Request::try_from(request.body(body.to_vec()).unwrap())
}

#[test]
fn a_request_goes_through_the_host_and_its_answer_comes_back() {
    let answer = Response {
        status: 429,
        headers: vec![("Retry-After".into(), "7".into())],
        body: b"later".to_vec(),
    };
    let answers = Answers::new()
        .reply("PUT", "https://a.test/b", answer)
        .fail("PUT", "https://a.test/c");
    let (ran, mut host) = Host::without_database().with_answers(answers).run(|| {
        let client = ClientBuilder::new()
            .tls_backend_rustls()
            .tls_backend_native()
            .tls_danger_accept_invalid_certs(true)
            .tls_certs_only(Vec::new())
            .tls_certs_merge(Vec::new())
            .timeout(Duration::from_secs(1))
            .build()?;
        let request = request("https://a.test/b?", b"body")?;
        assert_eq!(
            (request.method().as_str(), request.url().path()),
            ("PUT", "/b")
        );
        let response = now(client.execute(request))?;
        assert_eq!(
            (response.status().as_u16(), response.headers().len()),
            (429, 1)
        );
        assert_eq!(now(response.bytes())?, b"later"[..]);
        assert_eq!(reqwest::last_header("retry-after").as_deref(), Some("7"));
        let error =
            now(Client::default().execute(self::request("https://a.test/c", b"")?)).unwrap_err();
        assert_eq!(error.fault().class, FaultClass::Unavailable);
        assert_eq!(
            reqwest::last_header("retry-after"),
            None,
            "of no earlier answer"
        );
        Ok::<_, Error>(())
    });
    ran.unwrap();
    let requests = host.take_requests();
    let sent: Vec<_> = requests
        .iter()
        .map(|request| request.body.as_deref())
        .collect();
    assert_eq!(sent, [Some(&b"body"[..]), None]);
    assert!(
        requests
            .iter()
            .all(|request| request.header("x-a") == Some("1"))
    );
}

#[test]
fn what_is_the_hosts_is_refused() {
    for error in [
        Identity::from_pem(b"").err(),
        Certificate::from_pem_bundle(b"").err(),
        Proxy::all("http://proxy.test").err(),
    ] {
        let error = error.unwrap();
        assert_eq!(error.fault().class, FaultClass::Unsupported);
        assert!(error.to_string().contains("host's business"));
    }
    assert_eq!(
        request("/no-host", b"").unwrap_err().fault().code,
        "http.malformed"
    );
}
