//! KV of both versions.

use vaultrs::api;
use vaultrs::api::kv2::requests::ReadSecretRequest;
use whimbrel_sdk::prelude::*;
use whimbrel_sdk::{serde_json, time};

use crate::client::Connection;
use crate::endpoint::{Call, Version};
use crate::engine::Place;
use crate::generic;
use crate::refusal::{Refusal, unreadable};

/// Reads a secret of KV 2.
pub(crate) fn read_2(
    connection: &mut Connection<'_>,
    place: &Place,
    reference: &Reference,
) -> Result<Secret, Fault> {
    let version = version(reference)?;
    let answer = connection.run(async |client| {
        let mut request = ReadSecretRequest::builder();
        request.mount(&place.mount).path(&place.rest);
        if version.is_some() {
            request.version(version);
        }
        match request.build() {
            Ok(request) => api::exec_with_result(client, request).await,
            Err(_) => Err(vaultrs::error::ClientError::InvalidUpdateParameter),
        }
    });
    let answer = answer.map_err(|refusal| missing(refusal, place))?;
    let mut secret = Secret::of_json(&answer.data).ok_or_else(|| unreadable("there is no data"))?;
    secret.version = Some(answer.metadata.version.to_string());
    secret.expires = time::from_rfc3339(&answer.metadata.deletion_time);
    secret.details = json!({ "created": answer.metadata.created_time });
    Ok(secret)
}

/// Says what a secret of KV 2 is: by its keys, else by its metadata, else only whether it may be read. Policies that
/// allow the data often allow neither of the former.
pub(crate) fn describe_2(
    connection: &mut Connection<'_>,
    place: &Place,
    reference: &Reference,
) -> Result<Shape, Fault> {
    let version = version(reference)?;
    let call = Call::get(format!("{}/subkeys/{}", place.mount, place.rest)).with_version(version);
    match connection.call(&call) {
        Ok(envelope) => {
            let fields = envelope.data.get("subkeys").and_then(Json::as_object);
            let metadata = envelope.data.get("metadata").cloned().unwrap_or_default();
            let metadata: Version = serde_json::from_value(metadata)?;
            let fields = fields
                .map(|fields| fields.keys().cloned().collect())
                .ok_or_else(|| unreadable("there are no keys"))?;
            Ok(Shape {
                fields,
                version: Some(metadata.version.to_string()),
                next_rotation: time::from_rfc3339(&metadata.deletion_time),
                time_to_live: None,
                details: json!({ "created": metadata.created_time }),
            })
        }
        Err(refusal) if matches!(refusal.code(), Some(403 | 405)) => {
            by_metadata(connection, place, version)
        }
        Err(refusal) => Err(missing(refusal, place)),
    }
}

fn by_metadata(
    connection: &mut Connection<'_>,
    place: &Place,
    version: Option<u64>,
) -> Result<Shape, Fault> {
    let answer = connection
        .run(async |client| vaultrs::kv2::read_metadata(client, &place.mount, &place.rest).await);
    let metadata = match answer {
        Ok(metadata) => metadata,
        Err(refusal) if refusal.code() == Some(403) => {
            let path = format!("{}/data/{}", place.mount, place.rest);
            generic::may_read(connection, &path)?;
            return Ok(Shape {
                version: version.map(|version| version.to_string()),
                details: json!({ "known": "that it may be read, if it is there" }),
                ..Shape::default()
            });
        }
        Err(refusal) => return Err(missing(refusal, place)),
    };
    let version = version.unwrap_or(metadata.current_version).to_string();
    let Some(found) = metadata.versions.get(&version) else {
        return Err(gone(place, "vault.version-unknown", "has no such version"));
    };
    if found.destroyed {
        return Err(destroyed(place));
    }
    if is_past(&found.deletion_time) {
        return Err(deleted(place));
    }
    Ok(Shape {
        version: Some(version),
        next_rotation: time::from_rfc3339(&found.deletion_time),
        details: json!({
            "created": found.created_time,
            "current": metadata.current_version,
            "oldest": metadata.oldest_version,
        }),
        ..Shape::default()
    })
}

/// Reads a secret of KV 1.
pub(crate) fn read_1(
    connection: &mut Connection<'_>,
    place: &Place,
    reference: &Reference,
) -> Result<Secret, Fault> {
    generic::no_version(reference)?;
    let path = place.path();
    let envelope = connection
        .call(&Call::get(path.as_str()))
        .map_err(|refusal| refusal.into_fault(&format!("reading {path}")))?;
    // KV 1 says a duration and lends nothing: it is advice on how often to look again.
    Secret::of_json(&envelope.data).ok_or_else(|| unreadable("there is no data"))
}

/// Says what a secret of KV 1 is. There is no way but to read it; its values end here.
pub(crate) fn describe_1(
    connection: &mut Connection<'_>,
    place: &Place,
    reference: &Reference,
) -> Result<Shape, Fault> {
    let secret = read_1(connection, place, reference)?;
    Ok(Shape {
        fields: secret.fields.into_iter().map(|(name, _)| name).collect(),
        ..Shape::default()
    })
}

fn version(reference: &Reference) -> Result<Option<u64>, Fault> {
    let Some(text) = &reference.version else {
        return Ok(None);
    };
    let version = text.parse().ok().filter(|version: &u64| *version > 0);
    version.map(Some).ok_or_else(|| {
        Fault::new(
            FaultClass::Invalid,
            "vault.version",
            format!("`{text}` is no version: KV 2 counts them from 1"),
        )
    })
}

/// What isn't there, told apart: Vault tells of a deleted version in the body of its 404.
fn missing(refusal: Refusal, place: &Place) -> Fault {
    if let Refusal::Status(status) = &refusal
        && status.code == 404
        && let Some(metadata) = status.body.as_deref().and_then(told)
    {
        return if metadata.destroyed {
            destroyed(place)
        } else {
            deleted(place)
        };
    }
    let is_doubled = refusal.code() == Some(404) && place.rest.starts_with("data/");
    let fault = refusal.into_fault(&format!("reading {}", place.path()));
    if is_doubled {
        fault.with_hint("leave out `data/` after the mount: it is added for KV 2")
    } else {
        fault
    }
}

fn told(body: &str) -> Option<Version> {
    let body: Json = serde_json::from_str(body).ok()?;
    serde_json::from_value(body.pointer("/data/metadata")?.clone()).ok()
}

fn is_past(deletion: &str) -> bool {
    time::from_rfc3339(deletion).is_some_and(|deletion| deletion <= whimbrel_sdk::clock::now())
}

fn deleted(place: &Place) -> Fault {
    gone(
        place,
        "vault.version-deleted",
        "was deleted in this version",
    )
    .with_hint("`vault kv undelete` brings it back, or another version may be named")
}

fn destroyed(place: &Place) -> Fault {
    gone(
        place,
        "vault.version-destroyed",
        "was destroyed in this version",
    )
    .with_hint("it can't be brought back; another version may be named")
}

fn gone(place: &Place, code: &str, what: &str) -> Fault {
    let message = format!("reading {}: the secret {what}", place.path());
    Fault::new(FaultClass::NotFound, code, message)
}
