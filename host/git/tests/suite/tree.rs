//! Reading the files of a commit.

use crate::support::{Work, git};
use whimbrel_config::{Entry, EntryKind, SourceError, SourceTree};
use whimbrel_git::GitError;

fn entry(name: &str, kind: EntryKind, size: u64) -> Entry {
    Entry {
        name: name.to_owned(),
        kind,
        size,
    }
}

#[test]
fn gives_files_as_they_were_committed() {
    let work = Work::new();
    work.write("shop/whimbrel.yaml", "kind: Project\n");
    work.write("shop/migrations/2.sql", "SELECT 2;");
    work.write("shop/migrations/1.sql", "SELECT 1;\r\n");
    let first = work.commit("first");
    work.write("shop/migrations/1.sql", "edited");
    let tree = work.open().tree(&first, "shop/").unwrap();
    assert_eq!(tree.revision(), &first);
    assert_eq!(
        tree.entries("migrations").unwrap(),
        [
            entry("1.sql", EntryKind::File, 0),
            entry("2.sql", EntryKind::File, 0),
        ]
    );
    assert_eq!(
        tree.entries("").unwrap(),
        [
            entry("migrations", EntryKind::Folder, 0),
            entry("whimbrel.yaml", EntryKind::File, 0),
        ]
    );
    assert_eq!(tree.read("migrations/1.sql", 11).unwrap(), b"SELECT 1;\r\n");
    assert!(matches!(
        tree.read("migrations/1.sql", 10),
        Err(SourceError::TooLarge { limit: 10, .. })
    ));
}

#[test]
fn equal_content_has_equal_objects() {
    let work = Work::new();
    work.write("a/1.sql", "SELECT 1;");
    let first = work.commit("first");
    work.write("b/1.sql", "SELECT 1;");
    let second = work.commit("second");
    let repository = work.open();
    let object = |revision, prefix| repository.tree(revision, prefix).unwrap().object();
    assert_eq!(object(&first, "a"), object(&second, "b"));
    assert_ne!(object(&first, ""), object(&second, ""));
    let tree = repository.tree(&second, "").unwrap();
    assert_eq!(tree.identity("a/1.sql"), tree.identity("b/1.sql"));
    assert_eq!(tree.identity("a"), tree.identity("b"));
    assert_ne!(tree.identity("a"), tree.identity("a/1.sql"));
    assert_eq!(tree.identity("c"), None);
}

#[test]
fn symlinks_and_submodules_are_reported_and_never_followed() {
    let work = Work::new();
    work.write("real/1.sql", "SELECT 1;");
    std::os::unix::fs::symlink("real", work.path().join("link")).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", work.path().join("passwd.sql")).unwrap();
    let other = Work::new();
    other.commit("other");
    work.git(&[
        "submodule",
        "--quiet",
        "add",
        other.path().to_str().unwrap(),
        "module",
    ]);
    let revision = work.commit("first");
    let tree = work.open().tree(&revision, "").unwrap();
    let kinds: Vec<_> = tree
        .entries("")
        .unwrap()
        .into_iter()
        .map(|entry| (entry.name, entry.kind))
        .filter(|(_, kind)| matches!(kind, EntryKind::Symlink | EntryKind::Other))
        .collect();
    assert_eq!(
        kinds,
        [
            ("link".to_owned(), EntryKind::Symlink),
            ("module".to_owned(), EntryKind::Other),
            ("passwd.sql".to_owned(), EntryKind::Symlink),
        ]
    );
    for (path, link) in [("link/1.sql", "link"), ("passwd.sql", "passwd.sql")] {
        let Err(SourceError::Symlink(named)) = tree.read(path, 100) else {
            panic!("{path} was not refused as a symlink");
        };
        assert_eq!(named, link);
    }
    assert!(matches!(tree.entries("link"), Err(SourceError::Symlink(_))));
    assert!(matches!(
        tree.read("module", 100),
        Err(SourceError::Kind { .. })
    ));
}

#[test]
fn what_is_not_there_is_told_apart() {
    let work = Work::new();
    work.write("shop/1.sql", "SELECT 1;");
    let revision = work.commit("first");
    let repository = work.open();
    let tree = repository.tree(&revision, "shop").unwrap();
    for path in ["2.sql", "1.sql/2.sql", "none/2.sql"] {
        assert!(
            matches!(tree.read(path, 9), Err(SourceError::Missing(_))),
            "{path}"
        );
    }
    for path in ["../shop/1.sql", "/1.sql", "./1.sql", "a\\b"] {
        assert!(
            matches!(tree.read(path, 9), Err(SourceError::Outside(_))),
            "{path}"
        );
    }
    assert!(matches!(
        tree.entries("1.sql"),
        Err(SourceError::Kind { .. })
    ));
    for prefix in ["elsewhere", "shop/1.sql"] {
        let error = repository.tree(&revision, prefix).unwrap_err();
        assert!(matches!(error, GitError::NoFolder { .. }), "{error}");
    }
}

