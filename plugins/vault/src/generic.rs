//! Whatever answers a read with data, and maybe with a lease: database credentials, cloud credentials, certificates.

use whimbrel_sdk::clock;
use whimbrel_sdk::prelude::*;

use crate::client::Connection;
use crate::endpoint::Call;
use crate::engine::{Engine, Place};
use crate::refusal::unreadable;

/// Reads a path. With `parameters` among the reference's options they are written to it instead, as `pki/issue` wants.
pub(crate) fn read(
    connection: &mut Connection<'_>,
    place: &Place,
    reference: &Reference,
) -> Result<Secret, Fault> {
    no_version(reference)?;
    connection.freshen()?;
    let path = place.path();
    let call = match reference.options.get("parameters") {
        Some(parameters) => Call::post(path.as_str(), Some(parameters.clone())),
        None => Call::get(path.as_str()),
    };
    let envelope = connection
        .call(&call)
        .map_err(|refusal| refusal.into_fault(&format!("reading {path}")))?;
    for warning in envelope.warnings.unwrap_or_default() {
        log::write(log::Level::Warn, "vault warns", &[("warning", &warning)]);
    }
    let secret = Secret::of_json(&envelope.data).ok_or_else(|| unreadable("there is no data"))?;
    let lease = (!envelope.lease_id.is_empty()).then(|| Lease {
        id: envelope.lease_id,
        is_renewable: envelope.renewable,
        time_to_live: Duration::from_secs(envelope.lease_duration),
    });
    // A static role has no lease, and says how long its password stays.
    let stays = envelope.data.get("ttl").and_then(Json::as_u64);
    let expires = stays
        .filter(|_| lease.is_none() && place.engine == Engine::Database)
        .map(|seconds| clock::now().saturating_add(seconds.saturating_mul(1_000)));
    Ok(secret.with_lease(lease).with_expiry(expires))
}

/// Says that a path may be read. Reading it could make a lease, so there is no more to say.
pub(crate) fn describe(connection: &mut Connection<'_>, place: &Place) -> Result<Shape, Fault> {
    may_read(connection, &place.path())?;
    Ok(Shape {
        details: json!({ "known": "that it may be read, if it is there" }),
        ..Shape::default()
    })
}

/// Asks whether the login may read a path, which every login may ask of itself.
pub(crate) fn may_read(connection: &mut Connection<'_>, path: &str) -> Result<(), Fault> {
    let call = Call::post("sys/capabilities-self", Some(json!({ "paths": [path] })));
    let envelope = connection
        .call(&call)
        .map_err(|refusal| refusal.into_fault(&format!("asking for the capabilities on {path}")))?;
    let capabilities = envelope
        .data
        .get(path)
        .or(envelope.data.get("capabilities"));
    let may = capabilities.and_then(Json::as_array).is_some_and(|list| {
        list.iter()
            .any(|one| matches!(one.as_str(), Some("read" | "root")))
    });
    if may {
        return Ok(());
    }
    Err(Fault::new(
        FaultClass::Denied,
        "vault.denied",
        format!("the login may not read {path}"),
    )
    .with_hint(format!("give its policy the capability `read` on `{path}`")))
}

/// Only KV 2 has versions.
pub(crate) fn no_version(reference: &Reference) -> Result<(), Fault> {
    if reference.version.is_none() {
        return Ok(());
    }
    Err(Fault::new(
        FaultClass::Unsupported,
        "vault.no-versions",
        format!("`{}` has no versions: only KV 2 does", reference.path),
    ))
}
