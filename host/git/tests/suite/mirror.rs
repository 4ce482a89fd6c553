//! A mirror of a repository elsewhere, fetched from a folder: what it holds, what moved, and what becomes of a broken one.

use std::path::PathBuf;
use std::time::Duration;

use crate::support::{Work, git};
use whimbrel_config::SourceTree as _;
use whimbrel_core::lineage::Revision;
use whimbrel_git::{Access, Address, Limits, Mirror, Move, RemoteError};

struct Pair {
    origin: Work,
    cache: tempfile::TempDir,
}

impl Pair {
    fn new() -> Self {
        Self {
            origin: Work::new(),
            cache: tempfile::tempdir().unwrap(),
        }
    }

    fn mirror(&self) -> Mirror {
        self.limited(Limits::default())
    }

    fn limited(&self, limits: Limits) -> Mirror {
        let address = Address::local(self.origin.path().to_path_buf());
        Mirror::new(&self.cache.path().join("repositories"), address, limits)
    }

    fn fetch(&self) -> Vec<Move> {
        self.mirror().fetch(&Access::default(), &[]).unwrap().moves
    }

    fn packs(&self) -> Vec<PathBuf> {
        let folder = self.mirror().folder().join("objects/pack");
        let files = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().path());
        files
            .filter(|file| file.extension().is_some_and(|end| end == "pack"))
            .collect()
    }
}

fn moved(
    reference: &str,
    before: Option<&Revision>,
    after: Option<&Revision>,
    forced: bool,
) -> Move {
    Move {
        reference: reference.to_owned(),
        before: before.cloned(),
        after: after.cloned(),
        forced,
    }
}

#[test]
fn holds_branches_and_tags_and_says_what_moved() {
    let pair = Pair::new();
    let origin = &pair.origin;
    origin.write("migrations/1.sql", "SELECT 1;");
    let first = origin.commit("first");
    origin.git(&["tag", "--annotate", "-m", "one", "v1"]);
    assert!(pair.mirror().last().is_none());
    let fetched = pair.mirror().fetch(&Access::default(), &[]).unwrap();
    assert!(fetched.is_new);
    assert_eq!(
        fetched.moves,
        [
            moved("refs/heads/main", None, Some(&first), false),
            moved("refs/tags/v1", None, Some(&first), false),
        ]
    );
    let repository = fetched.repository;
    assert_eq!(repository.default_branch().as_deref(), Some("main"));
    assert_eq!(repository.resolve("v1").unwrap(), first);
    let tree = repository.tree(&first, "migrations").unwrap();
    assert_eq!(tree.read("1.sql", 100).unwrap(), b"SELECT 1;");
    assert_eq!(pair.fetch(), []);
    let second = origin.commit("second");
    origin.git(&["branch", "feature"]);
    assert_eq!(
        pair.fetch(),
        [
            moved("refs/heads/feature", None, Some(&second), false),
            moved("refs/heads/main", Some(&first), Some(&second), false),
        ]
    );
    assert!(!pair.mirror().fetch(&Access::default(), &[]).unwrap().is_new);
    assert!(pair.mirror().last().is_some());
}

#[test]
fn says_that_history_was_taken_back() {
    let pair = Pair::new();
    let origin = &pair.origin;
    let first = origin.commit("first");
    let second = origin.commit("second");
    origin.git(&["tag", "v1"]);
    origin.git(&["branch", "gone"]);
    pair.fetch();
    origin.git(&["reset", "--quiet", "--hard", &first.commit]);
    let other = origin.commit("other");
    origin.git(&["tag", "--force", "v1"]);
    origin.git(&["branch", "-D", "gone"]);
    // A branch in the place of a folder of branches.
    origin.git(&["branch", "gone/further"]);
    assert_eq!(
        pair.fetch(),
        [
            moved("refs/heads/gone", Some(&second), None, false),
            moved("refs/heads/gone/further", None, Some(&other), false),
            moved("refs/heads/main", Some(&second), Some(&other), true),
            moved("refs/tags/v1", Some(&second), Some(&other), true),
        ]
    );
}

