//! How commits relate, and which one took a file away.

use crate::support::{Work, git};
use whimbrel_config::SourceTree;
use whimbrel_core::lineage::Revision;
use whimbrel_git::{GitError, Relation, Removal, Repository};

/// Which commit between two took `x.sql` away.
fn removal(
    repository: &Repository,
    applied: &Revision,
    now: &Revision,
) -> Result<Removal, GitError> {
    repository.removal(applied, now, |revision| {
        Ok(repository.tree(revision, "")?.read("x.sql", 100).is_ok())
    })
}

#[test]
fn tells_descent_in_every_direction() {
    let work = Work::new();
    let first = work.commit("first");
    let second = work.commit("second");
    work.git(&["checkout", "--quiet", "-b", "side", &first.commit]);
    work.write("side", "");
    let side = work.commit("side");
    let repository = work.open();
    let unknown = Revision::commit("1".repeat(40));
    for (applied, now, relation) in [
        (&first, &first, Relation::Same),
        (&first, &second, Relation::Descendant),
        (&second, &first, Relation::Ancestor),
        (&second, &side, Relation::Diverged),
        (&unknown, &side, Relation::UnknownRevision),
    ] {
        assert_eq!(repository.relation(applied, now).unwrap(), relation);
    }
    assert!(repository.relation(&first, &unknown).is_err());
    assert_eq!(
        repository.common_ancestor(&second, &side).unwrap(),
        Some(first.clone())
    );
    work.git(&["checkout", "--quiet", "--orphan", "apart"]);
    let apart = work.commit("apart");
    assert_eq!(repository.common_ancestor(&first, &apart).unwrap(), None);
}

#[test]
fn a_shallow_clone_does_not_claim_that_commits_diverged() {
    let work = Work::new();
    work.commit("first");
    work.git(&["checkout", "--quiet", "-b", "side"]);
    work.write("side", "");
    work.commit("side");
    work.git(&["checkout", "--quiet", "main"]);
    work.commit("second");
    let folder = tempfile::tempdir().unwrap();
    let url = format!("file://{}", work.path().display());
    git(
        folder.path(),
        &[
            "clone",
            "--quiet",
            "--depth=1",
            "--no-single-branch",
            &url,
            "clone",
        ],
    );
    let repository = Repository::open(&folder.path().join("clone")).unwrap();
    let relation = repository
        .relation(
            &repository.resolve("side").unwrap(),
            &repository.resolve("main").unwrap(),
        )
        .unwrap();
    assert_eq!(relation, Relation::UnknownRevision);
}

#[test]
fn finds_the_commit_that_removed_it_among_many() {
    let work = Work::new();
    work.write("x.sql", "SELECT 1;");
    let applied = work.commit("add");
    for number in 0..5 {
        work.write("other", &number.to_string());
        work.commit("other");
    }
    work.remove("x.sql");
    let removed = work.commit("remove");
    for number in 5..9 {
        work.write("other", &number.to_string());
        work.commit("other");
    }
    assert_eq!(
        removal(&work.open(), &applied, &work.head()).unwrap(),
        Removal::By(removed)
    );
}

#[test]
fn finds_it_on_the_branch_that_a_merge_brought_in() {
    let work = Work::new();
    work.write("x.sql", "SELECT 1;");
    let applied = work.commit("add");
    work.git(&["checkout", "--quiet", "-b", "cleanup"]);
    work.remove("x.sql");
    let removed = work.commit("remove");
    work.write("more", "");
    work.commit("more");
    work.git(&["checkout", "--quiet", "main"]);
    work.write("meanwhile", "");
    work.commit("meanwhile");
    let merge = work.merge("cleanup");
    assert_eq!(
        removal(&work.open(), &applied, &merge).unwrap(),
        Removal::By(removed)
    );
}

#[test]
fn a_merge_that_drops_what_a_branch_had_is_named_itself() {
    let work = Work::new();
    work.commit("root");
    work.git(&["checkout", "--quiet", "-b", "feature"]);
    work.write("x.sql", "SELECT 1;");
    let applied = work.commit("add");
    work.git(&["checkout", "--quiet", "main"]);
    for number in 0..3 {
        work.write("other", &number.to_string());
        work.commit("other");
    }
    work.git(&[
        "merge", "--quiet", "--no-ff", "-s", "ours", "-m", "drop it", "feature",
    ]);
    let merge = work.head();
    work.write("later", "");
    let now = work.commit("later");
    assert_eq!(
        removal(&work.open(), &applied, &now).unwrap(),
        Removal::By(merge)
    );
}

#[test]
fn what_was_applied_before_it_was_committed_is_found_too() {
    let work = Work::new();
    let applied = work.commit("root");
    assert_eq!(
        removal(&work.open(), &applied, &applied).unwrap(),
        Removal::NeverThere
    );
    work.write("x.sql", "SELECT 1;");
    work.commit("add");
    work.remove("x.sql");
    let removed = work.commit("remove");
    assert_eq!(
        removal(&work.open(), &applied, &removed).unwrap(),
        Removal::By(removed.clone())
    );
    work.write("other", "");
    let now = work.commit("other");
    assert_eq!(
        removal(&work.open(), &removed, &now).unwrap(),
        Removal::NeverThere
    );
}

#[test]
fn what_is_still_there_was_removed_by_nobody_known() {
    let work = Work::new();
    work.write("x.sql", "SELECT 1;");
    let applied = work.commit("add");
    assert_eq!(
        removal(&work.open(), &applied, &applied).unwrap(),
        Removal::Somewhere
    );
}

#[test]
fn an_error_of_the_caller_comes_through() {
    let work = Work::new();
    let first = work.commit("root");
    let failed = work.open().removal(&first, &first, |_| {
        Err(GitError::Ambiguous("cause".to_owned()))
    });
    assert!(matches!(failed, Err(GitError::Ambiguous(_))));
}
