//! What a mirror publishes: pushed as somebody else's pushes allow, or not kept.

use crate::support::{Work, git};
use whimbrel_git::{Access, Address, Limits, Mirror, RemoteError, Repository};

#[test]
fn what_is_published_is_pushed_or_not_kept() {
    const REFERENCE: &str = "refs/whimbrel/promotions/dev";
    let origin = Work::new();
    origin.commit("first");
    let cache = tempfile::tempdir().unwrap();
    let address = Address::local(origin.path().to_path_buf());
    let mirror = Mirror::new(cache.path(), address, Limits::default());
    let access = Access::default();
    let write = |message: &'static str| {
        move |repository: &Repository| {
            let folder = repository.directory();
            let tree = git(folder, &["mktree", "--missing"]);
            let before = git(
                folder,
                &["for-each-ref", "--format=%(objectname)", REFERENCE],
            );
            let mut arguments = vec!["commit-tree", "-m", message, &tree];
            if !before.is_empty() {
                arguments.extend(["-p", &before]);
            }
            let commit = git(folder, &arguments);
            git(folder, &["update-ref", REFERENCE, &commit]);
            Ok::<(), RemoteError>(())
        }
    };
    mirror.publish(&access, REFERENCE, write("one")).unwrap();
    mirror.publish(&access, REFERENCE, write("two")).unwrap();
    mirror
        .publish(&access, REFERENCE, |_| Ok::<(), RemoteError>(()))
        .unwrap();
    let log = origin.git(&["log", "--format=%s", REFERENCE]);
    assert_eq!(log, "two\none");
    // Somebody else is quicker, once.
    let mut raced = false;
    let result = mirror.publish(&access, REFERENCE, |repository| {
        write("three")(repository)?;
        if !raced {
            raced = true;
            write("theirs")(&origin.open())?;
        }
        Ok::<(), RemoteError>(())
    });
    result.unwrap();
    let log = origin.git(&["log", "--format=%s", REFERENCE]);
    assert_eq!(log, "three\ntheirs\ntwo\none");
    // And always.
    let error = mirror
        .publish(&access, REFERENCE, |repository| {
            write("four")(repository)?;
            write("theirs")(&origin.open())
        })
        .unwrap_err();
    assert!(matches!(error, RemoteError::Rejected { .. }), "{error}");
    let last = mirror.last().unwrap();
    let log = git(last.directory(), &["log", "-1", "--format=%s", REFERENCE]);
    assert_eq!(
        log, "theirs",
        "what the server refused is gone from the mirror"
    );
}
