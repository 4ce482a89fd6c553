//! Compiled code, kept by the component's digest and wasmtime's compatibility hash.
//!
//! An entry is two files: the code, and the digest of the code. The code is mapped, so it is written aside and renamed;
//! an entry that isn't what was written is deleted and made again. The folder must be ours alone: whoever can write
//! there can run code as us.

mod load;

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use wasmtime::Engine;
use wasmtime::component::Component;
use whimbrel_core::digest::Digest;

/// The folder of compiled code.
#[derive(Clone, Debug)]
pub struct Cache {
    folder: PathBuf,
}

impl Cache {
    /// A cache in this folder, which is made if need be.
    ///
    /// # Errors
    /// It can't be made, or others can write to it.
    pub fn open(folder: &Path) -> io::Result<Self> {
        let mut builder = fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        {
            use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
            builder.mode(0o700).create(folder)?;
            if fs::metadata(folder)?.permissions().mode() & 0o022 != 0 {
                return Err(io::Error::new(
                    io::ErrorKind::PermissionDenied,
                    format!("others can write to {}", folder.display()),
                ));
            }
        }
        #[cfg(not(unix))]
        builder.create(folder)?;
        Ok(Self {
            folder: folder.to_owned(),
        })
    }

    /// Where it is.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The component's compiled code, if it was kept.
    pub fn known(&self, engine: &Engine, digest: &Digest) -> Option<Component> {
        let entry = self.entry(engine, digest);
        entry.read(engine).unwrap_or_else(|reason| {
            tracing::warn!(%digest, reason, "a bad entry of compiled code is made again");
            entry.delete();
            None
        })
    }

    /// Compiles a component, and keeps the code.
    ///
    /// # Errors
    /// It doesn't compile. Trouble with the cache is only logged.
    pub fn compile(
        &self,
        engine: &Engine,
        digest: &Digest,
        bytes: &[u8],
    ) -> wasmtime::Result<Component> {
        let component = Component::from_binary(engine, bytes)?;
        if let Err(error) = component
            .serialize()
            .map_err(io::Error::other)
            .and_then(|code| self.entry(engine, digest).write(&code))
        {
            tracing::warn!(%digest, %error, "compiled code can't be kept");
        }
        Ok(component)
    }

    fn entry(&self, engine: &Engine, digest: &Digest) -> Entry {
        let mut hasher = DefaultHasher::new();
        engine.precompile_compatibility_hash().hash(&mut hasher);
        let stem = format!("{}-{:016x}", digest.hex(), hasher.finish());
        Entry {
            code: self.folder.join(format!("{stem}.cwasm")),
            sum: self.folder.join(format!("{stem}.sum")),
        }
    }
}

struct Entry {
    code: PathBuf,
    sum: PathBuf,
}

impl Entry {
    /// The component, or none when there is no entry.
    fn read(&self, engine: &Engine) -> Result<Option<Component>, String> {
        let sum = match fs::read_to_string(&self.sum) {
            Ok(sum) => sum,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error.to_string()),
        };
        let code = fs::read(&self.code).map_err(|error| error.to_string())?;
        if sum.trim() != Digest::of(&code).to_string() {
            return Err("it isn't what was written".to_owned());
        }
        load::map(engine, &self.code)
            .map(Some)
            .map_err(|error| error.to_string())
    }

    /// Code first: an entry counts from its sum on.
    fn write(&self, code: &[u8]) -> io::Result<()> {
        replace(&self.code, code)?;
        replace(&self.sum, Digest::of(code).to_string().as_bytes())
    }

    fn delete(&self) {
        for path in [&self.sum, &self.code] {
            if let Err(error) = fs::remove_file(path)
                && error.kind() != io::ErrorKind::NotFound
            {
                tracing::warn!(path = %path.display(), %error, "can't be deleted");
            }
        }
    }
}

/// Writes a file aside and renames it, so that nobody maps half of it.
fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    static COUNTER: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
    let number = COUNTER.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let aside = path.with_extension(format!("{}-{number}.tmp", std::process::id()));
    let written = fs::File::create(&aside)
        .and_then(|mut file| file.write_all(bytes))
        .and_then(|()| fs::rename(&aside, path));
    if written.is_err() {
        let _ = fs::remove_file(&aside);
    }
    written
}