#[test]
fn other_refs_come_when_they_are_asked_for() {
    let pair = Pair::new();
    let origin = &pair.origin;
    origin.commit("first");
    let change = origin.commit("a change of a stranger");
    origin.git(&["update-ref", "refs/pull/7/head", &change.commit]);
    origin.git(&["reset", "--quiet", "--hard", "HEAD~1"]);
    pair.fetch();
    let mirror = pair.mirror();
    assert!(mirror.last().unwrap().resolve("refs/pull/7/head").is_err());
    let besides = ["refs/pull/7/head".to_owned()];
    let fetched = mirror.fetch(&Access::default(), &besides).unwrap();
    assert_eq!(
        fetched.repository.resolve("refs/pull/7/head").unwrap(),
        change
    );
    for missing in ["refs/pull/8/head", &"1".repeat(40)] {
        let error = mirror
            .fetch(&Access::default(), &[missing.to_owned()])
            .unwrap_err();
        assert!(matches!(error, RemoteError::NoReference { .. }), "{error}");
        assert!(error.hint().is_some() && !error.is_temporary());
    }
}

#[test]
fn an_empty_repository_has_nothing() {
    let pair = Pair::new();
    assert_eq!(pair.fetch(), []);
    let first = pair.origin.commit("first");
    assert_eq!(
        pair.fetch(),
        [moved("refs/heads/main", None, Some(&first), false)]
    );
}

#[test]
fn a_repository_that_is_not_there_leaves_what_was_fetched() {
    let pair = Pair::new();
    let first = pair.origin.commit("first");
    pair.fetch();
    let aside = pair.cache.path().join("aside");
    std::fs::rename(pair.origin.path(), &aside).unwrap();
    let mirror = pair.mirror();
    let error = mirror.fetch(&Access::default(), &[]).unwrap_err();
    assert!(matches!(error, RemoteError::NotFound(_)), "{error}");
    std::fs::create_dir(pair.origin.path()).unwrap();
    let error = mirror.fetch(&Access::default(), &[]).unwrap_err();
    assert!(matches!(error, RemoteError::NotFound(_)), "{error}");
    assert_eq!(mirror.last().unwrap().resolve("main").unwrap(), first);
    std::fs::remove_dir(pair.origin.path()).unwrap();
    std::fs::rename(&aside, pair.origin.path()).unwrap();
    assert_eq!(pair.fetch(), []);
}

#[test]
fn a_broken_mirror_is_made_again() {
    let pair = Pair::new();
    let first = pair.origin.commit("first");
    pair.fetch();
    let folder = pair.mirror().folder().to_path_buf();
    let breaks: [&dyn Fn(); 4] = [
        &|| std::fs::remove_dir_all(folder.join("objects")).unwrap(),
        &|| std::fs::write(folder.join("HEAD"), "nonsense").unwrap(),
        &|| std::fs::write(folder.join("refs/heads/main"), "1".repeat(40)).unwrap(),
        &|| {
            std::fs::remove_dir_all(&folder).unwrap();
            std::fs::write(&folder, "no folder").unwrap();
        },
    ];
    for (index, harm) in breaks.into_iter().enumerate() {
        harm();
        assert!(pair.mirror().last().is_none(), "{index}");
        let fetched = pair.mirror().fetch(&Access::default(), &[]).unwrap();
        assert!(fetched.is_new, "{index}");
        assert_eq!(
            fetched.repository.resolve("main").unwrap(),
            first,
            "{index}"
        );
    }
    pair.mirror().discard().unwrap();
    assert!(pair.mirror().last().is_none());
    pair.mirror().discard().unwrap();
}

#[test]
fn what_a_process_that_died_was_writing_holds_up_nobody() {
    let pair = Pair::new();
    let origin = &pair.origin;
    origin.commit("first");
    origin.git(&["branch", "team/one"]);
    pair.fetch();
    origin.git(&["branch", "--move", "main", "trunk"]);
    origin.git(&["branch", "--delete", "team/one"]);
    origin.git(&["branch", "team/one/more"]);
    let begun = [
        "HEAD.lock",
        "packed-refs.lock",
        "config.lock",
        "refs/heads/trunk.lock",
        "refs/heads/team/one.lock",
        "refs/heads/main.lock",
        "objects/tmp_object_git2_a1B2c3",
        "objects/pack/pack_git2_a1B2c3",
    ]
    .map(|name| pair.mirror().folder().join(name));
    for file in &begun {
        std::fs::write(file, "half").unwrap();
    }
    let fetched = pair.mirror().fetch(&Access::default(), &[]).unwrap();
    assert!(!fetched.is_new);
    assert_eq!(
        fetched.repository.default_branch().as_deref(),
        Some("trunk")
    );
    let moved: Vec<_> = fetched.moves.iter().map(|one| &*one.reference).collect();
    assert_eq!(
        moved,
        [
            "refs/heads/main",
            "refs/heads/team/one",
            "refs/heads/team/one/more",
            "refs/heads/trunk"
        ]
    );
    assert_eq!(begun.map(|file| file.exists()), [false; 8]);
}

