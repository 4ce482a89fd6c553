//! Where a target is, parsed once; who one is there comes in separately, so that no URL holds a password.

use std::fmt;
use std::path::{Path, PathBuf};

use percent_encoding::percent_decode_str;
use secrecy::SecretString;
use url::Url;
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
    /// A host name, an address, or the folder of a socket.
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) database: Option<String>,
    pub(crate) ssl_mode: SslMode,
    pub(crate) ssl_root_certificate: Option<PathBuf>,
}

const POSTGRES_PORT: u16 = 5432;

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
        if let Some(path) = url.strip_prefix("sqlite:") {
            return sqlite(path, base_dir);
        }
        if url.starts_with("postgres:") || url.starts_with("postgresql:") {
            return postgres(url, base_dir);
        }
        let scheme = url.split_once(':').map_or(url, |(scheme, _)| scheme);
        Err(EndpointError::new(
            format!("`{scheme}` is no database that Whimbrel knows"),
            "write `sqlite:folder/file.db` or `postgres://host:5432/database`",
        ))
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

    /// The role that owns whatever is created, if one is taken.
    #[must_use]
    pub fn role(&self) -> Option<&str> {
        self.role.as_deref()
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
        match &self.location {
            Location::Sqlite { .. } => self.to_string(),
            Location::Postgres(location) => {
                format!("postgres://{}:{}", location.host, location.port)
            }
        }
    }

    /// The name of the database on its server, or the name of the file.
    #[must_use]
    pub fn database(&self) -> String {
        match &self.location {
            Location::Sqlite { path } => path
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned(),
            Location::Postgres(location) => location.database.clone().unwrap_or_default(),
        }
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

impl EndpointError {
    fn new(message: impl Into<String>, hint: &str) -> Self {
        Self {
            message: message.into(),
            hint: Some(hint.to_owned()),
        }
    }
}

fn sqlite(path: &str, base_dir: &Path) -> Result<Endpoint, EndpointError> {
    let path = path.strip_prefix("//").unwrap_or(path);
    let path = percent_decode_str(path).decode_utf8().map_err(|_| {
        EndpointError::new(
            "the path of a SQLite URL must be UTF-8",
            "percent-encode its bytes",
        )
    })?;
    if path.is_empty() || path.starts_with(":memory:") {
        return Err(EndpointError::new(
            "a SQLite URL needs the path of a file",
            "write `sqlite:folder/file.db`; a database in memory has no history to keep",
        ));
    }
    if path.contains(['?', '#']) {
        return Err(EndpointError::new(
            "a SQLite URL has no options",
            "write `sqlite:folder/file.db`; a `?` or `#` in the path is written `%3F` or `%23`",
        ));
    }
    let path = base_dir.join(path.as_ref());
    Ok(Endpoint {
        location: Location::Sqlite { path },
        username: None,
        password: None,
        role: None,
    })
}

fn postgres(url: &str, base_dir: &Path) -> Result<Endpoint, EndpointError> {
    // The text of the URL stays out of all messages: it may hold a password.
    let parsed = Url::parse(url).map_err(|error| {
        EndpointError::new(format!("this is no PostgreSQL URL: {error}"), POSTGRES_HINT)
    })?;
    if parsed.password().is_some() {
        return Err(EndpointError::new(
            "a URL can't hold a password",
            "put it into the field `password`, such as `password: {from: env, name: DATABASE_PASSWORD}`",
        ));
    }
    let mut location = PostgresLocation {
        host: decode(parsed.host_str().unwrap_or_default())?
            .trim_matches(['[', ']'])
            .to_owned(),
        port: parsed.port().unwrap_or(POSTGRES_PORT),
        database: Some(decode(parsed.path().trim_start_matches('/'))?)
            .filter(|name| !name.is_empty()),
        ssl_mode: SslMode::Prefer,
        ssl_root_certificate: None,
    };
    let mut username = Some(decode(parsed.username())?).filter(|name| !name.is_empty());
    for (key, value) in parsed.query_pairs() {
        match key.as_ref() {
            "host" => location.host = value.into_owned(),
            "port" => {
                location.port = value
                    .parse()
                    .map_err(|_| EndpointError::new("`port` is no port", POSTGRES_HINT))?;
            }
            "dbname" => location.database = Some(value.into_owned()),
            "user" => username = Some(value.into_owned()),
            "sslmode" => location.ssl_mode = ssl_mode(&value)?,
            "sslrootcert" => location.ssl_root_certificate = Some(base_dir.join(value.as_ref())),
            "password" => {
                return Err(EndpointError::new(
                    "a URL can't hold a password",
                    "put it into the field `password`",
                ));
            }
            other => {
                return Err(EndpointError::new(
                    format!("`{other}` is no option of a PostgreSQL URL here"),
                    "known are host, port, dbname, user, sslmode and sslrootcert",
                ));
            }
        }
    }
    if location.host.is_empty() {
        return Err(EndpointError::new(
            "the PostgreSQL URL names no host",
            POSTGRES_HINT,
        ));
    }
    let username = username.map(SecretString::from);
    Ok(Endpoint {
        location: Location::Postgres(location),
        username,
        password: None,
        role: None,
    })
}

const POSTGRES_HINT: &str = "write `postgres://host:5432/database`, or `postgres:///database?host=/socket/folder` for a socket";

fn decode(text: &str) -> Result<String, EndpointError> {
    let decoded = percent_decode_str(text).decode_utf8();
    decoded
        .map(Into::into)
        .map_err(|_| EndpointError::new("a part of the URL is no UTF-8", POSTGRES_HINT))
}

fn ssl_mode(text: &str) -> Result<SslMode, EndpointError> {
    Ok(match text {
        "disable" => SslMode::Disable,
        "allow" | "prefer" => SslMode::Prefer,
        "require" => SslMode::Require,
        "verify-ca" => SslMode::VerifyCa,
        "verify-full" => SslMode::VerifyFull,
        other => {
            return Err(EndpointError::new(
                format!("`{other}` is no sslmode"),
                "write disable, prefer, require, verify-ca or verify-full",
            ));
        }
    })
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
                location.database.as_deref().unwrap_or_default(),
            ),
        }
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Endpoint({self})")
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use secrecy::ExposeSecret;
    use whimbrel_core::statement::Dialect;

    use super::{Endpoint, EndpointError, Location, SslMode};

    fn parse(url: &str) -> Result<Endpoint, EndpointError> {
        Endpoint::parse(url, Path::new("/base"))
    }

    #[test]
    fn sqlite_paths_start_at_the_base() {
        for (url, path) in [
            ("sqlite:data/a.db", "/base/data/a.db"),
            ("sqlite:///srv/a.db", "/srv/a.db"),
            ("sqlite:/srv/a%20b.db", "/srv/a b.db"),
        ] {
            let endpoint = parse(url).unwrap();
            assert_eq!(endpoint.sqlite_path(), Some(Path::new(path)), "{url}");
            assert_eq!(endpoint.dialect(), Dialect::Sqlite);
            assert_eq!(endpoint.server_key(), format!("sqlite:{path}"));
        }
        assert_eq!(parse("sqlite:x/a.db").unwrap().database(), "a.db");
    }

    #[test]
    fn postgres_urls_are_read() {
        let endpoint =
            parse("postgres://me%40x@db.example:6000/shop?sslmode=verify-full&sslrootcert=ca.pem")
                .unwrap();
        assert_eq!(endpoint.to_string(), "postgres://db.example:6000/shop");
        assert_eq!(endpoint.server_key(), "postgres://db.example:6000");
        assert_eq!(endpoint.database(), "shop");
        assert_eq!(endpoint.username.as_ref().unwrap().expose_secret(), "me@x");
        assert_eq!(endpoint.dialect(), Dialect::Postgres);
        assert_eq!(endpoint.sqlite_path(), None);
        let Location::Postgres(location) = &endpoint.location else {
            panic!("{endpoint:?}")
        };
        assert_eq!(location.ssl_mode, SslMode::VerifyFull);
        assert_eq!(
            location.ssl_root_certificate.as_deref(),
            Some(Path::new("/base/ca.pem"))
        );
        let endpoint = parse("postgresql:///shop?host=/run/pg&port=5433&user=me").unwrap();
        assert_eq!(endpoint.to_string(), "postgres:///run/pg:5433/shop");
        assert_eq!(
            parse("postgres://h?dbname=x&sslmode=disable")
                .unwrap()
                .database(),
            "x"
        );
    }

    #[test]
    fn passwords_have_a_field_of_their_own() {
        for url in [
            "postgres://me:hunter2@h/x",
            "postgres://h/x?password=hunter2",
        ] {
            let error = parse(url).unwrap_err();
            assert!(
                error.message.contains("password") && !error.to_string().contains("hunter2"),
                "{error:?}"
            );
        }
        let endpoint = parse("postgres://h/x")
            .unwrap()
            .with_password("hunter2".to_owned().into());
        let endpoint = endpoint
            .with_username("bob".to_owned().into())
            .with_role("owner");
        assert!(!format!("{endpoint:?} {endpoint}").contains("hunter2"));
    }

    #[test]
    fn anything_else_is_refused_with_a_hint() {
        for url in [
            "mysql://h/x",
            "shop.db",
            "sqlite:",
            "sqlite::memory:",
            "sqlite:a.db?mode=ro",
            "sqlite:%ff",
            "postgres:///x",
            "postgres://h:99999/x",
            "postgres://h/x?sslmode=maybe",
            "postgres://h/x?port=x",
            "postgres://h/x?target=any",
            "postgres://h/%ff",
        ] {
            assert!(parse(url).unwrap_err().hint.is_some(), "{url}");
        }
    }
}
