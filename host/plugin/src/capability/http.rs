//! `whimbrel:http/client`: requests to granted places, by the host's egress.

use std::time::Duration;

use wasmtime::Result;
use zeroize::Zeroizing;

use crate::bindings::imports::whimbrel::http::client;
use crate::bindings::imports::whimbrel::types::types::Fault;
use crate::capability::Denied;
use crate::egress::{Asked, Outgoing};
use crate::grants::Need;
use crate::instance::State;

impl State {
    /// Where requests of this call may go.
    fn outgoing(&mut self) -> std::result::Result<Outgoing, Denied> {
        let outgoing = self.working("http")?.outgoing.clone();
        let outgoing = match outgoing {
            Some(outgoing) if self.allows(Need::Http) => outgoing,
            _ => return Err(self.ungranted(Need::Http)),
        };
        if self.is_in_transaction() {
            return Err(Denied::InTransaction { import: "http" });
        }
        if self.requests >= self.limits.http_requests {
            let limit = self.limits.http_requests;
            return Err(Denied::TooMuch(format!(
                "more than {limit} requests of one call"
            )));
        }
        self.requests += 1;
        Ok(outgoing)
    }
}

impl client::Host for State {
    async fn send(
        &mut self,
        request: client::Request,
    ) -> Result<std::result::Result<client::Response, Fault>> {
        let outgoing = match self.outgoing() {
            Ok(outgoing) => outgoing,
            Err(denied) => return Ok(Err(denied.fault("http.denied"))),
        };
        let asked = Asked {
            method: request.method,
            url: request.url,
            headers: request.headers,
            body: Zeroizing::new(request.body.unwrap_or_default()),
            timeout: request.timeout_ms.map(Duration::from_millis),
        };
        self.meter.pause();
        let answer = outgoing.send(asked).await;
        self.meter.resume();
        Ok(match answer {
            Ok(mut answer) => {
                self.hush.hear_answer(answer.status, &answer.body);
                Ok(client::Response {
                    status: answer.status,
                    headers: answer.headers,
                    body: std::mem::take(&mut *answer.body),
                })
            }
            Err(fault) => Err(fault.into()),
        })
    }
}
