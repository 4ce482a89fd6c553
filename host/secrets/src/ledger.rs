//! Which leases this process holds, noted in a file before they are used: who is killed leaves word of them also where
//! nothing could be written into a target, because it only looked, or waited for the lock.
//!
//! A file for each process, locked while the process lives, so that one without a lock was left by who is gone. It holds
//! names and no secrets, and only its owner may read it. The kernel keeps it when the process is killed; a machine that
//! loses its power may lose the last lines, and leases end by themselves.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use uuid::Uuid;
use whimbrel_core::digest::Digest;
use whimbrel_core::environment::SecretBackend;

use crate::lease::RecordedLease;

/// How the name of a file ends.
const ENDING: &str = "leases";

/// The leases of this process, of all its environments. Clones share them.
#[derive(Clone)]
pub struct Ledger(Arc<Mutex<Book>>);

struct Book {
    folder: PathBuf,
    /// Made with the first lease, removed with the last.
    file: Option<(PathBuf, File)>,
    lines: BTreeSet<Line>,
    /// That nothing can be noted is told once.
    is_told: bool,
}

/// A lease, and whose it is: another environment can't end it, nor the same one with another store of that name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Line {
    environment: String,
    configuration: String,
    #[serde(flatten)]
    record: RecordedLease,
}

impl Ledger {
    /// A ledger in a folder, which is made when something is to be noted.
    #[must_use]
    pub fn new(folder: PathBuf) -> Self {
        Self(Arc::new(Mutex::new(Book {
            folder,
            file: None,
            lines: BTreeSet::new(),
            is_told: false,
        })))
    }

