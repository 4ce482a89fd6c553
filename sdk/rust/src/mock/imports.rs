//! The world's imports, served by the current thread's [`Host`].

use std::time::Duration;

use super::surroundings::{Login, Surroundings};
use super::{CURRENT, Commit, Host};
use crate::database::Error;
use crate::http::{Request, Response};
use crate::log::Level;
use crate::verify::{Digest, Key};
use crate::{Fault, FaultClass, RowSet, Value};

/// What an import answers when no host serves this thread.
const NO_HOST: &str = "no mock host serves this thread: call the plugin inside `mock::Host::run`";

fn with<T>(action: impl FnOnce(&mut Host) -> T) -> Option<T> {
    CURRENT.with(|current| current.borrow_mut().as_mut().map(action))
}

fn on_database<T>(action: impl FnOnce(&mut Host) -> Result<T, Error>) -> Result<T, Error> {
    with(action).unwrap_or_else(|| Err(Error::Refused(NO_HOST.to_owned())))
}

fn on_surroundings<T>(
    action: impl FnOnce(&mut Surroundings) -> Result<T, Fault>,
) -> Result<T, Fault> {
    with(|host| action(&mut host.surroundings))
        .unwrap_or_else(|| Err(Fault::new(FaultClass::Denied, "mock.no-host", NO_HOST)))
}

fn no_source<T>(source: &str) -> Result<T, Error> {
    Err(Error::Refused(format!(
        "the mock host has no source {source:?}"
    )))
}

fn on_engine(question: &str, request: &str) -> Result<String, Fault> {
    with(|host| host.engine.ask(question, request))
        .unwrap_or_else(|| Err(Fault::new(FaultClass::Denied, "mock.no-host", NO_HOST)))
}

pub(crate) fn engine_plan(request: &str) -> Result<String, Fault> {
    on_engine("plan", request)
}

pub(crate) fn engine_apply(request: &str) -> Result<String, Fault> {
    on_engine("apply", request)
}

pub(crate) fn engine_revert(request: &str) -> Result<String, Fault> {
    on_engine("revert", request)
}

pub(crate) fn engine_status(request: &str) -> Result<String, Fault> {
    on_engine("status", request)
}

pub(crate) fn dialect_of() -> String {
    with(|host| host.database.dialect()).unwrap_or_default()
}

pub(crate) fn quote(name: &str) -> String {
    with(|host| host.database.quote(name)).unwrap_or_default()
}

pub(crate) fn query(statement: &str, parameters: &[Value]) -> Result<RowSet, Error> {
    on_database(|host| {
        host.statements.push(statement.to_owned());
        host.database.query(statement, parameters)
    })
}

pub(crate) fn execute(statement: &str, parameters: &[Value]) -> Result<u64, Error> {
    on_database(|host| {
        host.statements.push(statement.to_owned());
        host.database.execute(statement, parameters)
    })
}

pub(crate) fn commit(
    checkpoint: &[u8],
    rows_done: u64,
    rows_total: Option<u64>,
) -> Result<(), Error> {
    on_database(|host| {
        host.database.commit()?;
        host.checkpoint = Some(checkpoint.to_vec());
        host.commits.push(Commit {
            checkpoint: checkpoint.to_vec(),
            rows_done,
            rows_total,
        });
        Ok(())
    })
}

pub(crate) fn rollback() -> Result<(), Error> {
    on_database(|host| host.database.rollback())
}

pub(crate) fn insert(table: &str, columns: &[String], rows: &[Vec<Value>]) -> Result<u64, Error> {
    on_database(|host| {
        let names: Vec<String> = columns
            .iter()
            .map(|name| host.database.quote(name))
            .collect();
        let marks: Vec<String> = (1..=columns.len())
            .map(|index| format!("${index}"))
            .collect();
        let statement = format!(
            "INSERT INTO {} ({}) VALUES ({})",
            host.database.quote(table),
            names.join(", "),
            marks.join(", ")
        );
        let mut inserted = 0;
        for row in rows {
            host.statements.push(statement.clone());
            inserted += host.database.execute(&statement, row)?;
        }
        Ok(inserted)
    })
}

pub(crate) fn last_checkpoint() -> Option<Vec<u8>> {
    with(|host| host.checkpoint.clone()).flatten()
}

pub(crate) fn source_dialect(source: &str) -> Result<String, Error> {
    no_source(source)
}

pub(crate) fn source_quote(source: &str, _: &str) -> Result<String, Error> {
    no_source(source)
}

pub(crate) fn source_query(source: &str, _: &str, _: &[Value]) -> Result<RowSet, Error> {
    no_source(source)
}

pub(crate) fn source_pump(
    source: &str,
    _: &str,
    _: &[Value],
    _: &str,
    _: &[String],
) -> Result<u64, Error> {
    no_source(source)
}

pub(crate) fn write(level: Level, message: &str, fields: &[(String, String)]) {
    let fields: String = fields
        .iter()
        .map(|(name, value)| format!(" {name}={value}"))
        .collect();
    with(|host| host.logs.push((level, format!("{message}{fields}"))));
}

pub(crate) fn metric(name: &str, _: &[(String, String)], value: f64) {
    with(|host| host.metrics.push((name.to_owned(), value)));
}

pub(crate) fn run_id() -> String {
    "00000000-0000-0000-0000-000000000000".to_owned()
}

pub(crate) fn operation_id() -> String {
    "mock".to_owned()
}

pub(crate) const fn attempt() -> u32 {
    1
}

pub(crate) const fn deadline() -> Option<u64> {
    None
}

pub(crate) fn cancelled() -> bool {
    with(|host| host.is_stopping()).unwrap_or_default()
}

pub(crate) fn pause(milliseconds: u64) -> bool {
    with(|host| {
        host.paused += Duration::from_millis(milliseconds);
        host.surroundings.pass(milliseconds);
        host.is_stopping()
    })
    .unwrap_or_default()
}

pub(crate) fn now() -> u64 {
    with(|host| host.surroundings.now()).unwrap_or_default()
}

pub(crate) fn send(request: &Request) -> Result<Response, Fault> {
    on_surroundings(|surroundings| surroundings.send(request))
}

pub(crate) fn file(path: &str) -> Result<Vec<u8>, Fault> {
    on_surroundings(|surroundings| surroundings.file(path))
}

pub(crate) fn variable(name: &str) -> Option<String> {
    with(|host| host.surroundings.variable(name)).flatten()
}

pub(crate) fn random_bytes(count: u32) -> Vec<u8> {
    with(|host| host.surroundings.random(count)).unwrap_or_default()
}

pub(crate) fn session_get() -> Option<Vec<u8>> {
    with(|host| host.surroundings.login()).flatten()
}

pub(crate) fn session_put(login: &[u8], conceal: &[Vec<u8>], expires: Option<u64>) {
    with(|host| {
        host.surroundings.put(Login {
            bytes: login.to_vec(),
            conceal: conceal.to_vec(),
            expires,
        });
    });
}

pub(crate) fn session_forget() {
    with(|host| host.surroundings.forget());
}

pub(crate) fn session_under(login: &str, expires: Option<u64>) {
    with(|host| host.surroundings.work_under(login, expires));
}

pub(crate) fn verify_hmac(key: Key, digest: Digest, data: &[u8], mac: &[u8]) -> bool {
    with(|host| host.live.hmac(key, digest, data, mac)).unwrap_or_default()
}

pub(crate) fn verify_token(token: &[u8]) -> bool {
    with(|host| host.live.token(token)).unwrap_or_default()
}
