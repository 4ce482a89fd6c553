//! One connection to a database, with everything that is secret read at that moment.

use std::path::PathBuf;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use url::Url;
use whimbrel_core::environment::{DatabaseSpec, ValueSource};
use whimbrel_core::template::{Values, expand_url};
use whimbrel_database::{Endpoint, Session, SessionSettings, connect};
use whimbrel_secrets::{Lent, Readings, Resolver};

use crate::{ConnectError, Idle};

/// How long to wait before credentials that were refused are read anew: a rotation reaches both sides in a moment.
const REFUSED_WAIT: Duration = Duration::from_millis(500);

/// A connection, where it leads, and what was lent for it.
pub struct Connected {
    /// Where it leads, with its credentials.
    pub endpoint: Endpoint,
    /// The connection.
    pub session: Box<dyn Session>,
    /// The leases that its credentials stand on: to be ended when the connection is closed.
    pub lent: Lent,
}

impl Connected {
    /// Closes the connection, and ends what was lent for it.
    pub(crate) async fn close(self) {
        drop(self.session);
        give_back(&self.lent).await;
    }
}

/// How the databases of one environment are reached.
pub(crate) struct Dial {
    /// The folder that relative paths are counted from.
    pub(crate) base: PathBuf,
    /// Reads secrets.
    pub(crate) resolver: Resolver,
}

impl Dial {
    /// Connects, or takes one of the connections that are kept.
    pub(crate) async fn connect(
        &self,
        spec: &DatabaseSpec,
        values: &Values,
        settings: &SessionSettings,
        idle: Option<&Idle>,
    ) -> Result<Connected, ConnectError> {
        let readings = self.resolver.begin();
        let result = self.attempt(spec, values, settings, &readings, idle).await;
        let (result, readings) = match result {
            Err(ConnectError::Database(error)) if error.is_authentication() => {
                // The credentials may have been rotated between reading and using them: read them once more, past
                // whatever is kept, and give back what was lent and refused.
                let again = readings.again().await;
                give_back(&readings.lent()).await;
                tokio::time::sleep(REFUSED_WAIT).await;
                let result = self.attempt(spec, values, settings, &again, idle).await;
                (result, again)
            }
            other => (other, readings),
        };
        let lent = readings.lent();
        match result {
            Ok((endpoint, session)) => Ok(Connected {
                endpoint,
                session,
                lent,
            }),
            Err(error) => {
                give_back(&lent).await;
                Err(error)
            }
        }
    }

    async fn attempt(
        &self,
        spec: &DatabaseSpec,
        values: &Values,
        settings: &SessionSettings,
        readings: &Readings,
        idle: Option<&Idle>,
    ) -> Result<(Endpoint, Box<dyn Session>), ConnectError> {
        let endpoint = self.endpoint(spec, values, readings).await?;
        if let Some(session) = idle.and_then(|idle| idle.take(&endpoint, settings)) {
            return Ok((endpoint, session));
        }
        let session = connect(&endpoint, settings).await?;
        Ok((endpoint, session))
    }

    /// Where a database is and who to be there, with everything that is secret read now.
    pub(crate) async fn endpoint(
        &self,
        spec: &DatabaseSpec,
        values: &Values,
        readings: &Readings,
    ) -> Result<Endpoint, ConnectError> {
        let mut endpoint = match &spec.url {
            ValueSource::Literal(template) => {
                let url = expand_url(template, values)
                    .map_err(|error| ConnectError::Url(error.to_string()))?;
                Endpoint::parse(&url, &self.base)?
            }
            ValueSource::Secret(reference) => {
                let url = readings.resolve(reference).await?;
                let (url, password) = without_password(&url);
                let endpoint = Endpoint::parse(&url, &self.base)?;
                match password {
                    Some(password) => {
                        self.resolver.keep_secret(&password);
                        endpoint.with_password(password)
                    }
                    None => endpoint,
                }
            }
        };
        if let Some(username) = &spec.username {
            endpoint = endpoint.with_username(readings.value(username).await?);
        }
        if let Some(password) = &spec.password {
            endpoint = endpoint.with_password(readings.value(password).await?);
        }
        if let Some(role) = &spec.role {
            endpoint = endpoint.with_role(role.as_str());
        }
        Ok(endpoint)
    }
}

async fn give_back(lent: &Lent) {
    for left in lent.end().await {
        tracing::warn!(backend = %left.record.backend, "a lease couldn't be ended: {}", left.fault);
    }
}

/// A URL that was a secret may hold the password; it is taken out, because endpoints are shown.
fn without_password(url: &SecretString) -> (String, Option<SecretString>) {
    let text = url.expose_secret();
    let Ok(mut parsed) = Url::parse(text) else {
        return (text.to_owned(), None);
    };
    let Some(password) = parsed.password().filter(|password| !password.is_empty()) else {
        return (text.to_owned(), None);
    };
    let password = percent_encoding::percent_decode_str(password).decode_utf8_lossy();
    let password = SecretString::from(password.as_ref());
    if parsed.set_password(None).is_err() {
        return (text.to_owned(), None);
    }
    (parsed.into(), Some(password))
}

#[cfg(test)]
mod tests {
    use secrecy::{ExposeSecret, SecretString};

    use super::without_password;

    #[test]
    fn the_password_of_a_secret_url_goes_apart() {
        let (url, password) =
            without_password(&SecretString::from("postgres://ada:p%40ss@db:5432/shop"));
        assert_eq!(url, "postgres://ada@db:5432/shop");
        assert_eq!(password.unwrap().expose_secret(), "p@ss");
        for plain in ["postgres://ada@db/shop", "sqlite:shop.db", "no url"] {
            let (url, password) = without_password(&SecretString::from(plain));
            assert_eq!(url, plain);
            assert!(password.is_none());
        }
    }
}
