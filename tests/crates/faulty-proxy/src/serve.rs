//! One request on its way through.

use std::io::{self, Write as _};
use std::sync::{Mutex, PoisonError};
use std::thread::sleep;
use std::time::Duration;

use whimbrel_test_server::{Connection, Request, Response};

use crate::{Fault, Seen, State, clock};

/// The server behind.
#[derive(Debug)]
pub(crate) struct Upstream {
    port: u16,
    host: String,
    trusted: Option<String>,
}

impl Upstream {
    pub(crate) fn parse(url: &str, trusted: Option<&str>) -> Self {
        let (scheme, host) = url.split_once("://").expect("a URL");
        let host = host.trim_end_matches('/');
        let port = host.rsplit(':').next().and_then(|port| port.parse().ok());
        let secure = scheme == "https";
        Self {
            port: port.expect("a port"),
            host: host.to_owned(),
            trusted: trusted.filter(|_| secure).map(str::to_owned),
        }
    }

    fn ask(&self, request: &Request) -> io::Result<Response> {
        let mut connection = Connection::call(self.port, self.trusted.as_deref())?;
        request.send(&mut connection, &self.host)
    }
}

pub(crate) fn serve(mut connection: Connection, upstream: &Upstream, state: &Mutex<State>) {
    let Ok(Some(request)) = Request::read(&mut connection) else {
        return;
    };
    let fault = {
        let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
        state.rules.iter_mut().find_map(|rule| rule.take(&request))
    };
    let note = |forwarded, status| {
        let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
        state.seen.push(Seen {
            method: request.method.clone(),
            target: request.target.clone(),
            forwarded,
            status,
        });
    };
    match fault {
        Some(Fault::ResetBefore) => {
            note(false, None);
            return connection.break_off();
        }
        Some(Fault::Status(status)) => {
            note(false, Some(status));
            return answer(connection, &refusal(status));
        }
        Some(Fault::Hang) => {
            note(false, None);
            // Until the client closes it.
            let _ = io::copy(&mut connection, &mut io::sink());
            return;
        }
        Some(Fault::Page(status)) => {
            note(false, Some(status));
            return answer(connection, &page(status));
        }
        Some(Fault::Wrapped(status)) => {
            note(false, Some(status));
            return answer(connection, &wrapped(status));
        }
        Some(Fault::RetryAfter(seconds)) => {
            note(false, Some(429));
            let refusal = refusal(429).with_header("retry-after", seconds.to_string());
            return answer(connection, &refusal);
        }
        Some(Fault::Clock(seconds)) => {
            if let Some(refusal) = clock::refusal(&request, seconds) {
                note(false, Some(refusal.status));
                return answer(connection, &refusal);
            }
        }
        Some(Fault::Delay(milliseconds)) => sleep(Duration::from_millis(milliseconds)),
        _ => {}
    }
    let response = upstream
        .ask(&request)
        .unwrap_or_else(|error| Response::json(502, format!("{{\"errors\":[\"{error}\"]}}")));
    // Noted before it is sent: whoever has the answer finds it counted.
    match fault {
        Some(Fault::ResetAfter) => {
            note(true, None);
            connection.break_off();
        }
        Some(Fault::Truncate(length)) => {
            note(true, None);
            let whole = response.bytes();
            let end = whole.len() - response.body.len() + length.min(response.body.len());
            let _ = connection.write_all(whole.get(..end).unwrap_or_default());
            let _ = connection.flush();
            connection.break_off();
        }
        Some(Fault::Skew(seconds)) => {
            note(true, Some(response.status));
            answer(
                connection,
                &response.with_header("date", clock::date(seconds)),
            );
        }
        _ => {
            note(true, Some(response.status));
            answer(connection, &response);
        }
    }
}

fn answer(mut connection: Connection, response: &Response) {
    let _ = connection.write_all(&response.bytes());
    connection.finish();
}

/// What a proxy says to people.
fn page(status: u16) -> Response {
    Response {
        status,
        headers: vec![("content-type".to_owned(), "text/html".to_owned())],
        body: b"<!doctype html><title>Sign in</title><p>Please sign in first.</p>".to_vec(),
    }
}

/// A status with its words, as a Vault wraps those of others.
fn wrapped(status: u16) -> Response {
    let said = format!("1 error occurred:\n\t* {}\n\n", message(status));
    Response::json(status, serde_json::json!({ "errors": [said] }).to_string())
}

/// What a Vault says with a status, as its documentation has it.
fn refusal(status: u16) -> Response {
    if status == 404 {
        return Response::json(404, "{\"errors\":[]}");
    }
    Response::json(status, format!("{{\"errors\":[\"{}\"]}}", message(status)))
}

const fn message(status: u16) -> &'static str {
    match status {
        403 => "permission denied",
        412 => "required index state not present",
        429 => "request path: rate limit quota exceeded",
        472 => "disaster recovery mode replication secondary",
        473 => "performance standby",
        501 => "not initialized",
        503 => "Vault is sealed",
        _ => "internal error",
    }
}
