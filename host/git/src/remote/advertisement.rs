//! What a server says that it has: its refs, and what it can do. Source: gitprotocol-pack(5), gitprotocol-capabilities(5).

use std::collections::BTreeMap;
use std::io::Read;

use git2::Oid;

use super::RemoteError;
use super::pkt::{self, Line};

/// What a server has.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Advertisement {
    /// By name.
    pub(super) refs: BTreeMap<String, Oid>,
    /// The branch that it calls its own.
    pub(super) default_branch: Option<String>,
    pub(super) capabilities: Vec<String>,
}

impl Advertisement {
    /// Reads it.
    pub(super) fn read(from: &mut dyn Read) -> Result<Self, RemoteError> {
        let mut found = Self::default();
        let mut first = true;
        loop {
            let Some(line) = pkt::read(from)? else {
                return if first {
                    Err(RemoteError::protocol("the server says nothing"))
                } else {
                    Err(RemoteError::protocol("the list of refs is cut off"))
                };
            };
            let Line::Data(data) = line else {
                found.default_branch = found.symbolic_head();
                return Ok(found);
            };
            let text = String::from_utf8(data)
                .map_err(|_| RemoteError::protocol("a ref's name is not UTF-8"))?;
            let text = text.trim_end_matches('\n');
            if let Some(message) = text.strip_prefix("ERR ") {
                return Err(RemoteError::said(message));
            }
            if first && text.starts_with("version ") {
                continue;
            }
            let (text, capabilities) = text.split_once('\0').unwrap_or((text, ""));
            if first {
                first = false;
                found.capabilities = capabilities.split(' ').map(str::to_owned).collect();
                found.require_sha1()?;
            }
            if text.starts_with("shallow ") {
                continue;
            }
            let (id, name) = text
                .split_once(' ')
                .ok_or_else(|| RemoteError::protocol("what answers is no Git server"))?;
            let id =
                Oid::from_str(id).map_err(|_| RemoteError::protocol("a ref has no object's id"))?;
            // What an annotated tag points at, and the placeholder of an empty repository, are no refs.
            if !name.ends_with("^{}") {
                found.refs.insert(name.to_owned(), id);
            }
        }
    }

    /// Whether the server can do something.
    pub(super) fn can(&self, capability: &str) -> bool {
        self.capabilities.iter().any(|known| known == capability)
    }

    fn require_sha1(&self) -> Result<(), RemoteError> {
        let format = self
            .capabilities
            .iter()
            .find_map(|capability| capability.strip_prefix("object-format="));
        match format {
            None | Some("sha1") => Ok(()),
            Some(other) => Err(RemoteError::protocol(&format!(
                "its objects are named by {other}, and only sha1 is read"
            ))),
        }
    }

    fn symbolic_head(&self) -> Option<String> {
        let said = self
            .capabilities
            .iter()
            .find_map(|capability| capability.strip_prefix("symref=HEAD:refs/heads/"));
        if let Some(branch) = said {
            return Some(branch.to_owned());
        }
        // An old server says only what HEAD is at.
        let head = self.refs.get("HEAD")?;
        let at = |branch: &&str| self.refs.get(&format!("refs/heads/{branch}")) == Some(head);
        ["main", "master"]
            .iter()
            .copied()
            .find(at)
            .map(str::to_owned)
    }
}

#[cfg(test)]
mod tests {
    use super::Advertisement;
    use crate::remote::pkt;

    fn read(lines: &[&str]) -> Result<Advertisement, crate::RemoteError> {
        let mut bytes = Vec::new();
        for line in lines {
            pkt::write(&mut bytes, line);
        }
        pkt::flush(&mut bytes);
        Advertisement::read(&mut bytes.as_slice())
    }

    const ID: &str = "0123456789012345678901234567890123456789";

    #[test]
    fn knows_refs_and_the_default_branch() {
        let said = read(&[
            &format!("{ID} HEAD\0side-band-64k symref=HEAD:refs/heads/trunk\n"),
            &format!("{ID} refs/heads/trunk\n"),
            &format!("{ID} refs/tags/v1^{{}}\n"),
        ])
        .unwrap();
        assert_eq!(said.default_branch.as_deref(), Some("trunk"));
        assert_eq!(said.refs.len(), 2);
        assert!(said.can("side-band-64k"));
        let old = read(&[
            &format!("{ID} HEAD\0\n"),
            &format!("{ID} refs/heads/master\n"),
        ])
        .unwrap();
        assert_eq!(old.default_branch.as_deref(), Some("master"));
    }

    #[test]
    fn an_empty_repository_has_no_refs() {
        let zero = "0".repeat(40);
        let said = read(&[&format!("{zero} capabilities^{{}}\0report-status\n")]).unwrap();
        assert!(said.refs.is_empty() && said.can("report-status"));
        assert!(read(&[]).unwrap().refs.is_empty());
    }

    #[test]
    fn says_what_it_can_not_read() {
        let sha256 = format!("{} HEAD\0object-format=sha256\n", "0".repeat(64));
        for (lines, words) in [
            (vec![sha256.as_str()], "sha256"),
            (vec!["ERR no such repository\n"], "no such repository"),
            (vec!["nonsense\n"], "no Git server"),
            (vec!["xyz HEAD\0\n"], "object's id"),
        ] {
            let said = read(&lines).unwrap_err().to_string();
            assert!(said.contains(words), "{said}");
        }
        assert!(Advertisement::read(&mut "".as_bytes()).is_err());
        assert!(Advertisement::read(&mut "0008ERR ".as_bytes()).is_err());
    }
}
