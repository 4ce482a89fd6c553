//! Git's protocol through a program at the other end of SSH. Source: gitprotocol-pack(5), "SSH Transport".

use std::io::{Read, Write as _};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::time::Duration;

use secrecy::ExposeSecret;
use ssh2::{Channel, ErrorCode, MethodType, Session};

use super::address::SshAddress;
use super::connection::{Connection, Service};
use super::credentials::{Access, SshKey};
use super::error::readable;
use super::known_hosts::Known;
use super::limits::MESSAGE;
use super::{Address, Limits, RemoteError};

/// Kinds of host keys, the best first. SHA-1 signatures are not among them.
const HOST_KEYS: [&str; 6] = [
    "ssh-ed25519",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "rsa-sha2-512",
    "rsa-sha2-256",
];

/// What libssh2 calls these errors.
const TIMEOUTS: [i32; 2] = [-9, -30];

pub(super) struct Ssh {
    address: Address,
    to: SshAddress,
    access: Access,
    limits: Limits,
    channel: Option<Channel>,
}

impl Ssh {
    pub(super) fn new(
        address: &Address,
        to: &SshAddress,
        access: &Access,
        limits: &Limits,
    ) -> Self {
        Self {
            address: address.clone(),
            to: to.clone(),
            access: access.clone(),
            limits: limits.clone(),
            channel: None,
        }
    }

    fn server(&self) -> String {
        match self.to.port {
            22 => self.to.host.clone(),
            port => format!("{}:{port}", self.to.host),
        }
    }

    fn unreachable(&self, problem: impl Into<String>) -> RemoteError {
        RemoteError::Unreachable {
            server: self.server(),
            problem: problem.into(),
        }
    }

    fn failed(&self, error: &ssh2::Error) -> RemoteError {
        match error.code() {
            ErrorCode::Session(code) if TIMEOUTS.contains(&code) => {
                RemoteError::TimedOut("it fell silent")
            }
            _ => self.unreachable(format!("SSH: {}", error.message())),
        }
    }

    fn denied(&self, problem: impl Into<String>) -> RemoteError {
        RemoteError::Denied {
            address: self.address.clone(),
            problem: problem.into(),
        }
    }

    fn connect(&self) -> Result<TcpStream, RemoteError> {
        let addresses = (self.to.host.as_str(), self.to.port)
            .to_socket_addrs()
            .map_err(|error| self.unreachable(error.to_string()))?;
        let mut last = self.unreachable("its name has no address");
        for address in addresses {
            match TcpStream::connect_timeout(&address, self.limits.connect) {
                Ok(stream) => return Ok(stream),
                Err(error) => last = self.unreachable(error.to_string()),
            }
        }
        Err(last)
    }

    /// A session with a server that has proved what it is, and that knows who asks.
    fn session(&self) -> Result<Session, RemoteError> {
        let host_key = |problem| RemoteError::HostKey {
            server: self.server(),
            problem,
        };
        let known =
            Known::of(&self.access.known_hosts, &self.to.host, self.to.port).map_err(host_key)?;
        let mut session = Session::new().map_err(|error| self.failed(&error))?;
        session.set_timeout(milliseconds(self.limits.stall));
        session.set_tcp_stream(self.connect()?);
        // What is known first, or the server would show a key of another kind than the one that is known.
        let algorithms = known.algorithms().join(",");
        let mut wanted: Vec<&str> = algorithms
            .split(',')
            .filter(|name| HOST_KEYS.contains(name))
            .collect();
        wanted.extend(HOST_KEYS.iter().filter(|name| !algorithms.contains(*name)));
        session
            .method_pref(MethodType::HostKey, &wanted.join(","))
            .map_err(|error| self.failed(&error))?;
        session.handshake().map_err(|error| self.failed(&error))?;
        let shown = session.host_key().map(|(key, _)| key.to_vec());
        let shown = shown.ok_or_else(|| self.unreachable("SSH: it shows no host key"))?;
        known.check(&shown).map_err(host_key)?;
        match &self.access.key {
            Some(key) => self.with_key(&session, key)?,
            None => self.with_agent(&session)?,
        }
        Ok(session)
    }

