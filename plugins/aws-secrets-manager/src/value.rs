//! References to secrets, and what the service says of them.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use whimbrel_sdk::prelude::*;

use crate::fault;

/// The stage that is meant when nothing is said.
const CURRENT: &str = "AWSCURRENT";

/// A version as it is named.
enum Version<'a> {
    Id(&'a str),
    Stage(&'a str),
}

/// Ids have 32 to 64 characters and are UUIDs unless somebody chose them; stages are words.
fn version(reference: &Reference) -> Version<'_> {
    match reference.version.as_deref() {
        None => Version::Stage(CURRENT),
        Some(text)
            if (32..=64).contains(&text.len())
                && text.chars().all(|c| c.is_ascii_hexdigit() || c == '-') =>
        {
            Version::Id(text)
        }
        Some(text) => Version::Stage(text),
    }
}

/// The input of `GetSecretValue`.
pub(crate) fn request(reference: &Reference) -> Result<Json, Fault> {
    let path = &reference.path;
    if path.is_empty() || path.len() > 2_048 || path.chars().any(char::is_control) {
        let message = format!("`{}` is no name or ARN of a secret", path.escape_debug());
        return Err(Fault::new(FaultClass::Invalid, "aws.name", message));
    }
    Ok(match version(reference) {
        Version::Id(id) => json!({ "SecretId": path, "VersionId": id }),
        Version::Stage(stage) => json!({ "SecretId": path, "VersionStage": stage }),
    })
}

/// What the service answers as a secret. Bytes are one value, whatever they hold.
pub(crate) fn secret(answer: &Json, reference: &Reference) -> Result<Secret, Fault> {
    let secret = if let Some(text) = answer.get("SecretString").and_then(Json::as_str) {
        Secret::of_unnamed(text, reference)
    } else if let Some(text) = answer.get("SecretBinary").and_then(Json::as_str) {
        let bytes = STANDARD.decode(text);
        Secret::of_value(bytes.map_err(|_| fault::unreadable("Secrets Manager"))?)
    } else {
        return Err(fault::unreadable("Secrets Manager"));
    };
    let version = answer.get("VersionId").and_then(Json::as_str);
    Ok(secret
        .with_version(version.unwrap_or_default())
        .with_details(json!({
            "arn": answer.get("ARN"),
            "stages": answer.get("VersionStages"),
        })))
}

/// What `DescribeSecret` says. Fields are unknown without reading.
pub(crate) fn shape(answer: &Json, reference: &Reference) -> Result<Shape, Fault> {
    if answer
        .get("DeletedDate")
        .is_some_and(|date| !date.is_null())
    {
        return Err(Fault::new(
            FaultClass::NotFound,
            "aws.scheduled-for-deletion",
            format!("{} is scheduled for deletion", reference.path),
        )
        .with_hint("`aws secretsmanager restore-secret` takes that back"));
    }
    let versions = answer.get("VersionIdsToStages").and_then(Json::as_object);
    let found = versions.and_then(|versions| match version(reference) {
        Version::Id(id) => versions.get_key_value(id),
        Version::Stage(stage) => versions.iter().find(|(_, stages)| {
            stages
                .as_array()
                .is_some_and(|stages| stages.iter().any(|one| one == stage))
        }),
    });
    let Some((id, stages)) = found else {
        let wanted = reference.version.as_deref().unwrap_or(CURRENT);
        return Err(Fault::new(
            FaultClass::NotFound,
            "aws.version-not-found",
            format!("{} has no version or stage {wanted}", reference.path),
        ));
    };
    Ok(Shape {
        fields: Vec::new(),
        version: Some(id.clone()),
        next_rotation: answer.get("NextRotationDate").and_then(instant),
        time_to_live: None,
        details: json!({
            "arn": answer.get("ARN"),
            "stages": stages,
            "rotates": answer.get("RotationEnabled"),
        }),
    })
}

/// The service's numbers are seconds with a fraction.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "bounded before"
)]
fn instant(number: &Json) -> Option<u64> {
    let milliseconds = number.as_f64()? * 1_000.0;
    (0.0..9e15)
        .contains(&milliseconds)
        .then_some(milliseconds as u64)
}
