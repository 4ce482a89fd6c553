//! Finding repositories, naming revisions, and telling whether the work tree differs.

use crate::support::{Work, git};
use whimbrel_config::SourceTree;
use whimbrel_core::lineage::Revision;
use whimbrel_git::{GitError, Repository};

#[test]
fn is_found_from_any_folder_inside() {
    let work = Work::new();
    work.write("shop/migrations/1.sql", "SELECT 1;");
    let inside = work.path().join("shop/migrations");
    let repository = Repository::discover(&inside).unwrap().unwrap();
    assert_eq!(repository.prefix(&inside).unwrap(), "shop/migrations");
    assert_eq!(repository.prefix(work.path()).unwrap(), "");
    assert!(repository.directory().ends_with(".git"));
    assert_eq!(
        repository.work_tree().unwrap().canonicalize().unwrap(),
        work.path().canonicalize().unwrap()
    );
    assert!(format!("{repository:?}").starts_with("Repository("));
}

#[test]
fn none_is_found_where_there_is_none() {
    let folder = tempfile::tempdir().unwrap();
    assert!(Repository::discover(folder.path()).unwrap().is_none());
    assert!(Repository::open(folder.path()).is_err());
}

#[test]
fn a_folder_outside_has_no_prefix() {
    let work = Work::new();
    let elsewhere = tempfile::tempdir().unwrap();
    let error = work.open().prefix(elsewhere.path()).unwrap_err();
    assert!(matches!(error, GitError::Outside { .. }), "{error}");
}

#[test]
fn branches_tags_ids_and_expressions_are_resolved() {
    let work = Work::new();
    assert_eq!(work.open().head().unwrap(), None);
    let first = work.commit("first");
    work.git(&["tag", "-a", "-m", "a tag", "v1"]);
    let second = work.commit("second");
    let repository = work.open();
    for (reference, expected) in [
        ("main", &second),
        ("HEAD", &second),
        ("HEAD~1", &first),
        ("v1", &first),
        (&first.commit[..10], &first),
    ] {
        assert_eq!(
            &repository.resolve(reference).unwrap(),
            expected,
            "{reference}"
        );
    }
    assert_eq!(repository.head().unwrap(), Some(second));
    assert_eq!(repository.branch().as_deref(), Some("main"));
    work.git(&["checkout", "--quiet", "--detach"]);
    assert_eq!(repository.branch(), None);
    assert!(!repository.is_shallow());
}

#[test]
fn an_unknown_or_ambiguous_reference_says_so() {
    let work = Work::new();
    work.commit("first");
    let repository = work.open();
    let error = repository.resolve("production").unwrap_err().to_string();
    assert!(
        error.starts_with("no branch, tag or commit called `production`"),
        "{error}"
    );
    // Enough commits for two ids that begin with the same digit. Four digits is the least that Git takes, so ask for
    // a prefix that two of many objects share.
    for number in 0..400 {
        work.write("file", &number.to_string());
        work.git(&["hash-object", "-w", "file"]);
    }
    let objects = work.git(&[
        "cat-file",
        "--batch-all-objects",
        "--batch-check=%(objectname)",
    ]);
    let mut prefixes: Vec<_> = objects.lines().map(|id| &id[..4]).collect();
    prefixes.sort_unstable();
    if let Some(twice) = prefixes.windows(2).find(|pair| pair[0] == pair[1]) {
        let error = repository.resolve(twice[0]).unwrap_err();
        assert!(matches!(error, GitError::Ambiguous(_)), "{error}");
    }
}

#[test]
fn a_branch_that_only_origin_has_is_found_there() {
    let origin = Work::new();
    origin.commit("first");
    origin.git(&["branch", "release"]);
    let folder = tempfile::tempdir().unwrap();
    let clone = folder.path().join("clone");
    git(
        folder.path(),
        &["clone", "--quiet", origin.path().to_str().unwrap(), "clone"],
    );
    let repository = Repository::open(&clone).unwrap();
    assert_eq!(repository.resolve("release").unwrap(), origin.head());
}

#[test]
fn changes_of_the_work_tree_are_told_below_a_folder_only() {
    let work = Work::new();
    work.write(".gitignore", "*.db\n");
    work.write("shop/a.sql", "SELECT 1;");
    work.write("shop/b.sql", "SELECT 1;");
    work.write("other/a.sql", "SELECT 1;");
    work.commit("first");
    let repository = work.open();
    work.write("other/a.sql", "SELECT 2;");
    work.write("shop/state.db", "ignored");
    assert!(!repository.is_dirty(&["shop"]).unwrap());
    assert!(repository.is_dirty(&[]).unwrap());
    work.write("shop/a.sql", "SELECT 2;");
    work.remove("shop/b.sql");
    work.write("shop/new/c.sql", "SELECT 3;");
    work.git(&["add", "shop/new/c.sql"]);
    work.write("shop/d[1].sql", "SELECT 4;");
    assert_eq!(
        repository.changes(&["shop"]).unwrap(),
        [
            "shop/a.sql",
            "shop/b.sql",
            "shop/d[1].sql",
            "shop/new/c.sql"
        ]
    );
    assert_eq!(
        repository.changes(&["shop/new", "other/a.sql"]).unwrap(),
        ["other/a.sql", "shop/new/c.sql"]
    );
    assert!(!repository.is_dirty(&["sho", "nowhere"]).unwrap());
}

#[test]
fn a_bare_repository_has_revisions_and_no_changes() {
    let work = Work::new();
    work.write("shop/a.sql", "SELECT 1;");
    let first = work.commit("first");
    let folder = tempfile::tempdir().unwrap();
    git(
        folder.path(),
        &[
            "clone",
            "--quiet",
            "--bare",
            work.path().to_str().unwrap(),
            "shop.git",
        ],
    );
    let repository = Repository::open(&folder.path().join("shop.git")).unwrap();
    assert_eq!(repository.work_tree(), None);
    assert_eq!(repository.head().unwrap(), Some(first.clone()));
    assert!(!repository.is_dirty(&["shop"]).unwrap());
    assert_eq!(repository.prefix(folder.path()).unwrap(), "");
    let tree = repository.tree(&first, "shop").unwrap();
    assert_eq!(tree.read("a.sql", 100).unwrap(), b"SELECT 1;");
}

#[test]
fn a_commit_says_who_wrote_it() {
    let work = Work::new();
    let revision = work.commit("add customers\n\nand more");
    let authorship = work.open().authorship(&revision).unwrap();
    assert_eq!(authorship.author.to_string(), "Ada <ada@example.org>");
    assert_eq!(authorship.committer.email, "grace@example.org");
    assert_eq!(authorship.summary, "add customers");
    let error = work
        .open()
        .authorship(&Revision::commit("0".repeat(40)))
        .unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("this clone doesn't have the commit 000")
    );
}
