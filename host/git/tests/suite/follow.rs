//! What an environment follows: a branch, or the tags that match a pattern.

use crate::support::{Work, git};
use whimbrel_git::{Followed, Repository};

#[test]
fn a_branch_goes_before_a_tag_and_the_one_of_origin_before_ones_own() {
    let origin = Work::new();
    let first = origin.commit("first");
    let folder = tempfile::tempdir().unwrap();
    let clone = folder.path().join("clone");
    let url = origin.path().to_str().unwrap();
    git(folder.path(), &["clone", "--quiet", url, "clone"]);
    git(
        &clone,
        &[
            "commit",
            "--quiet",
            "--allow-empty",
            "-m",
            "nobody's but mine",
        ],
    );
    git(&clone, &["tag", "main"]);
    let repository = Repository::open(&clone).unwrap();
    assert_eq!(
        repository.follow("main").unwrap(),
        Some(Followed::Branch(first))
    );
    assert_eq!(repository.default_branch().as_deref(), Some("main"));
    assert_eq!(repository.follow("nowhere").unwrap(), None);
    let local = origin.open();
    assert_eq!(local.default_branch(), None);
    assert_eq!(
        local.follow("main").unwrap().unwrap().newest(),
        Some(&origin.head())
    );
}

#[test]
fn tags_are_matched_and_the_newest_comes_first() {
    let work = Work::new();
    let one = work.commit("one");
    work.git(&["tag", "v1"]);
    std::thread::sleep(std::time::Duration::from_millis(1100));
    let two = work.commit("two");
    work.git(&["tag", "--annotate", "-m", "two", "v2"]);
    work.git(&["tag", "other"]);
    let repository = work.open();
    let found = repository.follow("v*").unwrap().unwrap();
    assert_eq!(found, Followed::Tags(vec![two.clone(), one]));
    assert_eq!(found.newest(), Some(&two));
    assert_eq!(
        repository.follow("v2").unwrap(),
        Some(Followed::Tags(vec![two]))
    );
    assert_eq!(repository.follow("w*").unwrap(), None);
}

#[test]
fn versions_are_compared_as_versions_and_go_before_other_names() {
    let work = Work::new();
    let ten = work.commit("ten");
    work.git(&["tag", "v1.10.0"]);
    let candidate = work.commit("candidate");
    work.git(&["tag", "v1.11.0-rc.1"]);
    std::thread::sleep(std::time::Duration::from_millis(1100));
    let nine = work.commit("nine");
    work.git(&["tag", "v1.9.0"]);
    let other = work.commit("other");
    work.git(&["tag", "vnext"]);
    let found = work.open().follow("v*").unwrap().unwrap();
    assert_eq!(found, Followed::Tags(vec![candidate, ten, nine, other]));
}

#[test]
fn branches_are_matched_by_a_pattern() {
    let work = Work::new();
    let two = work.commit("two");
    work.git(&["branch", "release/1.2"]);
    let ten = work.commit("ten");
    work.git(&["branch", "release/1.10"]);
    work.commit("a tag of the same name takes nobody's place");
    work.git(&["tag", "release/9"]);
    let found = work.open().follow("release/*").unwrap().unwrap();
    assert_eq!(found, Followed::Branches(vec![ten.clone(), two]));
    assert_eq!(found.newest(), Some(&ten));
    assert_eq!(work.open().follow("re lease/*").unwrap(), None);
}
