//! References to secrets, and what the service says of them.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use crc::{CRC_32_ISCSI, Crc};
use whimbrel_sdk::prelude::*;

use crate::config::Config;
use crate::refusal;

/// CRC32C, by which the service lets its clients see damage on the way.
const CHECKSUM: Crc<u32> = Crc::<u32>::new(&CRC_32_ISCSI);

/// The alias that is meant when nothing is said.
const LATEST: &str = "latest";

/// Which version of which secret.
pub(crate) struct Place<'a> {
    project: &'a str,
    name: &'a str,
    version: &'a str,
}

impl<'a> Place<'a> {
    pub(crate) fn of(config: &'a Config, reference: &'a Reference) -> Result<Self, Fault> {
        let (project, name) = match reference.path.split_once('/') {
            Some((project, name)) => (project, name),
            None => (
                config.project.as_deref().ok_or_else(|| {
                    Fault::new(
                        FaultClass::Invalid,
                        "gcp.no-project",
                        format!("`{}` names no project", reference.path.escape_debug()),
                    )
                    .with_hint("write PROJECT/NAME, or give `project` in the backend's `with:`")
                })?,
                reference.path.as_str(),
            ),
        };
        let version = reference.version.as_deref().unwrap_or(LATEST);
        check_project(project)?;
        check(name, "-_", "name of a secret")?;
        check(version, "-_", "version or alias")?;
        Ok(Self {
            project,
            name,
            version,
        })
    }

    /// Its name in the API.
    pub(crate) fn resource(&self) -> String {
        let Self {
            project,
            name,
            version,
        } = self;
        format!("projects/{project}/secrets/{name}/versions/{version}")
    }
}

/// Checks a project's id or number; old ones have a domain before them.
pub(crate) fn check_project(project: &str) -> Result<(), Fault> {
    // Neither `.` nor `..`, which mean another path.
    let is_dots = project.chars().all(|c| c == '.');
    check(if is_dots { "" } else { project }, "-.:", "project")
}

fn check(text: &str, marks: &str, what: &str) -> Result<(), Fault> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || marks.contains(c);
    if (1..=255).contains(&text.len()) && text.chars().all(is_plain) {
        return Ok(());
    }
    let message = format!("`{}` is no {what} of Secret Manager", text.escape_debug());
    Err(Fault::new(FaultClass::Invalid, "gcp.name", message))
}

/// What the service answers as a secret, once its checksum holds.
pub(crate) fn read(answer: &Json, reference: &Reference) -> Result<Secret, Fault> {
    let unreadable = || refusal::unreadable("Secret Manager");
    let name = text(answer, "/name").ok_or_else(unreadable)?;
    let payload = answer.get("payload").ok_or_else(unreadable)?;
    // The API leaves an empty field out.
    let data = text(payload, "/data").unwrap_or_default();
    let bytes = STANDARD.decode(data).map_err(|_| unreadable())?;
    if let Some(expected) = payload.get("dataCrc32c") {
        // An int64, which JSON has as text.
        let expected = expected
            .as_str()
            .map_or_else(|| expected.as_u64(), |text| text.parse().ok());
        if expected != Some(u64::from(CHECKSUM.checksum(&bytes))) {
            let message = format!("the payload of {name} isn't what its CRC32C says");
            return Err(Fault::new(FaultClass::Unavailable, "gcp.checksum", message)
                .with_retry(Retry::Backoff));
        }
    }
    Ok(Secret::of_unnamed(bytes, reference)
        .with_version(version(name))
        .with_details(json!({ "name": name })))
}

/// What can be said of a version without its payload. Its fields are unknown without reading.
pub(crate) fn shape(answer: &Json, place: &Place<'_>) -> Result<Shape, Fault> {
    let unreadable = || refusal::unreadable("Secret Manager");
    let name = text(answer, "/name").ok_or_else(unreadable)?;
    let state = text(answer, "/state").ok_or_else(unreadable)?;
    if state != "ENABLED" {
        let message = format!("{} is {state}", place.resource());
        return Err(Fault::new(FaultClass::NotFound, "gcp.version-off", message)
            .with_hint("the secret is there, this version can't be read"));
    }
    Ok(Shape {
        version: Some(version(name).to_owned()),
        details: json!({ "name": name, "created": answer.get("createTime") }),
        ..Shape::default()
    })
}

fn text<'a>(answer: &'a Json, pointer: &str) -> Option<&'a str> {
    answer.pointer(pointer).and_then(Json::as_str)
}

/// The number at the end of a version's name.
fn version(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or_default()
}