#[test]
fn a_name_that_is_not_utf8_is_refused() {
    use std::os::unix::ffi::OsStrExt as _;
    let work = Work::new();
    let name = std::ffi::OsStr::from_bytes(b"caf\xe9.sql");
    std::fs::write(work.path().join(name), "SELECT 1;").unwrap();
    let revision = work.commit("first");
    let tree = work.open().tree(&revision, "").unwrap();
    assert!(
        matches!(tree.entries(""), Err(SourceError::Name { name, .. }) if name == "caf\u{fffd}.sql")
    );
}

#[test]
fn a_file_whose_object_is_gone_is_missing() {
    let work = Work::new();
    work.write("1.sql", "SELECT 1;");
    let revision = work.commit("first");
    let id = work.git(&["rev-parse", "HEAD:1.sql"]);
    std::fs::remove_file(
        work.path()
            .join(".git/objects")
            .join(&id[..2])
            .join(&id[2..]),
    )
    .unwrap();
    let tree = work.open().tree(&revision, "").unwrap();
    assert!(matches!(
        tree.read("1.sql", 100),
        Err(SourceError::Missing(_))
    ));
}

#[test]
fn a_shallow_clone_says_that_it_is_shallow() {
    let work = Work::new();
    let first = work.commit("first");
    work.commit("second");
    let folder = tempfile::tempdir().unwrap();
    let url = format!("file://{}", work.path().display());
    git(
        folder.path(),
        &["clone", "--quiet", "--depth=1", &url, "clone"],
    );
    let repository = whimbrel_git::Repository::open(&folder.path().join("clone")).unwrap();
    let error = repository.tree(&first, "").unwrap_err().to_string();
    assert!(error.contains("--unshallow"), "{error}");
}

#[test]
fn everything_in_a_folder_is_named_as_each_is_by_itself() {
    let work = Work::new();
    for name in ["a", "a.sql", "a-b", "a0"] {
        work.write(
            &format!("m/{name}{}", if name == "a" { "/1" } else { "" }),
            name,
        );
    }
    let commit = work.commit("first");
    let tree = work.open().tree(&commit, "").unwrap();
    let found = tree.identified("m").unwrap();
    assert_eq!(found.len(), 4);
    for (entry, identity) in found {
        assert_eq!(
            identity,
            tree.identity(&format!("m/{}", entry.name)),
            "{}",
            entry.name
        );
        assert!(identity.is_some(), "{}", entry.name);
    }
}

/// A folder that only somebody hostile makes: whatever is known of a name must be about the same bytes.
#[test]
fn a_name_that_a_folder_has_twice_is_one() {
    let folder = tempfile::tempdir().unwrap();
    let bare = git2::Repository::init_bare(folder.path()).unwrap();
    let mut object = Vec::new();
    for text in ["SELECT 1;", "SELECT 2;"] {
        object.extend_from_slice(b"100644 same.sql\0");
        object.extend_from_slice(bare.blob(text.as_bytes()).unwrap().as_bytes());
    }
    let odb = bare.odb().unwrap();
    let root = odb.write(git2::ObjectType::Tree, &object).unwrap();
    let root = bare.find_tree(root).unwrap();
    let eve = git2::Signature::now("Eve", "eve@example.com").unwrap();
    let commit = bare.commit(None, &eve, &eve, "Twice", &root, &[]).unwrap();

    let revision = whimbrel_core::lineage::Revision::commit(commit.to_string());
    let repository = whimbrel_git::Repository::open(folder.path()).unwrap();
    let tree = repository.tree(&revision, "").unwrap();
    let identity = tree.identity("same.sql");
    let found = tree.identified("").unwrap();
    let identities: Vec<_> = found.into_iter().map(|(_, identity)| identity).collect();
    assert_eq!(identities, [identity.clone(), identity.clone()]);
    let text = tree.read("same.sql", 99).unwrap();
    let id = bare.blob(&text).unwrap().to_string();
    assert!(identity.unwrap().ends_with(&id));
}
