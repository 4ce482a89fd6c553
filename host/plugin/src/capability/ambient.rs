//! `whimbrel:ambient`: the clock, randomness, named variables and named folders, each with its grant.

use std::io;
use std::path::{Component, Path, PathBuf};
use std::time::SystemTime;

use cap_std::ambient_authority;
use cap_std::fs::Dir;
use wasmtime::{Error, Result};
use whimbrel_core::fault::{Fault, FaultClass, Retry};
use zeroize::Zeroizing;

use crate::bindings::imports::whimbrel::ambient::{clock, environment, files, random};
use crate::bindings::imports::whimbrel::types::types;
use crate::call::Level;
use crate::capability::Denied;
use crate::capability::call::instant;
use crate::grants::Need;
use crate::instance::State;

impl State {
    /// Whether this call has a capability that must be granted.
    fn granted(&self, import: &'static str, need: Need) -> std::result::Result<(), Denied> {
        self.working(import)?;
        if self.allows(need) {
            return Ok(());
        }
        Err(self.ungranted(need))
    }
}

impl clock::Host for State {
    fn now(&mut self) -> Result<u64> {
        self.granted("clock", Need::Clock).map_err(Denied::trap)?;
        Ok(instant(SystemTime::now()))
    }
}

impl random::Host for State {
    fn bytes(&mut self, count: u32) -> Result<Vec<u8>> {
        self.granted("random", Need::Random).map_err(Denied::trap)?;
        let limit = self.limits.random_bytes;
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        if count > limit {
            return Err(Denied::TooMuch(format!("more than {limit} random bytes at once")).trap());
        }
        let mut bytes = vec![0; count];
        let random = rustls::crypto::aws_lc_rs::default_provider().secure_random;
        let filled = random.fill(&mut bytes);
        filled.map_err(|_| Error::msg("the system has no randomness"))?;
        Ok(bytes)
    }
}

impl environment::Host for State {
    fn get(&mut self, name: String) -> Result<Option<String>> {
        self.granted("environment", Need::Environment)
            .map_err(Denied::trap)?;
        if !self.grants.environment.contains(&name) {
            // Who looks in several places for credentials finds nothing here, as if it weren't set.
            let hint = "a variable isn't granted: add it to the plugin's `environment` grant if it is meant";
            let fields = vec![("variable".to_owned(), name)];
            self.say(Level::Debug, hint.to_owned(), fields);
            return Ok(None);
        }
        let Some(value) = std::env::var_os(&name) else {
            return Ok(None);
        };
        let Ok(value) = value.into_string() else {
            return Err(Error::msg(format!("the variable {name} is not UTF-8")));
        };
        self.hush.hear(&value);
        if is_telling(&name) {
            self.hush.keep(value.as_bytes());
        }
        Ok(Some(value))
    }
}

/// Whether a variable is called like a secret. Others, such as the name of a region, must stay legible elsewhere.
fn is_telling(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    [
        "SECRET",
        "TOKEN",
        "PASSWORD",
        "PASSPHRASE",
        "CREDENTIAL",
        "PRIVATE",
    ]
    .iter()
    .any(|word| name.contains(word))
}

impl files::Host for State {
    async fn read(&mut self, path: String) -> Result<std::result::Result<Vec<u8>, types::Fault>> {
        if let Err(denied) = self.granted("files", Need::Files) {
            return Ok(Err(denied.fault("files.denied")));
        }
        let Some((folder, rest)) = self.folder_of(&path) else {
            let message = format!("the file {path:?} is in no folder that is granted");
            let fault = Fault::new(FaultClass::Denied, "files.denied", message).with_hint(
                "if it is meant, add its folder to the plugin's `files` grant in whimbrel.yaml",
            );
            return Ok(Err(fault.into()));
        };
        let limit = self.limits.file_bytes;
        self.meter.pause();
        let read = tokio::task::spawn_blocking(move || read(&folder, &rest, limit)).await;
        self.meter.resume();
        let read = read.unwrap_or_else(|error| Err(io::Error::other(error)));
        Ok(match read {
            Ok(mut bytes) => {
                self.hear_file(&bytes);
                Ok(std::mem::take(&mut *bytes))
            }
            Err(error) => Err(unreadable(&path, &error).into()),
        })
    }
}

impl State {
    /// The granted folder that a path is in, and the rest of the path.
    fn folder_of(&self, path: &str) -> Option<(PathBuf, PathBuf)> {
        let path = Path::new(path);
        let climbs = |part| matches!(part, Component::ParentDir);
        if path.components().any(climbs) || path.as_os_str().as_encoded_bytes().contains(&0) {
            return None;
        }
        self.grants.files.iter().find_map(|folder| {
            let rest = path.strip_prefix(&folder.name).ok()?;
            // The folder itself is no file, and is said to be none.
            Some((folder.at.clone(), Path::new(".").join(rest)))
        })
    }

    /// A line is a token; certificates are public and of many lines.
    fn hear_file(&mut self, bytes: &[u8]) {
        if let Ok(text) = std::str::from_utf8(bytes)
            && !text.trim().contains('\n')
        {
            self.hush.keep(text.as_bytes());
        }
    }
}

/// Reads a file of a folder. Links are followed as long as they stay inside: that is how Kubernetes rotates mounts.
fn read(folder: &Path, path: &Path, limit: usize) -> io::Result<Zeroizing<Vec<u8>>> {
    use io::Read as _;
    let folder = Dir::open_ambient_dir(folder, ambient_authority())?;
    // Asked before it is opened: opening a named pipe would wait for its other end.
    let metadata = folder.metadata(path)?;
    if !metadata.is_file() {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "it is no regular file",
        ));
    }
    let too_large = || {
        let reason = format!("it has more than {limit} bytes");
        io::Error::new(io::ErrorKind::FileTooLarge, reason)
    };
    let size = usize::try_from(metadata.len()).unwrap_or(usize::MAX);
    if size > limit {
        return Err(too_large());
    }
    let mut bytes = Zeroizing::new(Vec::with_capacity(size + 1));
    let file = folder.open(path)?;
    file.take(limit as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() > limit {
        return Err(too_large());
    }
    Ok(bytes)
}

fn unreadable(path: &str, error: &io::Error) -> Fault {
    let message = format!("reading {path:?}: {error}");
    match error.kind() {
        io::ErrorKind::NotFound => Fault::new(FaultClass::NotFound, "files.not-found", message),
        io::ErrorKind::PermissionDenied => Fault::new(FaultClass::Denied, "files.denied", message),
        io::ErrorKind::InvalidInput | io::ErrorKind::FileTooLarge => {
            Fault::new(FaultClass::Invalid, "files.unusable", message)
        }
        _ => Fault {
            retry: Retry::Backoff,
            ..Fault::new(FaultClass::Unavailable, "files.unreadable", message)
        },
    }
}
