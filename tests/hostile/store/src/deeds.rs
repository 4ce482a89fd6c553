//! The deeds, by name.

use std::hint::black_box;

use serde_json::{Value as Json, json};

use crate::exports::whimbrel::secrets::backend::{Fault, Lease, Reference, Secret};
use crate::whimbrel::ambient::{clock, environment, files, random};
use crate::whimbrel::http::client;
use crate::whimbrel::observe::{call, log};
use crate::whimbrel::secrets::session;
use crate::whimbrel::types::types::FaultClass;
use crate::{READS, config, fault, secret, stain};

fn text<'a>(options: &'a Json, name: &str) -> &'a str {
    options[name].as_str().unwrap_or_default()
}

pub fn send(options: &Json) -> Result<client::Response, Fault> {
    let configured = config()["address"].as_str().unwrap_or_default().to_owned();
    let headers = options["headers"].as_object();
    client::send(&client::Request {
        method: options["method"].as_str().unwrap_or("GET").to_owned(),
        url: match options["url"].as_str() {
            Some(url) => url.to_owned(),
            None => format!("{configured}{}", text(options, "path")),
        },
        headers: headers
            .into_iter()
            .flatten()
            .map(|(name, value)| (name.clone(), value.as_str().unwrap_or_default().to_owned()))
            .collect(),
        body: options["body"]
            .as_str()
            .map(|body| body.as_bytes().to_vec()),
        timeout_ms: options["timeout"].as_u64(),
    })
}

/// What came back, as a secret: so that a test can look at it.
fn shown(response: &client::Response) -> Secret {
    let mut shown = secret(response.body.clone());
    shown.details = json!({ "status": response.status, "headers": response.headers }).to_string();
    shown
}

#[allow(unconditional_recursion)]
fn recurse(depth: u64) -> u64 {
    recurse(black_box(depth) + 1) + 1
}

/// Does what the path says.
pub fn read(reference: &Reference, options: &Json) -> Result<Secret, Fault> {
    let count = options["n"].as_u64().unwrap_or(1);
    match reference.path.as_str() {
        "value" => return Ok(secret(text(options, "value"))),
        "bytes" => return Ok(secret(vec![0xff, 0xfe, 0xfd, 0xfc, 0xfb])),
        "config" => return Ok(secret(config().to_string())),
        "version" => {
            let mut answer = secret("versioned-value");
            answer.version = reference.version.clone();
            return Ok(answer);
        }
        "heard" => return Ok(secret(config()["heard"].to_string())),
        "reads" => return Ok(secret(READS.with_borrow(u32::to_string))),
        "stain" => {
            let found: Vec<usize> = (0..count).map(|_| stain::everything()).collect();
            return Ok(secret(json!(found).to_string()));
        }
        "call" => {
            let all = format!(
                "{}|{}|{}|{}",
                call::run_id(),
                call::operation_id(),
                call::attempt(),
                call::cancelled()
            );
            return Ok(secret(all));
        }
        "fields" => {
            let mut answer = secret("x");
            answer.fields = (0..count)
                .map(|index| (format!("field{index}"), b"field-value".to_vec()))
                .collect();
            return Ok(answer);
        }
        "field" => {
            let mut answer = secret("x");
            answer.fields = vec![(text(options, "name").to_owned(), b"field-value".to_vec())];
            return Ok(answer);
        }
        "twice" => {
            let mut answer = secret("first-value");
            answer.fields.push(answer.fields[0].clone());
            return Ok(answer);
        }
        "large" => return Ok(secret(vec![b'x'; count as usize])),
        "lease" => {
            let mut answer = secret("leased-value");
            answer.expires = options["expires"].as_u64();
            answer.lease = Some(Lease {
                id: options["id"].as_str().unwrap_or("lease-1").to_owned(),
                renewable: true,
                ttl: options["ttl"].as_u64().unwrap_or(60),
            });
            return Ok(answer);
        }
        "details" => {
            let mut answer = secret(text(options, "value"));
            answer.details = text(options, "details").to_owned();
            return Ok(answer);
        }
        "bad-text" => {
            let mut answer = secret("x");
            // SAFETY: none. That is the point: the host must notice.
            answer.version = Some(unsafe { String::from_utf8_unchecked(vec![0xff, 0xfe]) });
            return Ok(answer);
        }
        "loop" => loop {
            black_box(());
        },
        "sleep" => {
            let _ = call::pause(count);
        }
        "memory" => {
            let mut keep: Vec<Vec<u8>> = Vec::new();
            loop {
                keep.push(vec![1; 1 << 20]);
                black_box(&keep);
            }
        }
        "recursion" => return Ok(secret(recurse(0).to_string())),
        "log" => log::write(log::Level::Info, text(options, "text"), &[]),
        "fault" => {
            return Err(fault(
                FaultClass::NotFound,
                "store.none",
                text(options, "text"),
            ));
        }
        "panic" => panic!("{}", text(options, "text")),
        "http" => return send(options).map(|response| shown(&response)),
        "many-requests" => {
            for _ in 0..count {
                send(options)?;
            }
        }
        // Reveals what the answer holds in every way that isn't the answer.
        "http-log" | "http-panic" | "http-fault" => {
            let response = send(options)?;
            let body = String::from_utf8_lossy(&response.body).into_owned();
            log::write(
                log::Level::Warn,
                &body,
                &[("field".to_owned(), body.clone())],
            );
            match reference.path.as_str() {
                "http-panic" => panic!("{body}"),
                "http-fault" => return Err(fault(FaultClass::Denied, "store.denied", &body)),
                _ => return Ok(secret("done-and-told")),
            }
        }
        "follow" => {
            let mut response = send(options)?;
            for _ in 0..5 {
                let headers = response.headers.iter();
                let to = headers.clone().find(|(name, _)| name == "location");
                let Some((_, to)) = to else { break };
                response = send(&json!({ "url": to }))?;
            }
            return Ok(shown(&response));
        }
        "login" => {
            let conceal = vec![text(options, "token").as_bytes().to_vec()];
            session::put(
                text(options, "token").as_bytes(),
                &conceal,
                options["expires"].as_u64(),
            );
            return Ok(secret("logged-in-now"));
        }
        "login-panic" => {
            session::put(text(options, "token").as_bytes(), &[], None);
            panic!("after the login");
        }
        "login-slowly" => {
            // Whoever finds no login makes one: how many did shows in the number that is drawn.
            let login = session::get().unwrap_or_else(|| {
                let _ = call::pause(count);
                let login = random::bytes(8);
                session::put(&login, &[], None);
                login
            });
            return Ok(secret(format!("{login:?}")));
        }
        "login-large" => session::put(&vec![0; count as usize], &[], None),
        "session" => {
            return Ok(secret(match session::get() {
                Some(login) => login,
                None => b"none".to_vec(),
            }));
        }
        "forget" => session::forget(),
        "clock" => return Ok(secret(clock::now().to_string())),
        "random" => return Ok(secret(random::bytes(count as u32))),
        "environment" => {
            let value = environment::get(text(options, "name"));
            return Ok(secret(value.unwrap_or_else(|| "not-there".to_owned())));
        }
        "environment-log" => {
            let value = environment::get(text(options, "name")).unwrap_or_default();
            log::write(log::Level::Info, &value, &[]);
        }
        "file" => return files::read(text(options, "file")).map(secret),
        other => return Err(fault(FaultClass::NotFound, "store.no-deed", other)),
    }
    Ok(secret("done"))
}
