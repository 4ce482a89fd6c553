//! Where a remote repository is.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use url::{Host, Url};

use super::RemoteError;

/// The user that Git's hosts expect, where an address names none.
const SSH_USER: &str = "git";

/// The address of a repository that is not here. It never holds a credential, so it may be shown.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Address(Arc<Kind>);

#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Kind {
    Http(Url),
    Ssh(SshAddress),
    Local(PathBuf),
}

/// A repository behind SSH.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct SshAddress {
    pub(super) user: String,
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) path: String,
}

impl Address {
    /// Reads `https://HOST/PATH`, `ssh://[USER@]HOST[:PORT]/PATH`, `[USER@]HOST:PATH`, `file:///PATH` or, for a server
    /// on this machine, `http://…`.
    ///
    /// # Errors
    /// It is none of them, or holds a credential.
    pub fn parse(text: &str) -> Result<Self, RemoteError> {
        let wrong = |problem: &str| RemoteError::Address {
            address: conceal(text),
            problem: problem.to_owned(),
        };
        if text.chars().any(|c| c.is_control() || c == ' ') {
            return Err(wrong("a blank or a control character is in it"));
        }
        if !text.contains("://") {
            return scp(text).ok_or_else(|| wrong("it is no URL and no `HOST:PATH`"));
        }
        let url = Url::parse(text).map_err(|error| wrong(&error.to_string()))?;
        if url.password().is_some() {
            return Err(wrong("it holds a password"));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(wrong("a repository's URL has neither `?` nor `#`"));
        }
        match url.scheme() {
            "http" | "https" => {
                // A user's name in an HTTP address is more often a token than a name.
                if !url.username().is_empty() {
                    return Err(wrong("it holds a user name, which may be a token"));
                }
                let mut url = url;
                let path = url.path().trim_end_matches('/').to_owned();
                if path.is_empty() {
                    return Err(wrong("it names a server and no repository"));
                }
                url.set_path(&path);
                Ok(Self(Arc::new(Kind::Http(url))))
            }
            "ssh" => {
                let host = url.host_str().ok_or_else(|| wrong("it names no server"))?;
                let path = decoded(url.path());
                // `/~user` is relative to a home, as Git reads it.
                let path = path
                    .strip_prefix("/~")
                    .map_or_else(|| path.clone(), |home| format!("~{home}"));
                ssh(
                    url.username(),
                    host.trim_matches(['[', ']']),
                    url.port().unwrap_or(22),
                    path.trim_end_matches('/'),
                )
                .ok_or_else(|| wrong("its server, user or path is none"))
            }
            "file" => url
                .to_file_path()
                .map(|path| Self(Arc::new(Kind::Local(path))))
                .map_err(|()| wrong("it names no folder of this machine")),
            other => Err(wrong(&format!(
                "`{other}` is not spoken here; https, ssh and file are"
            ))),
        }
    }

    /// A repository in a folder of this machine.
    #[must_use]
    pub fn local(folder: PathBuf) -> Self {
        Self(Arc::new(Kind::Local(folder)))
    }

    /// Whether a text looks like the address of a repository rather than a folder's name.
    #[must_use]
    pub fn is_meant(text: &str) -> bool {
        text.contains("://") || scp(text).is_some()
    }

    pub(super) fn kind(&self) -> &Kind {
        &self.0
    }
}

impl fmt::Display for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.0 {
            Kind::Http(url) => formatter.write_str(url.as_str()),
            Kind::Ssh(ssh) => {
                let SshAddress {
                    user,
                    host,
                    port,
                    path,
                } = ssh;
                let slash = if path.starts_with('/') { "" } else { "/" };
                if *port == 22 {
                    write!(formatter, "ssh://{user}@{host}{slash}{path}")
                } else {
                    write!(formatter, "ssh://{user}@{host}:{port}{slash}{path}")
                }
            }
            Kind::Local(folder) => write!(formatter, "{}", folder.display()),
        }
    }
}

