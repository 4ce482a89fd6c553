//! Logging in, staying so, and logging out.

use vaultrs::api::{self, AuthInfo};
use vaultrs::error::ClientError;
use whimbrel_sdk::prelude::*;
use whimbrel_sdk::{clock, files, session};

use crate::client::{client, done, now};
use crate::config::{AppRole, Config, LoginMethod};
use crate::endpoint::Call;
use crate::refusal::{Refusal, unreadable};
use crate::session::{Due, Login};

/// A configured token that Vault no longer takes.
pub(crate) fn over() -> Fault {
    Fault::new(
        FaultClass::Denied,
        "vault.token-over",
        "the configured token is expired, revoked or of another Vault",
    )
    .with_hint("make a new one, or let whimbrel log in by AppRole, Kubernetes or JWT")
}

/// The login to use, and whether it comes from an earlier call.
pub(crate) fn current(config: &Config) -> Result<(Login, bool), Fault> {
    let Some(login) = Login::load() else {
        return Ok((renewed(config, None)?, false));
    };
    match login.due() {
        Due::Nothing => Ok((login, true)),
        Due::Renewal => Ok((renew(config, login)?, true)),
        Due::Replacement => Ok((renewed(config, Some(login))?, false)),
    }
}

/// A new login, with what an old one knew and will be needed.
pub(crate) fn renewed(config: &Config, old: Option<Login>) -> Result<Login, Fault> {
    let replaced = old.as_ref().map(|old| old.token.clone());
    let (mounts, secret_id, former) = old
        .map(|old| (old.mounts.clone(), old.secret_id.clone(), old.into_former()))
        .unwrap_or_default();
    let mut login = match &config.login {
        LoginMethod::Token(token) => configured(config, token)?,
        LoginMethod::AppRole(method) => by_app_role(config, method, secret_id)?,
        LoginMethod::Kubernetes(method) => {
            let jwt = read_token(&method.token_file)?;
            by_jwt(config, &method.mount, &method.role, &jwt)?
        }
        LoginMethod::Jwt(method) => {
            let jwt = match (&method.token, &method.token_file) {
                (Some(token), _) => token.clone(),
                (None, Some(file)) => read_token(file)?,
                (None, None) => return Err(Fault::invalid("/login/jwt", "no token")),
            };
            by_jwt(config, &method.mount, &method.role, &jwt)?
        }
    };
    login.mounts = mounts;
    login.former = former;
    if let Some(kept) = Login::load()
        && Some(&kept.token) != replaced.as_ref()
        && kept.due() == Due::Nothing
    {
        return instead(config, login, kept);
    }
    login.save()?;
    Ok(login)
}

/// The login that another call made at the same time, instead of this one, which nobody needs.
fn instead(config: &Config, login: Login, mut kept: Login) -> Result<Login, Fault> {
    if login.is_own && revoke(config, &login.token).is_err() {
        kept.former = [std::mem::take(&mut kept.former), login.into_former()].concat();
        kept.save()?;
    }
    Ok(kept)
}

/// A login with at least half of its time before it, if there can be one: what is lent ends with it.
pub(crate) fn fresh(config: &Config, mut login: Login) -> Result<Login, Fault> {
    if login.is_worn() && login.is_renewable {
        login = renew(config, login)?;
    }
    let is_given = matches!(&config.login, LoginMethod::Token(token) if *token == login.token);
    if !login.is_worn() || is_given {
        return Ok(login);
    }
    match renewed(config, Some(login.clone())) {
        Ok(login) => Ok(login),
        // It still holds, if not for long.
        Err(fault) if !login.ends_within(0) => {
            warn("the login could not be replaced before its end", &fault);
            Ok(login)
        }
        Err(fault) => Err(fault),
    }
}

/// A login that holds for so long, if it can be renewed to.
pub(crate) fn lasting(config: &Config, login: Login, want: Duration) -> Result<Login, Fault> {
    // The host takes a little less for the same.
    if login.is_renewable && login.ends_within(want.as_millis() / 10 * 9) {
        return renew(config, login);
    }
    Ok(login)
}

fn warn(message: &str, fault: &Fault) {
    log::write(log::Level::Warn, message, &[("code", &fault.code)]);
}

/// Before two thirds of its time are over nothing is due; a renewal that fails isn't fatal, since a third is left.
fn renew(config: &Config, mut login: Login) -> Result<Login, Fault> {
    let client = client(config, &login.token)?;
    let answer = now(vaultrs::token::renew_self(&client, None))
        .and_then(|answer| answer.map_err(Refusal::from));
    match answer {
        Ok(auth) => {
            login.since = clock::now();
            login.holds = milliseconds(auth.lease_duration);
            login.is_renewable = auth.renewable;
        }
        Err(refusal) => {
            let fault = refusal.into_fault("renewing the login");
            warn("the login could not be renewed", &fault);
            return Ok(login);
        }
    }
    login.save_if_current()?;
    Ok(login)
}

/// Revokes the logins that this plugin made, and with them every lease made under them.
pub(crate) fn close(config: &Config) -> Result<(), Fault> {
    let own = Login::load().map(Login::into_former).unwrap_or_default();
    for former in own {
        revoke(config, &former.token)?;
    }
    session::forget();
    Ok(())
}