#[test]
fn many_at_once_fetch_one_after_the_other() {
    let pair = Pair::new();
    let first = pair.origin.commit("first");
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let fetched = pair.mirror().fetch(&Access::default(), &[]).unwrap();
                assert_eq!(fetched.repository.resolve("main").unwrap(), first);
            });
        }
    });
}

#[test]
fn who_waits_too_long_for_another_is_told() {
    let pair = Pair::new();
    pair.origin.commit("first");
    pair.fetch();
    let lock = std::fs::File::open(pair.mirror().folder().with_extension("lock")).unwrap();
    lock.lock().unwrap();
    let mirror = pair.limited(Limits {
        lock: Duration::from_millis(100),
        ..Limits::default()
    });
    let error = mirror.fetch(&Access::default(), &[]).unwrap_err();
    assert!(
        matches!(error, RemoteError::Busy(_)) && error.is_temporary(),
        "{error}"
    );
}

#[test]
fn a_repository_that_is_too_large_is_not_kept() {
    let pair = Pair::new();
    // What can't be compressed.
    let mut state = 1_u32;
    let noise: String = std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        char::from(b'!' + u8::try_from(state % 90).unwrap())
    })
    .take(200_000)
    .collect();
    pair.origin.write("large.txt", &noise);
    pair.origin.commit("large");
    let mirror = pair.limited(Limits {
        pack: 10_000,
        ..Limits::default()
    });
    let error = mirror.fetch(&Access::default(), &[]).unwrap_err();
    assert!(
        matches!(error, RemoteError::TooLarge { limit: 10_000, .. }),
        "{error}"
    );
    assert!(mirror.last().unwrap().resolve("main").is_err());
    let mirror = pair.limited(Limits {
        total: Duration::ZERO,
        ..Limits::default()
    });
    let error = mirror.fetch(&Access::default(), &[]).unwrap_err();
    assert!(
        matches!(error, RemoteError::TimedOut(_)) && error.is_temporary(),
        "{error}"
    );
}

#[test]
fn nobody_waits_to_make_packs_one() {
    let pair = Pair::new();
    let mirror = pair.limited(Limits {
        packs: 1,
        lock: Duration::from_millis(100),
        ..Limits::default()
    });
    for text in ["SELECT 1;", "SELECT 2;", "SELECT 3;"] {
        pair.origin.write("1.sql", text);
        pair.origin.commit("next");
        mirror.fetch(&Access::default(), &[]).unwrap();
    }
    let many = pair.packs();
    let other = std::fs::File::create(mirror.folder().with_extension("lock")).unwrap();
    other.lock().unwrap();
    mirror.tidy().unwrap();
    assert_eq!(pair.packs().len(), many.len());
    other.unlock().unwrap();
    mirror.tidy().unwrap();
    assert_eq!(pair.packs().len(), many.len() + 1);
}

#[test]
fn packs_are_made_one_when_there_are_many() {
    let pair = Pair::new();
    let mirror = pair.limited(Limits {
        packs: 3,
        ..Limits::default()
    });
    pair.origin
        .git(&["tag", "--annotate", "-m", "of a file", "odd", &{
            let file = pair.origin.write("1.sql", "SELECT 1;");
            pair.origin
                .git(&["hash-object", "-w", file.to_str().unwrap()])
        }]);
    let mut most = 0;
    for number in 0..12 {
        pair.origin.write("1.sql", &format!("SELECT {number};"));
        let commit = pair.origin.commit("next");
        pair.origin
            .git(&["tag", "--annotate", "-m", "tag", &format!("v{number}")]);
        let repository = mirror.fetch(&Access::default(), &[]).unwrap().repository;
        let fetched = pair.packs().len();
        mirror.tidy().unwrap();
        most = most.max(fetched);
        let tree = repository.tree(&commit, "").unwrap();
        assert_eq!(
            tree.read("1.sql", 100).unwrap(),
            format!("SELECT {number};").as_bytes()
        );
    }
    assert!((4..10).contains(&most), "{most} packs");
    let all = git(mirror.folder(), &["fsck", "--strict"]);
    assert!(!all.contains("missing") && !all.contains("broken"), "{all}");
    assert_eq!(
        mirror.last().unwrap().resolve("v0").unwrap(),
        pair.origin.open().resolve("v0").unwrap()
    );
}
