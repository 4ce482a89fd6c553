//! A project in a repository elsewhere: how its place is written, and its mirror in the cache.

use std::fmt;
use std::path::{Path, PathBuf};

use whimbrel_core::name::EnvironmentName;
use whimbrel_git::{Access, Address, Fetched, Limits, Mirror, Repository};

use crate::ProjectError;

/// Namespaces of refs that a fetch brings anyway.
const MIRRORED: [&str; 3] = ["refs/heads/", "refs/tags/", "refs/whimbrel/"];

/// Where a project is that isn't here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteLocation {
    /// The repository.
    pub address: Address,
    /// The branch, tag, pattern of tags, commit or ref; what the environment follows, or else the default branch, if
    /// absent.
    pub reference: Option<String>,
    /// The project's folder in the repository: a path with `/`, empty for its root.
    pub prefix: String,
}

impl RemoteLocation {
    /// Reads `URL`, `URL@REF`, `URL#FOLDER` or `URL@REF#FOLDER`; none where no repository's address is meant. The `@` of
    /// `git@HOST:PATH` belongs to the address. A ref that holds a `#` is followed by another one.
    ///
    /// # Errors
    /// It is an address, and a wrong one.
    pub fn parse(text: &str) -> Result<Option<Self>, ProjectError> {
        if !Address::is_meant(text) {
            return Ok(None);
        }
        let (rest, prefix) = text.rsplit_once('#').unwrap_or((text, ""));
        // What stands before the path is the server, and an `@` in it comes after a user's name.
        let path = match rest.split_once("://") {
            Some((scheme, after)) => {
                let server = after.find('/').unwrap_or(after.len());
                scheme.len() + 3 + server
            }
            None => rest.find(':').unwrap_or(rest.len()),
        };
        let at = rest
            .get(path..)
            .and_then(|after| after.find('@'))
            .map(|at| path + at);
        let (address, reference) = match at.and_then(|at| rest.split_at_checked(at)) {
            Some((address, reference)) => (address, reference.strip_prefix('@')),
            None => (rest, None),
        };
        let prefix = prefix.trim_matches('/');
        if prefix.split('/').any(|part| matches!(part, "." | "..")) {
            return Err(ProjectError::NoFolder(PathBuf::from(prefix)));
        }
        Ok(Some(Self {
            address: Address::parse(address)?,
            reference: reference.filter(|name| !name.is_empty()).map(str::to_owned),
            prefix: prefix.to_owned(),
        }))
    }
}

impl fmt::Display for RemoteLocation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.address)?;
        if let Some(reference) = &self.reference {
            write!(formatter, "@{reference}")?;
        }
        if self.prefix.is_empty() {
            Ok(())
        } else {
            write!(formatter, "#{}", self.prefix)
        }
    }
}

/// A project's repository elsewhere, with its mirror and what opens it. A process that runs on keeps it.
#[derive(Clone)]
pub struct Remote {
    mirror: Mirror,
    access: Access,
    prefix: String,
    folder: PathBuf,
}

impl Remote {
    /// A repository, mirrored in a folder of the cache. `folder` is where relative paths of databases and secret files
    /// are counted from, because the mirror is no place for them.
    #[must_use]
    pub fn new(
        cache: &Path,
        location: &RemoteLocation,
        access: Access,
        limits: Limits,
        folder: PathBuf,
    ) -> Self {
        Self {
            mirror: Mirror::new(cache, location.address.clone(), limits),
            access,
            prefix: location.prefix.clone(),
            folder,
        }
    }

    /// The mirror.
    #[must_use]
    pub const fn mirror(&self) -> &Mirror {
        &self.mirror
    }

    /// The project's folder in the repository.
    #[must_use]
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// Where relative paths of databases and secret files are counted from.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The same with other credentials, such as after a rotation.
    #[must_use]
    pub fn with_access(mut self, access: Access) -> Self {
        self.access = access;
        self
    }

    /// Brings the mirror to what the server has, and a ref that is not mirrored (`refs/pull/7/head`, a commit's whole id).
    ///
    /// # Errors
    /// As [`Mirror::fetch`].
    pub fn fetch(&self, reference: Option<&str>) -> Result<Fetched, ProjectError> {
        let is_besides = |name: &&str| {
            let is_commit = name.len() == 40 && name.chars().all(|c| c.is_ascii_hexdigit());
            let is_ref = name.starts_with("refs/")
                && !MIRRORED.iter().any(|prefix| name.starts_with(prefix));
            is_commit || is_ref
        };
        let besides: Vec<String> = reference
            .filter(is_besides)
            .map(str::to_owned)
            .into_iter()
            .collect();
        Ok(self.mirror.fetch(&self.access, &besides)?)
    }

    /// Lets promotion records of an environment be written in the mirror, and pushes them.
    ///
    /// # Errors
    /// They can't be written, or the server doesn't take them.
    pub fn publish(
        &self,
        environment: &EnvironmentName,
        write: impl FnMut(&Repository) -> Result<(), ProjectError>,
    ) -> Result<(), ProjectError> {
        let reference = Repository::promotion_reference(environment);
        self.mirror.publish(&self.access, &reference, write)
    }
}

impl fmt::Debug for Remote {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Remote({})", self.mirror.address())
    }
}

#[cfg(test)]
mod tests {
    use super::RemoteLocation;

    #[test]
    fn an_address_ends_where_a_ref_begins() {
        for (text, address, reference, prefix) in [
            (
                "https://git.example.org/shop.git",
                "https://git.example.org/shop.git",
                None,
                "",
            ),
            (
                "https://git.example.org/shop.git@main",
                "https://git.example.org/shop.git",
                Some("main"),
                "",
            ),
            (
                "https://git.example.org/shop.git@a@b",
                "https://git.example.org/shop.git",
                Some("a@b"),
                "",
            ),
            (
                "https://git.example.org/s#services/shop/",
                "https://git.example.org/s",
                None,
                "services/shop",
            ),
            (
                "https://git.example.org/s@fix#12#",
                "https://git.example.org/s",
                Some("fix#12"),
                "",
            ),
            (
                "git@git.example.org:shop.git",
                "ssh://git@git.example.org/shop.git",
                None,
                "",
            ),
            (
                "git@git.example.org:shop.git@release/1",
                "ssh://git@git.example.org/shop.git",
                Some("release/1"),
                "",
            ),
            (
                "ssh://git@git.example.org:22/shop.git@v1",
                "ssh://git@git.example.org/shop.git",
                Some("v1"),
                "",
            ),
            (
                "file:///srv/shop.git@v*#db",
                "/srv/shop.git",
                Some("v*"),
                "db",
            ),
        ] {
            let read = RemoteLocation::parse(text).unwrap().unwrap();
            assert_eq!(read.address.to_string(), address, "{text}");
            assert_eq!(read.reference.as_deref(), reference, "{text}");
            assert_eq!(read.prefix, prefix, "{text}");
        }
        let whole = "https://git.example.org/shop.git@main#db";
        assert_eq!(
            RemoteLocation::parse(whole).unwrap().unwrap().to_string(),
            whole
        );
        assert_eq!(RemoteLocation::parse("./shop@main").unwrap(), None);
    }

    #[test]
    fn a_wrong_address_shows_no_credential() {
        for text in [
            "https://ada:hunter2@git.example.org/shop.git@main",
            "https://git.example.org/s#../x",
        ] {
            let said = RemoteLocation::parse(text).unwrap_err().to_string();
            assert!(!said.contains("hunter2"), "{said}");
        }
    }
}
