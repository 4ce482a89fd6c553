//! Where a plugin may send requests: the `to:` of an `http` grant, and what it allows.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use percent_encoding::percent_decode_str;
use serde_json::Value as Json;
use url::{Host, Url};

/// The beginning of a destination that points into the plugin's configuration.
const CONFIGURED: &str = "config:";

/// What `to:` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Destination {
    /// `https://host:port/path*`.
    Place(Place),
    /// `config:/pointer`: the address that stands there in the plugin's `with:`, and everything below it.
    Configured(String),
}

/// One scheme, host and port, and the paths that may be asked for there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    https: bool,
    host: Host<String>,
    port: u16,
    with_port: bool,
    paths: Paths,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Paths {
    Exactly(String),
    Beginning(String),
    /// The path itself and what is below it.
    Below(String),
}

/// Which addresses a place may turn out to have.
///
/// A name that is granted with its port is a service that the operator means, wherever in the network it is; a name
/// alone is one of the internet. What only this machine or this link can reach (loopback, cloud metadata) must be
/// written as the address that it is, so that no answer of a name server leads there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// This address, whatever it is: it was granted literally.
    Only(IpAddr),
    /// Addresses of this machine: `localhost`.
    Loopback,
    /// Addresses of the internet and of private networks.
    Private,
    /// Addresses of the internet.
    Public,
}

/// The text was no destination.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum DestinationError {
    /// It isn't an address.
    #[error("{0}")]
    Address(String),
    /// It points to nothing in the configuration.
    #[error("the configuration has no text at `{0}`")]
    Pointer(String),
}

fn wrong(what: &str) -> DestinationError {
    DestinationError::Address(what.to_owned())
}

impl FromStr for Destination {
    type Err = DestinationError;

    fn from_str(text: &str) -> Result<Self, DestinationError> {
        match text.strip_prefix(CONFIGURED) {
            Some(pointer) if pointer.starts_with('/') => Ok(Self::Configured(pointer.to_owned())),
            Some(_) => Err(wrong("the JSON pointer after `config:` begins with `/`")),
            None => Place::granted(text).map(Self::Place),
        }
    }
}

impl Destination {
    /// The place that is meant, with this configuration.
    ///
    /// # Errors
    /// The configuration has no address where the destination points to.
    pub fn place(&self, config: &Json) -> Result<Place, DestinationError> {
        match self {
            Self::Place(place) => Ok(place.clone()),
            Self::Configured(pointer) => {
                let text = config.pointer(pointer).and_then(Json::as_str);
                let text = text.ok_or_else(|| DestinationError::Pointer(pointer.clone()))?;
                Place::base(text)
            }
        }
    }
}

impl Place {
    /// From a grant: a path is meant exactly unless it ends with `*`, and no path means all of them.
    fn granted(text: &str) -> Result<Self, DestinationError> {
        let (address, open) = match text.strip_suffix('*') {
            Some(address) => (address, true),
            None => (text, false),
        };
        if address.contains('*') {
            return Err(wrong("`*` can only be the last character of the path"));
        }
        let (mut place, url) = Self::parse(address)?;
        let bare = after_authority(address).is_empty();
        if open && bare {
            return Err(wrong("a path comes before `*`: `https://host:port/*`"));
        }
        let path = url.path().to_owned();
        place.paths = match (open, bare) {
            (false, true) => Paths::Beginning("/".to_owned()),
            (true, _) => Paths::Beginning(path),
            (false, false) => Paths::Exactly(path),
        };
        Ok(place)
    }

    /// From a configuration: a base address, and everything below it.
    ///
    /// # Errors
    /// It is no address.
    pub fn base(text: &str) -> Result<Self, DestinationError> {
        let (mut place, url) = Self::parse(text)?;
        place.paths = Paths::Below(url.path().trim_end_matches('/').to_owned());
        Ok(place)
    }

    fn parse(text: &str) -> Result<(Self, Url), DestinationError> {
        let url = Url::parse(text).map_err(|error| DestinationError::Address(error.to_string()))?;
        let https = match url.scheme() {
            "https" => true,
            "http" => false,
            _ => return Err(wrong("it begins with `https://` or `http://`")),
        };
        if !url.username().is_empty() || url.password().is_some() {
            return Err(wrong("user and password go under `basic:`"));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(wrong("it ends with the path"));
        }
        let (Some(host), Some(port)) = (url.host(), url.port_or_known_default()) else {
            return Err(wrong("it has no host"));
        };
        let place = Self {
            https,
            host: host.to_owned(),
            port,
            with_port: has_port(text),
            paths: Paths::Exactly("/".to_owned()),
        };
        Ok((place, url))
    }

    /// Whether a request may go to this URL.
    #[must_use]
    pub fn allows(&self, url: &Url) -> bool {
        (url.scheme() == "https") == self.https
            && matches!(url.scheme(), "http" | "https")
            && url.host().is_some_and(|host| host.to_owned() == self.host)
            && url.port_or_known_default() == Some(self.port)
            && url.username().is_empty()
            && url.password().is_none()
            && !is_devious(url.path())
            && match &self.paths {
                Paths::Exactly(path) => url.path() == path,
                Paths::Beginning(start) => url.path().starts_with(start.as_str()),
                Paths::Below(base) => url
                    .path()
                    .strip_prefix(base.as_str())
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with('/')),
            }
    }

    /// Which addresses it may turn out to have.
    #[must_use]
    pub fn reach(&self) -> Reach {
        match &self.host {
            Host::Ipv4(address) => Reach::Only(IpAddr::V4(*address)),
            Host::Ipv6(address) => Reach::Only(IpAddr::V6(*address)),
            Host::Domain(name) if name == "localhost" => Reach::Loopback,
            Host::Domain(_) if self.with_port => Reach::Private,
            Host::Domain(_) => Reach::Public,
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.https { "https" } else { "http" };
        write!(formatter, "{scheme}://{}:{}", self.host, self.port)?;
        match &self.paths {
            Paths::Exactly(path) => formatter.write_str(path),
            Paths::Beginning(start) => write!(formatter, "{start}*"),
            Paths::Below(base) => write!(formatter, "{base}/*"),
        }
    }
}

