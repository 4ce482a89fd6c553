//! The backend `file`: files of this machine, as container platforms mount secrets.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use whimbrel_core::environment::SecretReference;
use whimbrel_core::fault::{Fault, FaultClass};
use zeroize::Zeroizing;

use crate::field::refuse_version;
use crate::{Backend, Secret, Shape};

/// The largest secret file, in bytes: the bound that Kubernetes has for a whole Secret.
const MAXIMUM_SIZE: u64 = 1 << 20;

/// Files. A reference's path is absolute, or counted from the project's folder. Symlinks are followed, because that is
/// how Kubernetes mounts and rotates secrets.
#[derive(Clone, Debug)]
pub struct Files {
    base: PathBuf,
}

impl Files {
    /// Files with relative paths counted from a folder.
    #[must_use]
    pub fn new(base: impl Into<PathBuf>) -> Self {
        Self { base: base.into() }
    }
}

#[async_trait]
impl Backend for Files {
    fn describe(&self) -> String {
        format!("files, relative ones from {}", self.base.display())
    }

    async fn read(&self, reference: &SecretReference) -> Result<Secret, Fault> {
        refuse_version(reference, "file.no-versions")?;
        let path = self.base.join(&reference.path);
        let shown = path.display().to_string();
        let read = tokio::task::spawn_blocking(move || read(&path)).await;
        let read = read.unwrap_or_else(|error| Err(io::Error::other(error)));
        match read {
            Ok(Content::Bytes(bytes)) => Ok(Secret::of_value(bytes)),
            Ok(Content::Unusable(problem)) => {
                Err(Fault::new(FaultClass::Invalid, "file.unusable", problem))
            }
            Err(error) => Err(fault(&error, &shown)),
        }
    }

    async fn shape(&self, reference: &SecretReference) -> Result<Shape, Fault> {
        Ok(Shape::of(&self.read(reference).await?))
    }
}

fn fault(error: &io::Error, path: &str) -> Fault {
    match error.kind() {
        io::ErrorKind::NotFound => Fault::new(
            FaultClass::NotFound,
            "file.not-found",
            format!("there is no file {path}"),
        ),
        io::ErrorKind::PermissionDenied => Fault::new(
            FaultClass::Denied,
            "file.denied",
            format!("{path} can't be read: {error}"),
        )
        .with_hint("let the user that runs whimbrel read it"),
        _ => Fault::new(
            FaultClass::Invalid,
            "file.unreadable",
            format!("{path} can't be read: {error}"),
        ),
    }
}

enum Content {
    Bytes(Zeroizing<Vec<u8>>),
    Unusable(&'static str),
}

fn read(path: &Path) -> io::Result<Content> {
    // Asked before it is opened: opening a named pipe would wait for its other end.
    let metadata = std::fs::metadata(path)?;
    if !metadata.is_file() {
        return Ok(Content::Unusable("it is no regular file"));
    }
    // Room for everything from the start, so that growing leaves no copies behind.
    let size = metadata.len().min(MAXIMUM_SIZE);
    let mut bytes = Zeroizing::new(Vec::with_capacity(
        usize::try_from(size).unwrap_or_default() + 1,
    ));
    File::open(path)?
        .take(MAXIMUM_SIZE + 1)
        .read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAXIMUM_SIZE {
        return Ok(Content::Unusable("it is larger than 1 MiB"));
    }
    Ok(Content::Bytes(bytes))
}
