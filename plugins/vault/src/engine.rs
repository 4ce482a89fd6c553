//! From a reference's path to a mount, what is behind it, and the path below.

use whimbrel_sdk::prelude::*;

use crate::client::Connection;
use crate::config::EngineName;
use crate::endpoint::Call;

pub(crate) use crate::config::EngineName as Engine;

/// Where a secret is.
#[derive(Debug)]
pub(crate) struct Place {
    /// The mount, without a slash at its end.
    pub(crate) mount: String,
    /// The path below the mount.
    pub(crate) rest: String,
    pub(crate) engine: Engine,
}

impl Place {
    /// The whole path.
    pub(crate) fn path(&self) -> String {
        format!("{}/{}", self.mount, self.rest)
    }
}

/// What Vault, or the URL on the way to it, would read as another path.
pub(crate) fn check(path: &str) -> Result<(), Fault> {
    let problem = path.split('/').find_map(|segment| {
        if segment.is_empty() {
            Some("has an empty segment")
        } else if segment.ends_with('.') {
            Some("has a segment that ends in a dot, which Vault doesn't serve")
        } else if segment.chars().any(char::is_control) {
            Some("has a control character")
        } else {
            None
        }
    });
    problem.map_or(Ok(()), |problem| {
        Err(Fault::new(
            FaultClass::Invalid,
            "vault.path",
            format!("the path `{}` {problem}", path.escape_debug()),
        )
        .with_hint(
            "a path is MOUNT/NAME, such as `secret/app/database`, without a slash at its ends",
        ))
    })
}

/// Finds the mount: by configuration, by what an earlier call learnt, or by asking.
pub(crate) fn locate(connection: &mut Connection<'_>, path: &str) -> Result<Place, Fault> {
    check(path)?;
    let configured = longest(connection.config.mounts.iter(), path);
    let known = configured.or_else(|| longest(connection.login.mounts.iter(), path));
    let (mount, engine) = match known {
        Some(known) => known,
        None => ask(connection, path)?,
    };
    let rest = path
        .strip_prefix(&mount)
        .and_then(|rest| rest.strip_prefix('/'))
        .filter(|rest| !rest.is_empty())
        .ok_or_else(|| {
            Fault::new(
                FaultClass::Invalid,
                "vault.path",
                format!("the path `{path}` is a mount and no secret in it"),
            )
        })?;
    Ok(Place {
        rest: rest.to_owned(),
        mount,
        engine,
    })
}

fn longest<'a>(
    mounts: impl Iterator<Item = (&'a String, &'a EngineName)>,
    path: &str,
) -> Option<(String, EngineName)> {
    mounts
        .filter(|(mount, _)| {
            path.strip_prefix(mount.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        })
        .max_by_key(|(mount, _)| mount.len())
        .map(|(mount, engine)| (mount.clone(), *engine))
}

/// Asks as Vault's own command line does: whoever may use a path may ask what is mounted there.
fn ask(connection: &mut Connection<'_>, path: &str) -> Result<(String, EngineName), Fault> {
    let call = Call::get(format!("sys/internal/ui/mounts/{path}"));
    let data = match connection.call(&call) {
        Ok(envelope) => envelope.data,
        Err(refusal) if refusal.code() == Some(403) => {
            return Err(Fault::new(
                FaultClass::NotFound,
                "vault.not-found",
                format!("looking for the mount of {path}: not found or not permitted"),
            )
            .with_hint(
                "Vault doesn't tell which: look at mount, path and namespace, then at the login's policy",
            ));
        }
        Err(refusal) => return Err(refusal.into_fault(&format!("looking for the mount of {path}"))),
    };
    let text = |pointer: &str| data.pointer(pointer).and_then(Json::as_str);
    let engine = match (text("/type"), text("/options/version")) {
        (Some("kv"), Some("2")) => EngineName::Kv2,
        (Some("kv" | "generic" | "cubbyhole"), _) => EngineName::Kv1,
        (Some("database"), _) => EngineName::Database,
        _ => EngineName::Other,
    };
    let mount = text("/path").unwrap_or_default().trim_end_matches('/');
    // A mount in a namespace below is said from there, and would not be found in the path.
    let mount = if path.starts_with(&format!("{mount}/")) && !mount.is_empty() {
        mount.to_owned()
    } else {
        path.split('/').next().unwrap_or_default().to_owned()
    };
    connection.login.note(mount.clone(), engine)?;
    Ok((mount, engine))
}