/// A path that a server could take for one outside of what is granted: after decoding, it climbs.
fn is_devious(path: &str) -> bool {
    let decoded = percent_decode_str(path).collect::<Vec<u8>>();
    decoded
        .split(|byte| matches!(byte, b'/' | b'\\'))
        .any(|part| matches!(part, b"." | b".."))
}

fn authority_and_after(text: &str) -> (&str, &str) {
    let rest = text.split_once("://").map_or("", |(_, rest)| rest);
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    rest.split_at(end)
}

fn after_authority(text: &str) -> &str {
    authority_and_after(text).1
}

/// Whether the text says a port: the parsed URL drops one that is the scheme's own.
fn has_port(text: &str) -> bool {
    authority_and_after(text)
        .0
        .rsplit_once(':')
        .is_some_and(|(_, port)| !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::{Destination, Place, Reach};
    use serde_json::json;

    fn place(text: &str) -> Place {
        let destination: Destination = text.parse().unwrap();
        destination.place(&json!({})).unwrap()
    }

    fn allows(grant: &str, url: &str) -> bool {
        place(grant).allows(&url.parse().unwrap())
    }

    #[test]
    fn a_path_is_exact_unless_it_is_open() {
        assert!(allows(
            "https://a.example/v1/*",
            "https://a.example/v1/x?y=z"
        ));
        assert!(allows(
            "https://a.example/v1/*",
            "https://A.example:443/v1/"
        ));
        assert!(allows("https://a.example", "https://a.example/anything"));
        assert!(allows("https://a.example/v1", "https://a.example/v1"));
        for (grant, url) in [
            ("https://a.example/v1", "https://a.example/v1/x"),
            ("https://a.example/v1/*", "https://a.example/v2"),
            ("https://a.example/v1/*", "https://a.example/v1/../v2"),
            ("https://a.example/v1/*", "https://a.example/v1/%2e%2e/v2"),
            ("https://a.example/v1/*", "https://a.example/v1/..%2fv2"),
            ("https://a.example/v1/*", "https://a.example/v1/..%5cv2"),
            ("https://a.example", "http://a.example/"),
            ("https://a.example", "https://a.example:8443/"),
            ("https://a.example", "https://a.example./"),
            ("https://a.example", "https://a.example.evil.example/"),
            ("https://a.example", "https://evil.example/a.example"),
            ("https://a.example", "https://a.example@evil.example/"),
            ("https://a.example", "https://u:p@a.example/"),
            ("https://a.example", "ftp://a.example/"),
        ] {
            assert!(!allows(grant, url), "{grant} let {url} through");
        }
    }

    #[test]
    fn an_address_is_itself_however_it_is_written() {
        assert!(allows("http://127.0.0.1:80/*", "http://0x7f.1/"));
        assert!(!allows("https://a.example", "https://2130706433/"));
    }

    #[test]
    fn reach_follows_from_how_the_host_is_written() {
        assert_eq!(place("https://a.example").reach(), Reach::Public);
        assert_eq!(place("https://a.example:443/*").reach(), Reach::Private);
        assert_eq!(place("http://localhost:8200").reach(), Reach::Loopback);
        let only = Reach::Only("169.254.169.254".parse().unwrap());
        assert_eq!(place("http://169.254.169.254/latest/*").reach(), only);
        let only = Reach::Only("::1".parse().unwrap());
        assert_eq!(place("https://[::1]/x").reach(), only);
    }

    #[test]
    fn a_configured_one_is_a_base() {
        let destination: Destination = "config:/address".parse().unwrap();
        let config = json!({ "address": "https://vault:8200/team/", "other": 1 });
        let place = destination.place(&config).unwrap();
        assert_eq!(place.to_string(), "https://vault:8200/team/*");
        for (url, expected) in [
            ("https://vault:8200/team", true),
            ("https://vault:8200/team/v1/x", true),
            ("https://vault:8200/teams/v1/x", false),
            ("https://vault:8200/", false),
        ] {
            assert_eq!(place.allows(&url.parse().unwrap()), expected, "{url}");
        }
        assert!(destination.place(&json!({ "address": 7 })).is_err());
        assert!(destination.place(&json!({ "address": "vault" })).is_err());
    }

    #[test]
    fn refuses_what_can_not_be_meant() {
        for text in [
            "",
            "a.example",
            "https://",
            "https://*",
            "https://*.a.example/",
            "https://a.example*",
            "https://a.example/*/x*",
            "https://u:p@a.example/*",
            "https://u@a.example/*",
            "https://a.example/?x=1",
            "https://a.example/#x",
            "ftp://a.example/",
            "config:address",
        ] {
            let parsed: Result<Destination, _> = text.parse();
            assert!(parsed.is_err(), "{text}");
        }
        assert_eq!(
            place("https://a.example/x").to_string(),
            "https://a.example:443/x"
        );
        assert_eq!(
            place("http://a.example/x*").to_string(),
            "http://a.example:80/x*"
        );
    }
}