    /// The pages of one environment and its backends.
    #[must_use]
    pub fn of(&self, environment: &str, backends: &BTreeMap<String, SecretBackend>) -> Pages {
        let digest = |backend| Digest::of(&serde_json::to_vec(backend).unwrap_or_default()).hex();
        Pages {
            ledger: self.clone(),
            environment: environment.to_owned(),
            configurations: backends
                .iter()
                .map(|(name, backend)| (name.clone(), digest(backend)))
                .collect(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Book> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What one environment notes.
#[derive(Clone)]
pub struct Pages {
    ledger: Ledger,
    environment: String,
    /// What tells stores of one name apart.
    configurations: BTreeMap<String, String>,
}

impl Pages {
    /// Notes a lease that is held from now on.
    pub(crate) fn note(&self, record: &RecordedLease) {
        if let Some(line) = self.line(record) {
            self.ledger.lock().change(|lines| lines.insert(line));
        }
    }

    /// Strikes out a lease that is over.
    pub(crate) fn strike(&self, record: &RecordedLease) {
        if let Some(line) = self.line(record) {
            self.ledger.lock().change(|lines| lines.remove(&line));
        }
    }

    /// What processes that are gone left of this environment. Nobody else gets it while this is held.
    pub(crate) fn left(&self) -> Vec<Left> {
        let (folder, own) = {
            let book = self.ledger.lock();
            let own = book.file.as_ref().map(|(path, _)| path.clone());
            (book.folder.clone(), own)
        };
        let entries = folder.read_dir().into_iter().flatten().flatten();
        entries
            .map(|entry| entry.path())
            .filter(|path| path.extension().is_some_and(|ending| ending == ENDING))
            .filter(|path| Some(path) != own.as_ref())
            .filter_map(|path| Left::take(path, self))
            .collect()
    }

    /// None for a backend that this environment doesn't configure: those that are built in lend nothing.
    fn line(&self, record: &RecordedLease) -> Option<Line> {
        let configuration = self.configurations.get(&record.backend)?;
        Some(Line {
            environment: self.environment.clone(),
            configuration: configuration.clone(),
            record: record.clone(),
        })
    }
}

/// A file that a process left which is gone; locked.
pub(crate) struct Left {
    path: PathBuf,
    file: File,
    others: BTreeSet<Line>,
    own: BTreeSet<Line>,
}

impl Left {
    fn take(path: PathBuf, pages: &Pages) -> Option<Self> {
        let mut file = OpenOptions::new().read(true).write(true).open(&path).ok()?;
        // Locked by who lives, or by another that looks after it just now.
        file.try_lock().ok()?;
        let mut text = String::new();
        file.read_to_string(&mut text).ok()?;
        // Half a line is no name.
        let lines = text
            .lines()
            .filter_map(|line| serde_json::from_str(line).ok());
        let (own, others) =
            lines.partition(|line: &Line| pages.line(&line.record).as_ref() == Some(line));
        Some(Self {
            path,
            file,
            others,
            own,
        })
    }

    /// The leases of this environment.
    pub(crate) fn records(&self) -> Vec<RecordedLease> {
        self.own.iter().map(|line| line.record.clone()).collect()
    }

    /// Keeps only what others left, and what couldn't be ended now.
    pub(crate) fn keep(mut self, failed: &[&RecordedLease]) {
        let still = self.own.into_iter();
        let still = still.filter(|line| failed.contains(&&line.record));
        self.others.extend(still);
        // What can't be written is ended once more by the next.
        let _ = if self.others.is_empty() {
            std::fs::remove_file(&self.path)
        } else {
            write(&mut self.file, &self.others)
        };
    }
}

impl Book {
    fn change(&mut self, change: impl FnOnce(&mut BTreeSet<Line>) -> bool) {
        if !change(&mut self.lines) {
            return;
        }
        if let Err(error) = self.write()
            && !std::mem::replace(&mut self.is_told, true)
        {
            tracing::warn!(
                folder = %self.folder.display(),
                "leases can't be noted, and what is lent to a killed process holds until its time is over: {error}"
            );
        }
    }

    fn write(&mut self) -> io::Result<()> {
        if self.lines.is_empty() {
            return match self.file.take() {
                Some((path, _)) => std::fs::remove_file(path),
                None => Ok(()),
            };
        }
        if self.file.is_none() {
            self.file = Some(begin(&self.folder)?);
        }
        match &mut self.file {
            Some((_, file)) => write(file, &self.lines),
            None => Ok(()),
        }
    }
}

/// A new file, locked before anybody finds it.
fn begin(folder: &Path) -> io::Result<(PathBuf, File)> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    let mut options = OpenOptions::new();
    options.read(true).write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
        builder.mode(0o700);
        options.mode(0o600);
    }
    builder.create(folder)?;
    let name = Uuid::new_v4();
    let hidden = folder.join(format!("{name}.new"));
    let file = options.open(&hidden)?;
    file.lock()?;
    let path = folder.join(format!("{name}.{ENDING}"));
    std::fs::rename(&hidden, &path)?;
    Ok((path, file))
}

/// Writes all lines at once. What is left behind of a longer text is cut off after it, so that no kill loses a line.
fn write(file: &mut File, lines: &BTreeSet<Line>) -> io::Result<()> {
    let mut text = Vec::new();
    for line in lines {
        serde_json::to_writer(&mut text, line)?;
        text.push(b'\n');
    }
    file.rewind()?;
    file.write_all(&text)?;
    file.set_len(u64::try_from(text.len()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::json;

    use super::{Ledger, Pages};
    use crate::lease::RecordedLease;

    fn pages(ledger: &Ledger, environment: &str, address: &str) -> Pages {
        let backend = json!({ "plugin": "vault", "with": { "address": address } });
        let backends =
            BTreeMap::from([("store".to_owned(), serde_json::from_value(backend).unwrap())]);
        ledger.of(environment, &backends)
    }

    fn record(lease: &str) -> RecordedLease {
        RecordedLease {
            backend: "store".to_owned(),
            lease: lease.to_owned(),
        }
    }

    fn found(pages: &Pages) -> Vec<String> {
        let left = pages.left();
        let records = left.iter().flat_map(super::Left::records);
        records.map(|record| record.lease).collect()
    }

    #[test]
    fn what_is_left_is_found_by_the_environment_that_it_is_of() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("state/leases");
        let gone = Ledger::new(folder.clone());
        let ours = pages(&gone, "dev", "https://a");
        for lease in ["one", "two", "three"] {
            ours.note(&record(lease));
        }
        ours.strike(&record("two"));
        ours.note(&RecordedLease {
            backend: "env".to_owned(),
            lease: "x".to_owned(),
        });
        pages(&gone, "production", "https://b").note(&record("four"));
        let next = Ledger::new(folder.clone());
        let dev = pages(&next, "dev", "https://a");
        assert!(found(&dev).is_empty(), "its owner lives");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode =
                |path: &std::path::Path| path.metadata().unwrap().permissions().mode() & 0o777;
            let file = folder.read_dir().unwrap().next().unwrap().unwrap().path();
            assert_eq!((mode(&folder), mode(&file)), (0o700, 0o600));
        }
        drop(ours);
        drop(gone);
        assert_eq!(found(&dev), ["one", "three"]);
        assert!(
            found(&pages(&next, "dev", "https://b")).is_empty(),
            "another store"
        );
        assert_eq!(found(&pages(&next, "production", "https://b")), ["four"]);
        let left = dev.left().pop().unwrap();
        assert!(dev.left().is_empty(), "somebody looks after it");
        left.keep(&[&record("three")]);
        assert_eq!(found(&dev), ["three"]);
        dev.left().pop().unwrap().keep(&[]);
        let production = pages(&next, "production", "https://b");
        production.left().pop().unwrap().keep(&[]);
        assert_eq!(folder.read_dir().unwrap().count(), 0);
    }

    #[test]
    fn who_holds_nothing_leaves_no_file() {
        let folder = tempfile::tempdir().unwrap();
        let ledger = Ledger::new(folder.path().to_owned());
        let pages = pages(&ledger, "dev", "https://a");
        let files = || folder.path().read_dir().unwrap().count();
        pages.note(&record("one"));
        assert_eq!(files(), 1);
        pages.strike(&record("one"));
        pages.strike(&record("one"));
        assert_eq!(files(), 0);
        pages.note(&record("two"));
        assert_eq!(files(), 1);
    }
}
