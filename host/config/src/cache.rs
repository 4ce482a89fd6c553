//! Migrations that were read before and are the same files still. A process that reads one commit after another parses
//! only what a commit changed.
//!
//! Only what is right is kept. As soon as something is wrong with a tree, all of it is read without this, so that what
//! is said about it is said in one way.

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use whimbrel_core::checksum::Checksum;
use whimbrel_core::definition::Migration;
use whimbrel_core::order;

use crate::files::{Files, join};
use crate::limits;
use crate::load::{Control, LoadOptions, Migrations, Notice};
use crate::migrations::{self, Found};
use crate::parallel::each;
use crate::references::Known;
use crate::tree::{Entry, Identified, SourceTree};

/// Migrations by what their files hold. Clones share it, and so may all environments of a process.
#[derive(Clone, Debug)]
pub struct DefinitionCache(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    /// The most bytes of one tree. What was read before counts, though nobody reads it again.
    tree_size: u64,
    kept: Mutex<Kept>,
    /// Held by who parses. It does so on all processors, and a dozen environments that begin together want the same.
    parsing: Mutex<()>,
    parsed: AtomicU64,
}

#[derive(Debug, Default)]
struct Kept {
    /// Counts the trees that were read.
    now: u64,
    /// Everything that migrations were held against, each with a number, which is all that a key needs.
    surroundings: HashMap<String, u64>,
    /// The last such number.
    numbers: u64,
    entries: HashMap<Key, (Arc<Parsed>, u64)>,
}

/// What decides how an entry of the folder is read.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Key {
    /// The number of what migrations are held against: project, environments, and what the program adds.
    surroundings: u64,
    path: String,
    /// Names the bytes of the file, or of the whole folder.
    identity: String,
}

/// An entry that nothing is wrong with.
#[derive(Debug)]
struct Parsed {
    migration: Option<(Arc<Migration>, Checksum)>,
    notices: Vec<Notice>,
    /// Files that it names, each with what names its bytes.
    named: Vec<(String, Option<String>)>,
    bytes: u64,
}

impl Default for DefinitionCache {
    fn default() -> Self {
        Self::within(limits::TREE_SIZE)
    }
}

impl DefinitionCache {
    /// One whose trees have at most so many bytes.
    fn within(tree_size: u64) -> Self {
        Self(Arc::new(Shared {
            tree_size,
            kept: Mutex::default(),
            parsing: Mutex::default(),
            parsed: AtomicU64::default(),
        }))
    }

    /// How many entries of a folder of migrations were parsed since the process began, because they were new.
    #[must_use]
    pub fn parsed(&self) -> u64 {
        self.0.parsed.load(Ordering::Relaxed)
    }

    /// How many entries are kept.
    #[must_use]
    pub fn len(&self) -> usize {
        self.kept().entries.len()
    }

    /// Whether nothing is kept.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The migrations of a tree; none where they must be read without this.
    pub(crate) fn migrations(
        &self,
        tree: &dyn SourceTree,
        control: &Control,
        options: &LoadOptions,
    ) -> Option<Migrations> {
        let folder = control.project.migrations.as_str();
        // A tree whose files have no identity, such as a folder.
        tree.identity(folder)?;
        let files = Files::new(tree);
        let known = Known::new(&control.project, &control.environments, options);
        let reading = Reading {
            cache: self,
            tree,
            files: &files,
            folder,
            known: &known,
            surroundings: self.surroundings(control, options),
            now: self.begin(),
        };
        let entries = files.identified(folder).ok()??;
        if entries.len() > limits::FILES {
            return None;
        }
        let (plain, others): (Vec<_>, Vec<_>) = entries
            .iter()
            .partition(|(entry, _)| migrations::is_plain(entry));
        let others = reading.all(&others)?;
        let named: BTreeSet<_> = others
            .iter()
            .flat_map(|parsed| &parsed.named)
            .map(|(path, _)| path)
            .collect();
        let plain: Vec<_> = plain
            .into_iter()
            .filter(|(entry, _)| !named.contains(&join(folder, &entry.name)))
            .collect();
        let plain = reading.all(&plain)?;
        let all: Vec<Arc<Parsed>> = others.iter().chain(&plain).cloned().collect();
        if all.iter().map(|parsed| parsed.bytes).sum::<u64>() > self.0.tree_size {
            return None;
        }
        self.end(reading.now);
        together(&all)
    }

