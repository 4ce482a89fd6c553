//! What every request passes: how long it may take, and who may ask.

use std::sync::Arc;

use axum::Extension;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

use crate::listen::Peer;
use crate::problem::Problem;
use crate::server::Server;
use crate::settings::{Access, Grants};
use crate::tokens::Caller;

/// Bounds the time until an answer begins, and says what nobody should do with it.
pub(super) async fn bounded(
    State(server): State<Arc<Server>>,
    request: Request,
    next: Next,
) -> Response {
    let patience = server.limits.request_time;
    let mut response = match tokio::time::timeout(patience, next.run(request)).await {
        Ok(response) => response,
        Err(_) => Problem::unavailable("it took too long")
            .hint("ask again later")
            .into_response(),
    };
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    response
}

/// Lets those in who may see things.
pub(super) async fn may_read(
    State(server): State<Arc<Server>>,
    Extension(peer): Extension<Peer>,
    request: Request,
    next: Next,
) -> Response {
    enter(&server, &peer, request, next, Access::Read).await
}

/// Lets those in who may change things.
pub(super) async fn may_apply(
    State(server): State<Arc<Server>>,
    Extension(peer): Extension<Peer>,
    request: Request,
    next: Next,
) -> Response {
    enter(&server, &peer, request, next, Access::Apply).await
}

/// Lets those in who may have migrations of their own run.
pub(super) async fn may_write(
    State(server): State<Arc<Server>>,
    Extension(peer): Extension<Peer>,
    request: Request,
    next: Next,
) -> Response {
    enter(&server, &peer, request, next, Access::Write).await
}

async fn enter(
    server: &Server,
    peer: &Peer,
    mut request: Request,
    next: Next,
    needed: Access,
) -> Response {
    match caller(server, peer, request.headers()) {
        Err(problem) => problem.into_response(),
        Ok(caller) if caller.access < needed => Problem::new(
            StatusCode::FORBIDDEN,
            "forbidden",
            "not for everybody",
            match caller.access {
                Access::Read => format!("`{}` may only read", caller.name),
                _ => format!("`{}` may write no migrations", caller.name),
            },
        )
        .into_response(),
        Ok(caller) => {
            request.extensions_mut().insert(caller);
            next.run(request).await
        }
    }
}

fn caller(server: &Server, peer: &Peer, headers: &HeaderMap) -> Result<Caller, Problem> {
    let said = headers.get(header::AUTHORIZATION).map(|value| {
        let text = value.to_str().unwrap_or_default();
        let (scheme, token) = text.split_once(' ').unwrap_or_default();
        let token = scheme.eq_ignore_ascii_case("bearer").then(|| token.trim());
        token.and_then(|token| server.tokens.whose(token))
    });
    match (said, &peer.certificate) {
        (Some(Some(caller)), _) => Ok(caller),
        (None, Some(fingerprint)) => Ok(Caller {
            name: format!("certificate:{fingerprint}"),
            access: Access::Write,
            grants: Grants::default(),
        }),
        (None, None) if server.is_open => {
            if !peer.is_socket && !is_local_name(headers) {
                return Err(Problem::new(
                    StatusCode::MISDIRECTED_REQUEST,
                    "wrong-host",
                    "this is somebody else",
                    "without tokens, a request must name this machine as its host",
                ));
            }
            Ok(Caller {
                name: whimbrel_engine::actor(),
                access: Access::Write,
                grants: Grants::default(),
            })
        }
        _ => Err(Problem::new(
            StatusCode::UNAUTHORIZED,
            "unauthorized",
            "who is asking?",
            "this needs a token: `Authorization: Bearer TOKEN`",
        )),
    }
}

/// Whether a request names this machine, so that a page in a browser can't reach it under a name of its own.
fn is_local_name(headers: &HeaderMap) -> bool {
    let host = headers
        .get(header::HOST)
        .and_then(|host| host.to_str().ok());
    let Some(host) = host else { return false };
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let name = name.trim_matches(['[', ']']);
    name.eq_ignore_ascii_case("localhost")
        || name
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderMap, HeaderValue, header};

    use super::is_local_name;

    #[test]
    fn a_name_from_outside_is_not_this_machine() {
        let local = |host: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::HOST, HeaderValue::from_str(host).unwrap());
            is_local_name(&headers)
        };
        for host in [
            "localhost",
            "LOCALHOST:8731",
            "127.0.0.1:1",
            "[::1]:8731",
            "127.0.0.1",
        ] {
            assert!(local(host), "{host}");
        }
        for host in [
            "evil.example",
            "evil.example:80",
            "10.0.0.1",
            "localhost.evil.example",
        ] {
            assert!(!local(host), "{host}");
        }
        assert!(!is_local_name(&HeaderMap::new()));
    }
}
