//! Whether a server's host key is known to be its own. Source: sshd(8), "SSH_KNOWN_HOSTS FILE FORMAT".
//!
//! Authorities of host certificates (`@cert-authority`) are passed over: the SSH library doesn't speak certificates of
//! hosts, and such a server shows its plain key.

use std::path::Path;

use hmac::{Hmac, Mac as _};
use sha1::Sha1;
use ssh_key::known_hosts::{Entry, HostPatterns, KnownHosts as Lines, Marker};
use ssh_key::{HashAlg, PublicKey};

use super::credentials::KnownHosts;
use super::error::HostKeyProblem;

/// What is known of one server.
pub(super) struct Known {
    entries: Vec<Entry>,
}

impl Known {
    /// Finds what is known of a server.
    pub(super) fn of(hosts: &KnownHosts, host: &str, port: u16) -> Result<Self, HostKeyProblem> {
        let mut entries = Vec::new();
        for text in texts(hosts)? {
            // A line at a time: one that can't be read, such as of a kind of key from tomorrow, hides no other.
            for line in text.lines() {
                let of_host = |entry: &Entry| names(entry.host_patterns(), host, port);
                entries.extend(Lines::new(line).filter_map(Result::ok).filter(of_host));
            }
        }
        Ok(Self { entries })
    }

    /// Kinds of keys that are known, as SSH negotiates them.
    pub(super) fn algorithms(&self) -> Vec<&str> {
        let known = self.entries.iter().filter(|entry| entry.marker().is_none());
        known
            .map(|entry| entry.public_key().key_data().algorithm())
            .map(|algorithm| match algorithm {
                ssh_key::Algorithm::Ed25519 => "ssh-ed25519",
                ssh_key::Algorithm::Rsa { .. } => "rsa-sha2-512,rsa-sha2-256,ssh-rsa",
                ssh_key::Algorithm::Ecdsa {
                    curve: ssh_key::EcdsaCurve::NistP256,
                } => "ecdsa-sha2-nistp256",
                ssh_key::Algorithm::Ecdsa {
                    curve: ssh_key::EcdsaCurve::NistP384,
                } => "ecdsa-sha2-nistp384",
                ssh_key::Algorithm::Ecdsa {
                    curve: ssh_key::EcdsaCurve::NistP521,
                } => "ecdsa-sha2-nistp521",
                _ => "",
            })
            .filter(|name| !name.is_empty())
            .collect()
    }

    /// Whether the key that the server shows is its own.
    pub(super) fn check(&self, shown: &[u8]) -> Result<(), HostKeyProblem> {
        let key = PublicKey::from_bytes(shown).ok();
        let kind = key
            .as_ref()
            .map_or("a kind that is not read", |key| name(key))
            .to_owned();
        let fingerprint = key
            .as_ref()
            .map(|key| key.fingerprint(HashAlg::Sha256).to_string())
            .unwrap_or_default();
        let same = |entry: &&Entry| {
            entry
                .public_key()
                .to_bytes()
                .is_ok_and(|bytes| bytes == shown)
        };
        let mut matching = self.entries.iter().filter(same);
        if matching
            .clone()
            .any(|entry| entry.marker() == Some(&Marker::Revoked))
        {
            return Err(HostKeyProblem::Revoked { fingerprint });
        }
        if matching.any(|entry| entry.marker().is_none()) {
            return Ok(());
        }
        if self.entries.iter().any(|entry| entry.marker().is_none()) {
            return Err(HostKeyProblem::Changed { kind, fingerprint });
        }
        Err(HostKeyProblem::Unknown { kind, fingerprint })
    }
}

fn name(key: &PublicKey) -> &'static str {
    match key.algorithm() {
        ssh_key::Algorithm::Ed25519 => "ED25519",
        ssh_key::Algorithm::Rsa { .. } => "RSA",
        ssh_key::Algorithm::Ecdsa { .. } => "ECDSA",
        _ => "a kind that is not read",
    }
}

fn texts(hosts: &KnownHosts) -> Result<Vec<String>, HostKeyProblem> {
    let read = |file: &Path| {
        std::fs::read_to_string(file)
            .map_err(|error| HostKeyProblem::Unreadable(format!("{}: {error}", file.display())))
    };
    match hosts {
        KnownHosts::Lines(text) => Ok(vec![text.clone()]),
        KnownHosts::File(file) => Ok(vec![read(file)?]),
        KnownHosts::Usual => {
            let home =
                std::env::var_os("HOME").map(|home| Path::new(&home).join(".ssh/known_hosts"));
            let files = home.into_iter().chain(["/etc/ssh/ssh_known_hosts".into()]);
            files
                .filter(|file| file.exists())
                .map(|file| read(&file))
                .collect()
        }
    }
}

