//! A host for tests: serves a plugin's imports natively.
//!
//! ```
//! use whimbrel_sdk::mock::{Host, Script};
//! use whimbrel_sdk::{RowSet, Value, database};
//!
//! let script = Script::new().answer(RowSet { columns: vec!["n".into()], rows: vec![vec![Value::from(3)]] });
//! let (n, host) = Host::new(script).run(|| database::query("SELECT count(*) AS n FROM t", &[]));
//! assert_eq!(n.unwrap().single(), Some(&Value::Integer(3)));
//! assert_eq!(host.statements(), ["SELECT count(*) AS n FROM t"]);
//! ```
//!
//! A store of secrets needs no database; its server is scripted:
//!
//! ```
//! use whimbrel_sdk::http::{self, Request};
//! use whimbrel_sdk::mock::{Answers, Host};
//!
//! let host = Host::without_database().with_answers(Answers::new().on("GET", "/v1/a", 200, "{}"));
//! let (answer, host) = host.run(|| http::send(&Request::get("https://store.test/v1/a")));
//! assert_eq!(answer.unwrap().status, 200);
//! assert_eq!(host.requests(), ["GET https://store.test/v1/a"]);
//! ```

mod answers;
mod engine;
mod imports;
mod live;
mod script;
mod surroundings;

use std::cell::RefCell;
use std::time::Duration;

pub use answers::Answers;
pub(crate) use imports::*;
pub use live::{receive, report};
pub use script::Script;
pub use surroundings::Login;

use serde_json::Value as Json;

use crate::configuration::parse;
use crate::database::Error;
use crate::log::Level;
use crate::{Fault, RowSet, SecretStore, Value};

/// What stands behind [`crate::database`] in a test: a [`Script`], or a real database.
pub trait Database {
    /// `sqlite`, `postgres` or another.
    fn dialect(&self) -> String;

    /// Quotes a name; doubled double quotes unless said otherwise.
    fn quote(&self, name: &str) -> String {
        format!("\"{}\"", name.replace('"', "\"\""))
    }

    /// Runs a statement for its rows.
    ///
    /// # Errors
    /// As the database refuses.
    fn query(&mut self, statement: &str, parameters: &[Value]) -> Result<RowSet, Error>;

    /// Runs a statement for the number of rows that it affected.
    ///
    /// # Errors
    /// As the database refuses.
    fn execute(&mut self, statement: &str, parameters: &[Value]) -> Result<u64, Error>;

    /// Makes what was done last. The host keeps checkpoint and progress.
    ///
    /// # Errors
    /// As the database refuses.
    fn commit(&mut self) -> Result<(), Error>;

    /// Takes back what was done since the last commit.
    ///
    /// # Errors
    /// As the database refuses.
    fn rollback(&mut self) -> Result<(), Error>;
}

/// One commit of the plugin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commit {
    /// What it would go on from.
    pub checkpoint: Vec<u8>,
    /// Rows done so far.
    pub rows_done: u64,
    /// Rows in all, if it said so.
    pub rows_total: Option<u64>,
}

/// The host of one call, and afterwards what the plugin did in it.
pub struct Host {
    database: Box<dyn Database>,
    checkpoint: Option<Vec<u8>>,
    commits: Vec<Commit>,
    statements: Vec<String>,
    logs: Vec<(Level, String)>,
    metrics: Vec<(String, f64)>,
    paused: Duration,
    stop_after_commits: Option<usize>,
    surroundings: surroundings::Surroundings,
    live: live::Live,
    engine: engine::Engine,
}

thread_local! {
    static CURRENT: RefCell<Option<Host>> = const { RefCell::new(None) };
}