fn revoke(config: &Config, token: &str) -> Result<(), Fault> {
    let client = client(config, token)?;
    let call = Call::post("auth/token/revoke-self", None);
    let answer = now(done(&client, call)).and_then(|answer| answer.map_err(Refusal::from));
    match answer {
        // Over or revoked already.
        Err(refusal) if refusal.code() == Some(403) => Ok(()),
        // One that Vault keeps no word of ends by its time alone.
        Err(refusal) if refusal.says("batch token") => Ok(()),
        Err(refusal) => Err(refusal.into_fault("revoking the login")),
        Ok(()) => Ok(()),
    }
}

/// How long a token made by somebody else holds. A policy need not let it ask that; then it is used as it is.
fn configured(config: &Config, token: &str) -> Result<Login, Fault> {
    let client = client(config, token)?;
    let looked = now(api::exec_with_no_result(
        &client,
        Call::get("auth/token/lookup-self"),
    ))
    .and_then(|answer| answer.map_err(Refusal::from));
    let data = match looked {
        Ok(envelope) => envelope.data,
        Err(refusal) if refusal.code() == Some(403) => return Err(over()),
        Err(refusal) => return Err(refusal.into_fault("looking up the token")),
    };
    let holds = milliseconds(data.get("ttl").and_then(Json::as_u64).unwrap_or_default());
    let is_renewable = data.get("renewable").and_then(Json::as_bool) == Some(true);
    Ok(Login::new(token.to_owned(), is_renewable, holds))
}

fn by_app_role(
    config: &Config,
    method: &AppRole,
    unwrapped: Option<String>,
) -> Result<Login, Fault> {
    let unwrapped = match (&method.wrapped_secret_id, unwrapped) {
        (Some(wrapping), None) => Some(unwrap(config, wrapping)?),
        (Some(_), unwrapped) => unwrapped,
        (None, _) => None,
    };
    let secret_id = unwrapped
        .as_deref()
        .or(method.secret_id.as_deref())
        .unwrap_or_default();
    let client = client(config, "")?;
    let answer = now(vaultrs::auth::approle::login(
        &client,
        &method.mount,
        &method.role_id,
        secret_id,
    ));
    let login = own(answer, "AppRole")?;
    Ok(Login {
        secret_id: unwrapped,
        ..login
    })
}

/// The secret id inside of a wrapping token. The wrapping token is itself the login for this one request.
fn unwrap(config: &Config, wrapping: &str) -> Result<String, Fault> {
    let client = client(config, wrapping)?;
    let call = Call::post("sys/wrapping/unwrap", None);
    let answer = now(api::exec_with_no_result(&client, call))
        .and_then(|answer| answer.map_err(Refusal::from));
    let envelope = match answer {
        Ok(envelope) => envelope,
        Err(refusal) if matches!(refusal.code(), Some(400 | 403)) => {
            return Err(Fault::new(
                FaultClass::Denied,
                "vault.wrapping-used",
                "the wrapping token of the secret id is expired, or was used before",
            )
            .with_hint(
                "if nobody of yours used it, somebody else did: revoke the secret id, then wrap a new one",
            ));
        }
        Err(refusal) => return Err(refusal.into_fault("unwrapping the secret id")),
    };
    let secret_id = envelope.data.get("secret_id").and_then(Json::as_str);
    secret_id.map(str::to_owned).ok_or_else(|| {
        Fault::new(
            FaultClass::Invalid,
            "vault.wrapping-other",
            "the wrapping token holds no secret id",
        )
    })
}

/// Kubernetes and JWT logins are the same request to different mounts.
fn by_jwt(config: &Config, mount: &str, role: &str, jwt: &str) -> Result<Login, Fault> {
    let client = client(config, "")?;
    let answer = now(vaultrs::auth::kubernetes::login(&client, mount, role, jwt));
    own(answer, mount)
}

fn own(
    answer: Result<Result<AuthInfo, ClientError>, Refusal>,
    method: &str,
) -> Result<Login, Fault> {
    let auth = match answer.and_then(|answer| answer.map_err(Refusal::from)) {
        Ok(auth) => auth,
        // Vault answers a login that it refuses with 400, 403 or, when the method isn't mounted there, 404.
        Err(refusal) if matches!(refusal.code(), Some(400 | 403 | 404)) => {
            let mut fault = refusal.into_fault(&format!("logging in by {method}"));
            fault.class = FaultClass::Denied;
            fault.code = "vault.login".to_owned();
            return Err(fault.with_hint(
                "look at the role, at what proves who this is, and at where the method is mounted",
            ));
        }
        Err(refusal) => return Err(refusal.into_fault(&format!("logging in by {method}"))),
    };
    if auth.client_token.is_empty() {
        return Err(unreadable("the login has no token"));
    }
    let holds = milliseconds(auth.lease_duration);
    Ok(Login {
        is_own: true,
        ..Login::new(auth.client_token, auth.renewable, holds)
    })
}

fn read_token(path: &str) -> Result<String, Fault> {
    files::read_token(path, "vault.token-file")
}

/// Vault says 0 for ever.
const fn milliseconds(seconds: u64) -> Option<u64> {
    if seconds == 0 {
        None
    } else {
        Some(seconds.saturating_mul(1_000))
    }
}
