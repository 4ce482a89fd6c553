//! PostgreSQL's errors in this crate's terms.

use std::error::Error as _;

use tokio_postgres::Error;
use tokio_postgres::error::{DbError, ErrorPosition};

use crate::session::{DatabaseError, ErrorKind};

/// An error of a command.
pub(super) fn of(error: &Error) -> DatabaseError {
    if let Some(answer) = error.as_db_error() {
        return of_answer(answer);
    }
    let kind = if is_client_side(error) {
        ErrorKind::Client
    } else {
        ErrorKind::Connection
    };
    DatabaseError::new(kind, "", with_sources(error))
}

/// An error of connecting.
pub(super) fn of_connecting(error: &Error) -> DatabaseError {
    match error.as_db_error() {
        Some(answer) => of_answer(answer),
        None => DatabaseError::new(ErrorKind::Connection, "", with_sources(error)),
    }
}

fn of_answer(answer: &DbError) -> DatabaseError {
    let context = answer.where_().map(|place| format!("in {place}"));
    DatabaseError {
        kind: ErrorKind::Database,
        code: answer.code().code().to_owned(),
        message: answer.message().to_owned(),
        detail: answer.detail().map(str::to_owned).or(context),
        hint: answer.hint().map(str::to_owned),
        position: match answer.position() {
            Some(ErrorPosition::Original(position)) => Some(*position),
            _ => None,
        },
    }
}

/// Values that can't be read or sent don't say anything about the connection. The driver tells kinds of its errors apart
/// only by their text.
fn is_client_side(error: &Error) -> bool {
    let text = error.to_string();
    [
        "error deserializing column",
        "error serializing parameter",
        "unexpected message",
    ]
    .iter()
    .any(|start| text.starts_with(start))
}

fn with_sources(error: &Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.ends_with(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text
}