    fn surroundings(&self, control: &Control, options: &LoadOptions) -> u64 {
        // Everything that a migration is held against, in a form that differs whenever it does.
        let text = format!("{:?}{:?}{options:?}", control.project, control.environments);
        let mut kept = self.kept();
        if kept.surroundings.len() >= limits::CACHED_SURROUNDINGS {
            kept.surroundings.clear();
            kept.entries.clear();
        }
        if let Some(number) = kept.surroundings.get(&text) {
            return *number;
        }
        kept.numbers += 1;
        let number = kept.numbers;
        kept.surroundings.insert(text, number);
        number
    }

    fn begin(&self) -> u64 {
        let mut kept = self.kept();
        kept.now += 1;
        kept.now
    }

    /// Forgets what was used longest ago, if there is too much.
    fn end(&self, now: u64) {
        let mut kept = self.kept();
        let mut oldest = now.saturating_sub(limits::CACHED_TREES);
        while kept.entries.len() > limits::CACHED && oldest < now {
            kept.entries.retain(|_, (_, used)| *used > oldest);
            oldest += 1;
        }
    }
}

/// The reading of one tree.
struct Reading<'a> {
    cache: &'a DefinitionCache,
    tree: &'a dyn SourceTree,
    files: &'a Files<'a>,
    folder: &'a str,
    known: &'a Known<'a>,
    surroundings: u64,
    now: u64,
}

impl Reading<'_> {
    /// Entries, parsed now or earlier; none when something is wrong with one. What is known is looked for in one go: of ten
    /// thousand it is all but one.
    fn all(&self, entries: &[&Identified]) -> Option<Vec<Arc<Parsed>>> {
        let key = |(entry, identity): &Identified| {
            Some(Key {
                surroundings: self.surroundings,
                path: join(self.folder, &entry.name),
                identity: identity.clone()?,
            })
        };
        let keys: Vec<Key> = entries.iter().map(|of| key(of)).collect::<Option<_>>()?;
        let mut known = self.known(&keys);
        if known.iter().all(Option::is_some) {
            return known.into_iter().collect();
        }
        let parsing = &self.cache.0.parsing;
        let _turn = parsing.lock().unwrap_or_else(PoisonError::into_inner);
        // Whoever had the turn before may have parsed them.
        known = self.known(&keys);
        let both = entries.iter().zip(&keys).zip(&known);
        let missing: Vec<_> = both
            .filter(|(_, known)| known.is_none())
            .map(|((of, key), _)| (&of.0, key))
            .collect();
        let parsed = each(&missing, |(entry, key)| self.parsed(entry, key));
        let mut parsed = parsed.into_iter();
        let known = known.into_iter();
        known
            .map(|known| known.or_else(|| parsed.next().flatten()))
            .collect()
    }

    /// What was parsed earlier, where the files that it names are the same still.
    fn known(&self, keys: &[Key]) -> Vec<Option<Arc<Parsed>>> {
        let mut kept = self.cache.kept();
        let found = keys.iter().map(|key| {
            let (parsed, used) = kept.entries.get_mut(key)?;
            *used = self.now;
            Some(Arc::clone(parsed))
        });
        let found: Vec<_> = found.collect();
        drop(kept);
        let is_same =
            |(path, identity): &(String, Option<String>)| self.tree.identity(path) == *identity;
        let is_known = |parsed: &Arc<Parsed>| parsed.named.iter().all(is_same);
        let found = found.into_iter();
        found.map(|parsed| parsed.filter(is_known)).collect()
    }

    /// An entry, parsed now; none when something is wrong with it.
    fn parsed(&self, entry: &Entry, key: &Key) -> Option<Arc<Parsed>> {
        let Found {
            read,
            named,
            problems,
            notices,
        } = if migrations::is_plain(entry) {
            migrations::plain(self.files, &key.path, self.known)
        } else {
            migrations::entry(self.files, self.folder, entry, self.known)
        };
        if !problems.is_empty() {
            return None;
        }
        self.cache.0.parsed.fetch_add(1, Ordering::Relaxed);
        let (migration, bytes) = match read {
            Some(read) => {
                let texts = read.texts.iter().filter_map(|text| text.file.as_ref());
                let bytes = read.document.source.text.len()
                    + texts.map(|file| file.text.len()).sum::<usize>();
                (
                    Some((Arc::new(read.migration), read.checksum?)),
                    bytes as u64,
                )
            }
            None => (None, 0),
        };
        let named = named
            .into_iter()
            .map(|path| {
                let identity = self.tree.identity(&path);
                (path, identity)
            })
            .collect();
        let parsed = Arc::new(Parsed {
            migration,
            notices,
            named,
            bytes,
        });
        self.cache
            .kept()
            .entries
            .insert(key.clone(), (Arc::clone(&parsed), self.now));
        Some(parsed)
    }
}

