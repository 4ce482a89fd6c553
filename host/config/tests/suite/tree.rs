//! A folder as a tree: what is inside is read, and nothing else.

use std::fs;

use whimbrel_config::{EntryKind, FolderTree, SourceError, SourceTree};

fn folder() -> (tempfile::TempDir, FolderTree) {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir_all(folder.path().join("a/b")).unwrap();
    fs::write(folder.path().join("a/b/c.sql"), "SELECT 1;").unwrap();
    let tree = FolderTree::open(folder.path()).unwrap();
    (folder, tree)
}

#[test]
fn lists_and_reads() {
    let (_folder, tree) = folder();
    let root = tree.entries("").unwrap();
    assert_eq!(
        (root[0].name.as_str(), root[0].kind),
        ("a", EntryKind::Folder)
    );
    let inner = tree.entries("a/b").unwrap();
    assert_eq!(
        (inner[0].name.as_str(), inner[0].kind),
        ("c.sql", EntryKind::File)
    );
    assert_eq!(tree.read("a/b/c.sql", 9).unwrap(), b"SELECT 1;");
}

#[test]
fn says_why_not() {
    let (_folder, tree) = folder();
    let read = |path: &str| tree.read(path, 100).unwrap_err();
    for path in [
        "../x",
        "/etc/passwd",
        "a/../a/b/c.sql",
        "a//b",
        "./a",
        "a\\b",
        "C:/x",
        "a/",
    ] {
        assert!(matches!(read(path), SourceError::Outside(_)), "{path}");
    }
    for path in ["x", "a/x", "x/y/z", "a/b/c.sql/d"] {
        let error = read(path);
        let missing = matches!(error, SourceError::Missing(_));
        assert!(
            missing || matches!(error, SourceError::Kind { .. }),
            "{path}: {error}"
        );
    }
    assert!(matches!(
        read("a"),
        SourceError::Kind {
            expected: "file",
            ..
        }
    ));
    let error = tree.read("a/b/c.sql", 8).unwrap_err();
    assert_eq!(error.to_string(), "`a/b/c.sql` has more than 8 bytes");
    assert!(matches!(
        tree.entries("a/b/c.sql").unwrap_err(),
        SourceError::Kind {
            expected: "folder",
            ..
        }
    ));
    assert!(matches!(
        tree.entries("nowhere").unwrap_err(),
        SourceError::Missing(_)
    ));
    assert!(FolderTree::open("/nowhere/at/all").is_err());
}

#[cfg(unix)]
#[test]
fn no_link_is_followed_anywhere() {
    use std::os::unix::fs::symlink;
    let (folder, tree) = folder();
    let at = |path: &str| folder.path().join(path);
    symlink("c.sql", at("a/b/file.sql")).unwrap();
    symlink("b", at("a/inside")).unwrap();
    symlink("/etc", at("outside")).unwrap();
    symlink("nowhere", at("a/dangling")).unwrap();
    for path in [
        "a/b/file.sql",
        "a/inside/c.sql",
        "outside/passwd",
        "a/dangling",
    ] {
        assert!(
            matches!(tree.read(path, 100).unwrap_err(), SourceError::Symlink(_)),
            "{path}"
        );
    }
    assert!(matches!(
        tree.entries("a/inside").unwrap_err(),
        SourceError::Symlink(_)
    ));
    let kinds: Vec<_> = tree
        .entries("a")
        .unwrap()
        .into_iter()
        .map(|entry| entry.kind)
        .collect();
    assert_eq!(
        kinds
            .iter()
            .filter(|kind| **kind == EntryKind::Symlink)
            .count(),
        2
    );
}
