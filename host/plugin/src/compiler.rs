//! Compiling apart: a compiler takes tens of megabytes, which a service would keep for as long as it lives. A process of the
//! same program that does nothing else leaves what it compiled in the cache, and its memory goes with it.

use std::ffi::OsString;
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use whimbrel_core::digest::Digest;

use crate::cache::Cache;
use crate::limits::Limits;
use crate::room::{self, Kind};

/// A program that compiles for a sandbox, with the arguments after which it is told the kind of room and the folder of the
/// cache. It reads the component from its standard input, and nothing else is handed to it: neither variables nor files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compiler {
    program: PathBuf,
    arguments: Vec<OsString>,
}

impl Compiler {
    /// Such a program.
    #[must_use]
    pub fn new(program: PathBuf, arguments: &[&str]) -> Self {
        Self {
            program,
            arguments: arguments.iter().map(OsString::from).collect(),
        }
    }

    /// Has a component compiled into a cache. Whoever asked looks there, and compiles it where it isn't there.
    pub(crate) fn compile(&self, kind: Kind, folder: &Path, bytes: &[u8]) -> io::Result<()> {
        let mut child = Command::new(&self.program)
            .args(&self.arguments)
            .arg(kind.as_str())
            .arg(folder)
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let written = match child.stdin.take() {
            Some(mut input) => input.write_all(bytes),
            None => Ok(()),
        };
        // Waited for also where it took less than all.
        let status = child.wait()?;
        written?;
        if status.success() {
            return Ok(());
        }
        Err(io::Error::other(format!("the compiler ended: {status}")))
    }
}

/// What such a program does: compiles the component that it is given into a cache.
///
/// # Errors
/// It is no component, or the cache can't be used.
pub fn compile(kind: &str, folder: &Path, component: impl io::Read) -> io::Result<()> {
    let limits = Limits::default();
    let kind: Kind = kind.parse().map_err(io::Error::other)?;
    let most = limits.component_bytes as u64;
    let mut bytes = Vec::new();
    component.take(most + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most {
        return Err(io::Error::other("it is too large for a component"));
    }
    let engine = room::engine(kind, &limits).map_err(io::Error::other)?;
    let cache = Cache::open(folder)?;
    let compiled = cache.compile(&engine, &Digest::of(&bytes), &bytes);
    compiled.map(drop).map_err(io::Error::other)
}
