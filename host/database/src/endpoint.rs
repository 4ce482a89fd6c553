//! Where a target is, parsed once; who one is there comes in separately, so that no URL holds a password.

use std::fmt;
use std::path::{Path, PathBuf};

use secrecy::SecretString;
use whimbrel_core::statement::Dialect;

/// A URL that names no target.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct EndpointError {
    /// What is wrong with it; never holds a password.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

/// How a connection to PostgreSQL is encrypted: libpq's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum SslMode {
    Disable,
    Prefer,
    Require,
    VerifyCa,
    VerifyFull,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Location {
    Sqlite { path: PathBuf },
    Postgres(PostgresLocation),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PostgresLocation {
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) database: Option<String>,
    pub(crate) ssl_mode: SslMode,
    pub(crate) ssl_root_certificate: Option<PathBuf>,
    pub(crate) options: Vec<(String, String)>,
}

/// A target to connect to.
#[derive(Clone)]
pub struct Endpoint {
    pub(crate) location: Location,
    pub(crate) username: Option<SecretString>,
    pub(crate) password: Option<SecretString>,
    pub(crate) role: Option<String>,
}

impl Endpoint {
    /// Reads `sqlite:relative/path`, `sqlite:///absolute/path` or `postgres://user@host:port/database?sslmode=…`; a
    /// socket folder goes into `host=/folder`. Relative paths start at `base_dir`.
    ///
    /// # Errors
    ///
    /// It is no such URL, or it holds a password: passwords have a field of their own.
    pub fn parse(url: &str, base_dir: &Path) -> Result<Self, EndpointError> {
        let _ = (url, base_dir);
        Err(EndpointError {
            message: String::new(),
            hint: None,
        })
    }

    /// The same with a user; wins over the one in the URL.
    #[must_use]
    pub fn with_username(mut self, username: SecretString) -> Self {
        self.username = Some(username);
        self
    }

    /// The same with a password.
    #[must_use]
    pub fn with_password(mut self, password: SecretString) -> Self {
        self.password = Some(password);
        self
    }

    /// The same with a role that owns whatever is created (`SET ROLE`).
    #[must_use]
    pub fn with_role(mut self, role: impl Into<String>) -> Self {
        self.role = Some(role.into());
        self
    }

    /// The dialect spoken there.
    #[must_use]
    pub const fn dialect(&self) -> Dialect {
        match self.location {
            Location::Sqlite { .. } => Dialect::Sqlite,
            Location::Postgres(_) => Dialect::Postgres,
        }
    }

    /// The same text for all targets of one server, which `perServer` bounds; each SQLite file is a server of its own.
    #[must_use]
    pub fn server_key(&self) -> String {
        self.to_string()
    }

    /// The file of a SQLite database.
    #[must_use]
    pub fn sqlite_path(&self) -> Option<&Path> {
        match &self.location {
            Location::Sqlite { path } => Some(path),
            Location::Postgres(_) => None,
        }
    }
}

/// Without secrets: neither user nor password.
impl fmt::Display for Endpoint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.location {
            Location::Sqlite { path } => write!(formatter, "sqlite:{}", path.display()),
            Location::Postgres(location) => write!(
                formatter,
                "postgres://{}:{}/{}",
                location.host,
                location.port,
                location.database.as_deref().unwrap_or_default()
            ),
        }
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Endpoint({self})")
    }
}
