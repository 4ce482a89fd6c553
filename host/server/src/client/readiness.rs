//! Whether what an app needs is there.

use std::time::Duration;

use super::{AskError, Client, Place, escaped};

/// How long one question may take; whoever waits asks again.
const PATIENCE: Duration = Duration::from_secs(10);

/// What somebody waits for.
#[derive(Clone, Copy, Debug)]
pub enum Awaited<'a> {
    /// A migration.
    Migration(&'a str),
    /// Everything that a revision defines.
    Revision(&'a str),
}

/// Asks whether it is there; what is missing, in the server's words, if it isn't.
///
/// # Errors
/// The server can't be reached, or doesn't understand.
pub async fn ask(
    place: &Place,
    environment: &str,
    awaited: Awaited<'_>,
) -> Result<Option<String>, AskError> {
    let (key, value) = match awaited {
        Awaited::Migration(name) => ("migration", name),
        Awaited::Revision(revision) => ("revision", revision),
    };
    let path = format!("/readyz/{}?{key}={}", escaped(environment), escaped(value));
    let client = Client::new(place.clone(), None).with_patience(PATIENCE);
    let answer = client.get(&path).await?;
    match answer.status {
        200 => Ok(None),
        503 => Ok(Some(answer.detail())),
        _ => Err(AskError::Refused(answer.detail())),
    }
}