    fn with_key(&self, session: &Session, key: &SshKey) -> Result<(), RemoteError> {
        let private = key.private.expose_secret();
        let passphrase = key.passphrase.as_ref().map(ExposeSecret::expose_secret);
        let tried = session.userauth_pubkey_memory(&self.to.user, None, private, passphrase);
        match tried {
            Ok(()) => Ok(()),
            Err(error) => match error.code() {
                // Signed, and the server said no.
                ErrorCode::Session(-18 | -19) => Err(self.denied(format!(
                    "the key is not accepted for the user `{}`",
                    self.to.user
                ))),
                ErrorCode::Session(-16) => Err(RemoteError::Credential {
                    what: "SSH key",
                    problem: "it is no private key, or its passphrase is another one".to_owned(),
                }),
                _ => Err(self.failed(&error)),
            },
        }
    }

    fn with_agent(&self, session: &Session) -> Result<(), RemoteError> {
        let none = |_| self.denied("no key was given, and no SSH agent answers");
        let mut agent = session.agent().map_err(none)?;
        agent.connect().map_err(none)?;
        agent.list_identities().map_err(none)?;
        let identities = agent.identities().map_err(none)?;
        let user = &self.to.user;
        if identities
            .iter()
            .any(|identity| agent.userauth(user, identity).is_ok())
        {
            return Ok(());
        }
        let count = identities.len();
        Err(self.denied(format!(
            "none of the SSH agent's {count} keys is accepted for the user `{user}`"
        )))
    }

    /// What the program at the other end wrote to its stderr when it gave no answer.
    fn explanation(&self, channel: &Channel) -> Option<RemoteError> {
        let mut bytes = Vec::new();
        // As much as was said counts, however the reading ends.
        let _ = channel
            .stderr()
            .take(MESSAGE as u64)
            .read_to_end(&mut bytes);
        let text = readable(&String::from_utf8_lossy(&bytes));
        let lower = text.to_lowercase();
        let any = |words: &[&str]| words.iter().any(|word| lower.contains(word));
        if text.is_empty() {
            None
        } else if any(&[
            "not found",
            "not appear to be a git repository",
            "no such file",
            "could not be found",
        ]) {
            Some(RemoteError::NotFound(self.address.clone()))
        } else if any(&["denied", "not authorized", "not allowed"]) {
            Some(self.denied(text))
        } else {
            Some(RemoteError::Said(text))
        }
    }
}

impl Connection for Ssh {
    fn begin(&mut self, service: Service) -> Result<Box<dyn Read>, RemoteError> {
        let session = self.session()?;
        let mut channel = session
            .channel_session()
            .map_err(|error| self.failed(&error))?;
        let command = format!("{} {}", service.name(), quoted(&self.to.path));
        channel
            .exec(&command)
            .map_err(|error| self.failed(&error))?;
        let mut stream = channel.stream(0);
        let mut first = [0];
        match stream.read(&mut first) {
            Ok(0) => {
                return Err(self
                    .explanation(&channel)
                    .unwrap_or_else(|| RemoteError::protocol("the server says nothing")));
            }
            Ok(_) => {}
            Err(error) => return Err(error.into()),
        }
        self.channel = Some(channel);
        Ok(Box::new(std::io::Cursor::new(first).chain(stream)))
    }

    fn finish(&mut self, _: Service, request: Vec<u8>) -> Result<Box<dyn Read>, RemoteError> {
        let channel = self
            .channel
            .as_mut()
            .ok_or_else(|| RemoteError::protocol("nothing was begun"))?;
        channel.write_all(&request)?;
        channel.flush()?;
        Ok(Box::new(channel.stream(0)))
    }
}

/// For a shell: nothing in it means anything.
fn quoted(path: &str) -> String {
    // The home of a user is not within the quotes, or it would be a folder of that name.
    match path.strip_prefix('~').and_then(|rest| rest.split_once('/')) {
        Some((user, rest))
            if user
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_')) =>
        {
            format!("~{user}/'{}'", rest.replace('\'', r"'\''"))
        }
        _ => format!("'{}'", path.replace('\'', r"'\''")),
    }
}

fn milliseconds(duration: Duration) -> u32 {
    u32::try_from(duration.as_millis()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn a_path_is_one_word() {
        assert_eq!(quoted("/srv/a b'; rm -rf /"), r"'/srv/a b'\''; rm -rf /'");
        assert_eq!(quoted("~ada/shop"), "~ada/'shop'");
        assert_eq!(quoted("~$(x)/shop"), "'~$(x)/shop'");
    }
}