/// One call of a secret store, as a real host makes it: a new instance, configured by this `with:`.
///
/// ```
/// # use whimbrel_sdk::prelude::*;
/// # use whimbrel_sdk::mock::{self, Host};
/// # struct Shelf;
/// # impl SecretStore for Shelf {
/// #     type Config = Json;
/// #     fn configure(_: Json) -> Result<Self, Fault> { Ok(Self) }
/// #     fn read(&self, _: &Reference) -> Result<Secret, Fault> { Ok(Secret::of_value("x")) }
/// #     fn describe(&self, _: &Reference) -> Result<Shape, Fault> { Ok(Shape::default()) }
/// # }
/// let with = json!({ "address": "https://shelf.test" });
/// let (secret, host) = mock::call(Host::without_database(), with, |shelf: &Shelf| shelf.read(&Reference::new("a")));
/// assert!(secret.unwrap().field("value").is_some() && host.requests().is_empty());
/// ```
#[allow(
    clippy::needless_pass_by_value,
    reason = "a document is written where it is used"
)]
pub fn call<S: SecretStore, T>(
    host: Host,
    with: Json,
    action: impl FnOnce(&S) -> Result<T, Fault>,
) -> (Result<T, Fault>, Host) {
    host.run(|| action(&S::configure(parse(&with.to_string())?)?))
}

impl Host {
    /// A host for a plugin that needs no database, such as a store of secrets.
    #[must_use]
    pub fn without_database() -> Self {
        Self::new(Script::new())
    }

    /// A host over this database.
    pub fn new(database: impl Database + 'static) -> Self {
        Self {
            database: Box::new(database),
            checkpoint: None,
            commits: Vec::new(),
            statements: Vec::new(),
            logs: Vec::new(),
            metrics: Vec::new(),
            paused: Duration::ZERO,
            stop_after_commits: None,
            surroundings: surroundings::Surroundings::default(),
            live: live::Live::default(),
            engine: engine::Engine::default(),
        }
    }

    /// An earlier attempt committed this checkpoint.
    #[must_use]
    pub fn with_checkpoint(mut self, checkpoint: Vec<u8>) -> Self {
        self.checkpoint = Some(checkpoint);
        self
    }

    /// The call is asked to stop once it has committed so often.
    #[must_use]
    pub const fn stopping_after(mut self, commits: usize) -> Self {
        self.stop_after_commits = Some(commits);
        self
    }

    /// Runs some of a plugin's code with its imports served here, and gives back what it answered, and the host.
    ///
    /// What it did since its last commit is taken back when it fails with [`Err`], and kept otherwise, as a real host does.
    ///
    /// # Panics
    /// One call is inside another.
    #[allow(clippy::panic)]
    pub fn run<T, E>(self, plugin: impl FnOnce() -> Result<T, E>) -> (Result<T, E>, Self) {
        CURRENT.with(|current| {
            assert!(
                current.borrow_mut().replace(self).is_none(),
                "a mock host runs one call at a time"
            );
        });
        let answer = plugin();
        let Some(mut host) = CURRENT.with(|current| current.borrow_mut().take()) else {
            panic!("the mock host is gone: was another one run inside the call?");
        };
        let end = if answer.is_ok() {
            host.database.commit()
        } else {
            host.database.rollback()
        };
        if let Err(error) = end {
            host.logs.push((Level::Error, format!("{error:?}")));
        }
        (answer, host)
    }

    /// The commits, in order.
    #[must_use]
    pub fn commits(&self) -> &[Commit] {
        &self.commits
    }

    /// The last checkpoint that was committed, by this call or before it.
    #[must_use]
    pub fn checkpoint(&self) -> Option<&[u8]> {
        self.checkpoint.as_deref()
    }

    /// The statements, in order.
    #[must_use]
    pub fn statements(&self) -> Vec<&str> {
        self.statements.iter().map(String::as_str).collect()
    }

    /// The log lines, in order.
    #[must_use]
    pub fn logs(&self) -> &[(Level, String)] {
        &self.logs
    }

    /// The metrics' names and values, in order.
    #[must_use]
    pub fn metrics(&self) -> &[(String, f64)] {
        &self.metrics
    }

    /// How long the plugin asked to pause; a test doesn't really wait.
    #[must_use]
    pub const fn paused(&self) -> Duration {
        self.paused
    }

    fn is_stopping(&self) -> bool {
        self.stop_after_commits
            .is_some_and(|commits| self.commits.len() >= commits)
    }
}