fn together(all: &[Arc<Parsed>]) -> Option<Migrations> {
    let mut found: Vec<_> = all
        .iter()
        .filter_map(|parsed| parsed.migration.as_ref())
        .collect();
    found.sort_by(|a, b| a.0.name.cmp(&b.0.name));
    let twice = found
        .windows(2)
        .any(|pair| matches!(pair, [(a, _), (b, _)] if a.name == b.name));
    let (migrations, checksums): (Vec<_>, Vec<_>) = found.into_iter().cloned().unzip();
    if twice || !order::problems(&migrations).is_empty() {
        return None;
    }
    Some(Migrations {
        migrations,
        checksums,
        notices: all
            .iter()
            .flat_map(|parsed| parsed.notices.iter().cloned())
            .collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::DefinitionCache;
    use crate::load::{LoadOptions, load_control};
    use crate::written::WrittenTree;

    const PROJECT: &str = "apiVersion: whimbrel.dev/v1alpha1\nkind: Project\nmetadata: { name: shop }\nspec:\n  defaults: { database: shop }\n";

    const ENVIRONMENT: &str = "apiVersion: whimbrel.dev/v1alpha1\nkind: Environment\nmetadata: { name: dev }\nspec:\n  databases:\n    shop: { url: \"sqlite:shop.db\" }\n";

    const MIGRATION: &str = "-- whimbrel:up\nSELECT 1;\n";

    fn tree(migrations: u8) -> WrittenTree {
        let migrations =
            (0..migrations).map(|number| (format!("migrations/{number:04}-one.sql"), MIGRATION));
        let control = [
            ("whimbrel.yaml", PROJECT),
            ("environments/dev.yaml", ENVIRONMENT),
        ];
        let control = control.map(|(path, text)| (path.to_owned(), text));
        migrations.chain(control).collect()
    }

    #[test]
    fn what_was_read_before_counts_for_the_size_of_a_tree() {
        let cache = DefinitionCache::within(2 * MIGRATION.len() as u64);
        let read = |migrations| {
            let tree = tree(migrations);
            let control = load_control(&tree, &LoadOptions::default()).unwrap();
            cache.migrations(&tree, &control, &LoadOptions::default())
        };
        for migrations in [1, 2] {
            let read = read(migrations).unwrap();
            assert_eq!(read.migrations.len(), usize::from(migrations));
        }
        // Each tree reads one file that is new, which by itself is small enough.
        assert!(read(3).is_none());
        assert_eq!(cache.parsed(), 3);
        assert!(read(2).is_some());
    }
}
