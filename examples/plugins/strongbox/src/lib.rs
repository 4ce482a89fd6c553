//! Secrets of a Strongbox: see the README for what the server speaks.

mod wire;

use whimbrel_sdk::prelude::*;
use whimbrel_sdk::{address, schemars, serde, session, time};

use crate::wire::{Answer, Kept, Lent, LoggedIn, Outline, Role};

/// The backend's `with:`.
#[derive(Deserialize, JsonSchema)]
#[serde(crate = "serde", deny_unknown_fields)]
#[schemars(crate = "schemars")]
pub struct Config {
    /// Where the Strongbox is: `https://strongbox.example.org`.
    pub address: String,
    /// Who asks.
    pub client: String,
    /// What proves it.
    pub key: String,
}

/// The secret backend.
pub struct Strongbox {
    config: Config,
}

/// A path below this is a role whose credentials are lent.
const LOAN: &str = "loan/";

impl SecretStore for Strongbox {
    type Config = Config;

    fn configure(config: Config) -> Result<Self, Fault> {
        address::check("/address", &config.address)?;
        Ok(Self { config })
    }

    fn read(&self, reference: &Reference) -> Result<Secret, Fault> {
        let Some(role) = role(reference)? else {
            let kept: Kept = self
                .send("GET", &place("secrets", reference)?, None)?
                .read()?;
            let secret = Secret::of_json(&kept.fields).ok_or_else(wire::unreadable)?;
            return Ok(secret.with_version(kept.version.to_string()));
        };
        let lent: Lent = self
            .send("POST", "/loans", Some(json!({ "role": role })))?
            .read()?;
        let secret = Secret::of_json(&lent.fields).ok_or_else(wire::unreadable)?;
        Ok(secret.with_lease(Some(Lease {
            id: lent.loan,
            is_renewable: true,
            time_to_live: Duration::from_secs(lent.seconds),
        })))
    }

    fn describe(&self, reference: &Reference) -> Result<Shape, Fault> {
        if let Some(role) = role(reference)? {
            let role: Role = self.send("GET", &format!("/roles/{role}"), None)?.read()?;
            return Ok(Shape {
                fields: role.fields,
                time_to_live: Some(Duration::from_secs(role.seconds)),
                ..Shape::default()
            });
        }
        let outline: Outline = self
            .send("GET", &place("shapes", reference)?, None)?
            .read()?;
        Ok(Shape {
            fields: outline.fields,
            version: Some(outline.version.to_string()),
            next_rotation: outline.rotates.as_deref().and_then(time::from_rfc3339),
            ..Shape::default()
        })
    }

    fn renew(&self, lease: &str, want: Duration) -> Result<Renewal, Fault> {
        #[derive(Deserialize)]
        #[serde(crate = "serde")]
        struct Extended {
            seconds: u64,
        }
        let body = json!({ "seconds": want.as_secs() });
        let answer = self.send("POST", &format!("/loans/{}", segment(lease)?), Some(body));
        match answer {
            Err(fault) if fault.class == FaultClass::NotFound => Ok(Renewal::Gone),
            answer => {
                let extended: Extended = answer?.read()?;
                let lease = Lease {
                    id: lease.to_owned(),
                    is_renewable: true,
                    time_to_live: Duration::from_secs(extended.seconds),
                };
                Ok(Renewal::of(lease, want))
            }
        }
    }

    fn revoke(&self, lease: &str) -> Result<(), Fault> {
        match self.send("DELETE", &format!("/loans/{}", segment(lease)?), None) {
            Err(fault) if fault.class == FaultClass::NotFound => Ok(()),
            answer => answer?.done(),
        }
    }

    fn close(&self) -> Result<(), Fault> {
        if let Some(token) = session::token(Duration::default()) {
            match wire::send(&self.config.address, "DELETE", "/login", Some(&token), None) {
                Err(fault) if fault.code == wire::LOGGED_OUT => {}
                answer => answer?.done()?,
            }
        }
        session::forget();
        Ok(())
    }
}

impl Strongbox {
    /// A request with the login of an earlier call, or a new one when there is none or it is over.
    fn send(&self, method: &str, path: &str, body: Option<Json>) -> Result<Answer, Fault> {
        session::with_token(
            Duration::default(),
            || self.log_in(),
            |token| {
                wire::send(
                    &self.config.address,
                    method,
                    path,
                    Some(token),
                    body.clone(),
                )
            },
            |answer| matches!(answer, Err(fault) if fault.code == wire::LOGGED_OUT),
        )
    }

    fn log_in(&self) -> Result<session::Token, Fault> {
        let body = json!({ "client": self.config.client, "key": self.config.key });
        let login: LoggedIn =
            wire::send(&self.config.address, "POST", "/login", None, Some(body))?.read()?;
        Ok(session::Token {
            text: login.token,
            holds: Duration::from_secs(login.seconds),
        })
    }
}

/// The role, if credentials are to be lent.
fn role(reference: &Reference) -> Result<Option<&str>, Fault> {
    let Some(role) = reference.path.strip_prefix(LOAN) else {
        return Ok(None);
    };
    if reference.version.is_some() {
        let message = format!("`{}` is lent and has no versions", reference.path);
        return Err(Fault::new(
            FaultClass::Unsupported,
            "strongbox.no-versions",
            message,
        ));
    }
    segment(role).map(Some)
}

/// The path of a kept secret.
fn place(folder: &str, reference: &Reference) -> Result<String, Fault> {
    let path = reference.path.as_str();
    for part in path.split('/') {
        segment(part)?;
    }
    let Some(version) = &reference.version else {
        return Ok(format!("/{folder}/{path}"));
    };
    if version.parse::<u64>().is_err() {
        let message = format!("`{version}` is no version: they are numbers");
        return Err(Fault::new(
            FaultClass::Invalid,
            "strongbox.version",
            message,
        ));
    }
    Ok(format!("/{folder}/{path}?version={version}"))
}

/// A name that stays one segment of a URL.
fn segment(name: &str) -> Result<&str, Fault> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if !name.is_empty() && name != "." && name != ".." && name.chars().all(is_plain) {
        return Ok(name);
    }
    let message = format!(
        "`{}` is no name: expected letters, digits, `-`, `_` and `.`",
        name.escape_debug()
    );
    Err(Fault::new(FaultClass::Invalid, "strongbox.name", message))
}

whimbrel_sdk::export_store!(Strongbox, needs: ["http", "clock"]);