/// Whether a line is about a server.
fn names(patterns: &HostPatterns, host: &str, port: u16) -> bool {
    let host = host.to_ascii_lowercase();
    let shown = if port == 22 {
        host
    } else {
        format!("[{host}]:{port}")
    };
    match patterns {
        HostPatterns::HashedName { salt, hash } => {
            Hmac::<Sha1>::new_from_slice(salt).is_ok_and(|mac| {
                mac.chain_update(shown.as_bytes())
                    .verify_slice(hash)
                    .is_ok()
            })
        }
        HostPatterns::Patterns(patterns) => {
            let matches = |pattern: &str| wildcard(&pattern.to_ascii_lowercase(), &shown);
            let (denied, named): (Vec<_>, Vec<_>) = patterns
                .iter()
                .partition(|pattern| pattern.starts_with('!'));
            named.iter().any(|pattern| matches(pattern))
                && !denied
                    .iter()
                    .any(|pattern| matches(pattern.trim_start_matches('!')))
        }
    }
}

/// Whether a text fits a pattern of `*` and `?`.
pub(crate) fn wildcard(pattern: &str, text: &str) -> bool {
    // Which beginnings of the text the pattern so far fits.
    let text: Vec<char> = text.chars().collect();
    let mut fits = vec![false; text.len() + 1];
    if let Some(first) = fits.first_mut() {
        *first = true;
    }
    for symbol in pattern.chars() {
        let mut next = vec![false; fits.len()];
        let mut any = false;
        for (end, slot) in next.iter_mut().enumerate() {
            let here = fits.get(end).copied().unwrap_or(false);
            any = any || here;
            let before = end.checked_sub(1);
            let one = before
                .and_then(|before| fits.get(before))
                .copied()
                .unwrap_or(false);
            let character = before.and_then(|before| text.get(before));
            *slot = match symbol {
                '*' => any,
                '?' => one,
                other => one && character == Some(&other),
            };
        }
        fits = next;
    }
    fits.last().copied().unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::{Known, wildcard};
    use crate::remote::credentials::KnownHosts;
    use crate::remote::error::HostKeyProblem;

    const ONE: &str =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl";
    const OTHER: &str =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILM+rvN+ot98qgEN796jTiQfZfG1KaT0PtFDJ/XFSqti";

    fn check(lines: &str, host: &str, port: u16) -> Result<(), HostKeyProblem> {
        let shown = ssh_key::PublicKey::from_openssh(ONE)
            .unwrap()
            .to_bytes()
            .unwrap();
        Known::of(&KnownHosts::Lines(lines.to_owned()), host, port)
            .unwrap()
            .check(&shown)
    }

    #[test]
    fn knows_a_server_by_its_name() {
        let line = format!(
            "# ours\nother {OTHER}\nnonsense\ngit.example.org,!x.example.org,*.example.org {ONE} comment\n"
        );
        assert_eq!(check(&line, "git.example.org", 22), Ok(()));
        assert_eq!(check(&line, "GIT.example.org", 22), Ok(()));
        for (host, port) in [
            ("x.example.org", 22),
            ("git.example.org", 2222),
            ("example.com", 22),
        ] {
            let unknown = check(&line, host, port);
            assert!(
                matches!(unknown, Err(HostKeyProblem::Unknown { .. })),
                "{host} {unknown:?}"
            );
        }
        assert_eq!(
            check(
                &format!("[git.example.org]:2222 {ONE}"),
                "git.example.org",
                2222
            ),
            Ok(())
        );
    }

    #[test]
    fn a_new_or_revoked_key_is_refused() {
        let changed = check(&format!("git {OTHER}"), "git", 22);
        assert!(
            matches!(changed, Err(HostKeyProblem::Changed { .. })),
            "{changed:?}"
        );
        let revoked = check(&format!("git {ONE}\n@revoked * {ONE}"), "git", 22);
        assert!(
            matches!(revoked, Err(HostKeyProblem::Revoked { .. })),
            "{revoked:?}"
        );
        let authority = check(&format!("@cert-authority git {ONE}"), "git", 22);
        assert!(
            matches!(authority, Err(HostKeyProblem::Unknown { .. })),
            "{authority:?}"
        );
    }

    #[test]
    fn patterns_are_shells() {
        for (pattern, text, fits) in [
            ("*", "", true),
            ("a*c", "abbc", true),
            ("a?c", "ac", false),
            ("a?c", "abc", true),
            ("**b", "aab", true),
            ("a", "ab", false),
            ("", "a", false),
        ] {
            assert_eq!(wildcard(pattern, text), fits, "{pattern} {text}");
        }
    }
}