/// `[USER@]HOST:PATH`, where no `/` stands before the colon.
fn scp(text: &str) -> Option<Address> {
    let (server, path) = text.split_once(':')?;
    if server.contains('/') || path.is_empty() || path.starts_with("//") {
        return None;
    }
    let (user, host) = server.split_once('@').unwrap_or((SSH_USER, server));
    ssh(user, host, 22, path.trim_end_matches('/'))
}

fn ssh(user: &str, host: &str, port: u16, path: &str) -> Option<Address> {
    let user = if user.is_empty() { SSH_USER } else { user };
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':');
    let good = |text: &str| !text.is_empty() && !text.starts_with('-') && text.chars().all(is_name);
    let address = SshAddress {
        user: user.to_owned(),
        host: host.to_owned(),
        port,
        path: path.to_owned(),
    };
    // What begins with a dash would be an option to the program at the other end.
    let path = path.trim_start_matches('/');
    let sound = good(host)
        && good(user)
        && !user.contains(':')
        && !path.is_empty()
        && !path.starts_with('-');
    sound.then_some(Address(Arc::new(Kind::Ssh(address))))
}

fn decoded(path: &str) -> String {
    percent_encoding::percent_decode_str(path)
        .decode_utf8_lossy()
        .into_owned()
}

/// A text that may hold a credential before its server's name, without it.
pub(super) fn conceal(text: &str) -> String {
    match text.split_once("://") {
        Some((scheme, rest)) => {
            let end = rest.find('/').unwrap_or(rest.len());
            let (server, path) = rest.split_at(end);
            let server = server.rsplit_once('@').map_or(server, |(_, host)| host);
            format!("{scheme}://{server}{path}")
        }
        None => text.to_owned(),
    }
}

/// Whether a server is this machine, so that what is sent to it is read by nobody else.
pub(super) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::Address;

    #[test]
    fn reads_what_git_reads() {
        for (text, shown) in [
            (
                "https://git.example.org/shop.git/",
                "https://git.example.org/shop.git",
            ),
            (
                "git@git.example.org:team/shop.git",
                "ssh://git@git.example.org/team/shop.git",
            ),
            ("git.example.org:shop", "ssh://git@git.example.org/shop"),
            (
                "ssh://ada@git.example.org:2222/srv/shop.git",
                "ssh://ada@git.example.org:2222/srv/shop.git",
            ),
            ("file:///srv/shop.git", "/srv/shop.git"),
        ] {
            assert!(Address::is_meant(text), "{text}");
            assert_eq!(Address::parse(text).unwrap().to_string(), shown, "{text}");
        }
        for folder in ["shop", "./a:b", "/srv/shop", "../x@main"] {
            assert!(!Address::is_meant(folder), "{folder}");
        }
    }

    #[test]
    fn refuses_credentials_and_repeats_none() {
        for text in [
            "https://ada:hunter2@git.example.org/shop.git",
            "https://ghp_hunter2@git.example.org/shop.git",
            "ssh://git:hunter2@git.example.org/shop.git",
            "https://hunter2@git.example.org",
        ] {
            let said = Address::parse(text).unwrap_err();
            assert!(
                !format!("{said} {said:?} {:?}", said.hint()).contains("hunter2"),
                "{said:?}"
            );
        }
    }

    #[test]
    fn refuses_what_would_be_an_option_elsewhere() {
        for text in [
            "ssh://git@git.example.org/-oProxyCommand",
            "-oProxyCommand=x:shop",
            "git@git.example.org:-x",
            "ftp://git.example.org/shop",
            "https://git.example.org/",
            "https://git.example.org/shop?x=1",
            "https://git.example.org/a b",
            "ssh://git.example.org",
            "file://elsewhere/shop",
            "nothing",
        ] {
            assert!(Address::parse(text).is_err(), "{text}");
        }
    }
}
