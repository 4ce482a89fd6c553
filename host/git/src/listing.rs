//! The folders of a repository as they were listed. Git's own cache leaves large ones out, and each file of a folder asks
//! for its folder.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use git2::Oid;

/// The folders of a repository that were listed, whoever reads them.
pub(crate) type Folders = Mutex<HashMap<Oid, Arc<Listing>>>;

/// What is in a folder, by name.
#[derive(Debug)]
pub(crate) struct Listing {
    /// All names, one after the other: ten thousand of them are no ten thousand pieces of memory.
    names: String,
    slots: Vec<Slot>,
    /// The first name that isn't UTF-8, as far as it can be read: it can't be asked for.
    unreadable: Option<String>,
}

/// Where a name is, and what has it.
#[derive(Debug)]
struct Slot {
    begin: usize,
    end: usize,
    id: Oid,
    mode: i32,
}

impl Listing {
    /// Lists a folder.
    pub(crate) fn of(tree: &git2::Tree<'_>) -> Self {
        let mut listing = Self {
            names: String::new(),
            slots: Vec::with_capacity(tree.len()),
            unreadable: None,
        };
        for entry in tree {
            match entry.name() {
                Ok(name) => {
                    let begin = listing.names.len();
                    listing.names.push_str(name);
                    listing.slots.push(Slot {
                        begin,
                        end: listing.names.len(),
                        id: entry.id(),
                        mode: entry.filemode(),
                    });
                }
                Err(_) if listing.unreadable.is_none() => {
                    let name = String::from_utf8_lossy(entry.name_bytes());
                    listing.unreadable = Some(name.into_owned());
                }
                Err(_) => {}
            }
        }
        let names = &listing.names;
        // Git's own order has folders as if a slash ended their names.
        listing
            .slots
            .sort_by(|one, other| one.name(names).cmp(other.name(names)));
        // Whoever asks for a name that a hostile folder has twice gets the same, in whatever way.
        let is_same = |one: &Slot, other: &Slot| one.name(names) == other.name(names);
        for same in listing.slots.chunk_by_mut(is_same) {
            if let [first, others @ ..] = same {
                for other in others {
                    (other.id, other.mode) = (first.id, first.mode);
                }
            }
        }
        listing
    }

    /// The object of a name, with its mode.
    pub(crate) fn get(&self, name: &str) -> Option<(Oid, i32)> {
        let found = self
            .slots
            .binary_search_by(|slot| slot.name(&self.names).cmp(name));
        let slot = self.slots.get(found.ok()?)?;
        Some((slot.id, slot.mode))
    }

    /// Everything in it, by name.
    pub(crate) fn iter(&self) -> impl ExactSizeIterator<Item = (&str, Oid, i32)> {
        let slots = self.slots.iter();
        slots.map(|slot| (slot.name(&self.names), slot.id, slot.mode))
    }

    /// A name in it that isn't UTF-8, if there is one.
    pub(crate) fn unreadable(&self) -> Option<&str> {
        self.unreadable.as_deref()
    }
}

impl Slot {
    fn name<'a>(&self, names: &'a str) -> &'a str {
        names.get(self.begin..self.end).unwrap_or_default()
    }
}
