//! Finds PostgreSQL's programs, and who may run them.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where the programs are.
#[derive(Debug)]
pub(crate) struct Programs {
    pub(crate) postgres: PathBuf,
    pub(crate) initdb: PathBuf,
    pub(crate) psql: PathBuf,
    /// Who runs the server in root's place: root may not.
    pub(crate) owner: Option<&'static str>,
}

impl Programs {
    pub(crate) fn find() -> Self {
        Self {
            postgres: program("postgres"),
            initdb: program("initdb"),
            psql: program("psql"),
            owner: if is_root() { Some(owner()) } else { None },
        }
    }

    /// A command line that runs a program as the server's owner.
    pub(crate) fn as_owner(&self, program: &Path) -> Vec<OsString> {
        let mut line: Vec<OsString> = Vec::new();
        if let Some(owner) = self.owner {
            line.extend(["setpriv", "--reuid", owner, "--regid"].map(OsString::from));
            line.push(group(owner).into());
            line.push("--clear-groups".into());
        }
        line.push(program.into());
        line
    }
}

/// `WHIMBREL_POSTGRES_BIN`, the path, then Debian's folders, newest version first.
fn program(name: &str) -> PathBuf {
    let named = env::var_os("WHIMBREL_POSTGRES_BIN")
        .map(PathBuf::from)
        .into_iter();
    let path = env::var_os("PATH").unwrap_or_default();
    let mut versions: Vec<(u32, PathBuf)> = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .filter_map(|entry| {
            let entry = entry.ok()?;
            Some((
                entry.file_name().to_str()?.parse().ok()?,
                entry.path().join("bin"),
            ))
        })
        .collect();
    versions.sort();
    let debian = versions.into_iter().rev().map(|(_, folder)| folder);
    let mut folders = named.chain(env::split_paths(&path)).chain(debian);
    let found =
        folders.find_map(|folder| Some(folder.join(name)).filter(|program| program.is_file()));
    // A link on the path points into the folder where the program finds its libraries.
    let found = found.and_then(|program| {
        fs::canonicalize(&program)
            .ok()
            .filter(|_| name != "psql")
            .or(Some(program))
    });
    found.unwrap_or_else(|| panic!("`{name}` was found neither on PATH nor in /usr/lib/postgresql/*/bin; install PostgreSQL"))
}

fn is_root() -> bool {
    id(&["-u"]).as_deref() == Some("0")
}

fn owner() -> &'static str {
    if id(&["-u", "postgres"]).is_some() {
        "postgres"
    } else {
        "nobody"
    }
}

fn group(user: &str) -> String {
    id(&["-g", user]).unwrap_or_else(|| panic!("{user} has no group"))
}

fn id(arguments: &[&str]) -> Option<String> {
    let output = Command::new("id")
        .args(arguments)
        .output()
        .ok()
        .filter(|output| output.status.success())?;
    Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
