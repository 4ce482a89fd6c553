//! Promotion records that are signed: what Git itself says of them, and that nobody vouches for another's.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::Work;
use crate::support::signing::run;
use secrecy::SecretString;
use serde_json::json;
use whimbrel_core::checksum::Checksum;
use whimbrel_core::name::EnvironmentName;
use whimbrel_core::promotion::PromotionRecord;
use whimbrel_git::{GitError, Publication, Published, Reach, Signers, SigningKey, SigningKeyError};

const REFERENCE: &str = "refs/whimbrel/promotions/staging";

fn staging() -> EnvironmentName {
    "staging".parse().unwrap()
}

fn record(name: &str) -> PromotionRecord {
    PromotionRecord {
        migration: name.parse().unwrap(),
        checksum: Checksum::w1(&json!(name)),
        plugins: std::collections::BTreeMap::new(),
        project: Some("shop".parse().unwrap()),
        environment: staging(),
        revision: None,
        applied_at: "2026-01-01T00:00:00Z".to_owned(),
    }
}

struct Keys(tempfile::TempDir);

impl Keys {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn file(&self, name: &str, kind: &[&str], passphrase: &str) -> PathBuf {
        let file = self.0.path().join(name);
        if !file.exists() {
            let path = file.to_str().unwrap();
            let rest = ["-q", "-N", passphrase, "-C", name, "-f", path, "-t"];
            run("ssh-keygen", &[&rest, kind].concat(), &[]);
        }
        file
    }

    fn key(&self, name: &str) -> SigningKey {
        parsed(&self.file(name, &["ed25519"], ""), None).unwrap()
    }

    fn line(&self, name: &str) -> String {
        let public = self.0.path().join(name).with_extension("pub");
        format!(
            "{name}@example.org {}",
            std::fs::read_to_string(public).unwrap()
        )
    }

    fn signers(&self, names: &[&str]) -> Signers {
        for name in names {
            self.file(name, &["ed25519"], "");
        }
        let lines: Vec<_> = names.iter().map(|name| self.line(name)).collect();
        Signers::parse(&lines.concat(), "").unwrap()
    }
}

fn parsed(file: &Path, passphrase: Option<&str>) -> Result<SigningKey, SigningKeyError> {
    let text = SecretString::from(std::fs::read_to_string(file).unwrap());
    let passphrase = passphrase.map(SecretString::from);
    SigningKey::parse(&text, passphrase.as_ref())
}

/// Publishes records of `staging`.
fn publish(
    work: &Work,
    names: &[&str],
    reach: Reach,
    key: Option<&SigningKey>,
    signers: Option<&Signers>,
) -> Result<Published, GitError> {
    let records: Vec<_> = names.iter().map(|name| record(name)).collect();
    work.open().publish_promotions(&Publication {
        environment: &staging(),
        records: &records,
        reach,
        key,
        signers,
    })
}

fn names(work: &Work) -> Vec<String> {
    let records = work.open().read_promotions(&staging()).unwrap();
    let names = records.iter().map(|record| record.migration.to_string());
    names.collect()
}

/// Somebody who may push and has no key puts a record among those that are there.
fn smuggle(work: &Work, name: &str) {
    let text = serde_json::to_string(&record(name)).unwrap();
    let file = work.write("smuggled", &text);
    let blob = work.git(&["hash-object", "-w", file.to_str().unwrap()]);
    let index = work.path().join("smuggled.index");
    let index = index.to_str().unwrap();
    let git = |arguments: &[&str]| {
        let done = Command::new("git")
            .current_dir(work.path())
            .args(arguments)
            .env("GIT_INDEX_FILE", index)
            .output()
            .unwrap();
        assert!(done.status.success(), "{arguments:?}");
        String::from_utf8(done.stdout).unwrap().trim().to_owned()
    };
    git(&["read-tree", REFERENCE]);
    let entry = format!("100644,{blob},{name}.json");
    git(&["update-index", "--add", "--cacheinfo", &entry]);
    let tree = git(&["write-tree"]);
    let commit = work.git(&[
        "commit-tree",
        &tree,
        "-p",
        REFERENCE,
        "-m",
        "nothing to see",
    ]);
    work.git(&["update-ref", REFERENCE, &commit]);
}

#[test]
fn git_itself_verifies_what_is_signed() {
    let keys = Keys::new();
    let kinds: [(&str, &[&str]); 3] = [
        ("ed25519", &["ed25519"]),
        ("p256", &["ecdsa", "-b", "256"]),
        ("p384", &["ecdsa", "-b", "384"]),
    ];
    for (name, kind) in kinds {
        let work = Work::new();
        let file = keys.file(name, kind, "");
        let key = parsed(&file, None).unwrap();
        let listed = run("ssh-keygen", &["-lf", file.to_str().unwrap()], &[]);
        assert!(listed.contains(&key.fingerprint()), "{listed} {key:?}");
        publish(&work, &["1"], Reach::Everything, Some(&key), None).unwrap();
        // The key stands for itself: nothing is written again.
        publish(&work, &["1"], Reach::Everything, Some(&key), None).unwrap();
        assert_eq!(work.git(&["rev-list", "--count", REFERENCE]), "1");
        let allowed = work.write("allowed", &keys.line(name));
        let setting = format!("gpg.ssh.allowedSignersFile={}", allowed.display());
        work.git(&["-c", &setting, "verify-commit", REFERENCE]);
        let shown = ["log", "-1", "--format=%G? %GS", REFERENCE];
        let shown = work.git(&[&["-c", setting.as_str()], &shown[..]].concat());
        assert_eq!(shown, format!("G {name}@example.org"));
        let signers = Signers::parse(&keys.line(name), "").unwrap();
        let head = work.open().promotion_head(&staging()).unwrap().unwrap();
        let signed = work.open().verify_commit(&head, &signers).unwrap();
        assert_eq!(signed.key, key.fingerprint());
    }
}

#[test]
fn a_key_may_be_encrypted_and_no_other_text_is_one() {
    let keys = Keys::new();
    let file = keys.file("locked", &["ed25519"], "open sesame");
    let key = parsed(&file, Some("open sesame")).unwrap();
    assert_eq!(
        format!("{key:?}"),
        format!("SigningKey({})", key.fingerprint())
    );
    let refused = |passphrase| parsed(&file, passphrase).unwrap_err();
    assert!(matches!(refused(None), SigningKeyError::Encrypted));
    assert!(matches!(
        refused(Some("sesame")),
        SigningKeyError::Passphrase
    ));
    let rsa = keys.file("rsa", &["rsa", "-b", "2048"], "");
    assert!(matches!(
        parsed(&rsa, None).unwrap_err(),
        SigningKeyError::Kind(_)
    ));
    let public = file.with_extension("pub");
    let error = parsed(&public, None).unwrap_err();
    assert!(matches!(error, SigningKeyError::Unreadable(_)), "{error}");
}

#[test]
fn nobody_vouches_for_what_somebody_else_put_in() {
    let keys = Keys::new();
    let (ours, both) = (keys.key("staging"), keys.signers(&["staging", "other"]));
    let other = keys.key("other");
    let policies: [(&SigningKey, Option<&Signers>); 2] = [(&ours, None), (&other, Some(&both))];
    for (key, signers) in policies {
        let work = Work::new();
        publish(&work, &["1", "2"], Reach::Everything, Some(&ours), None).unwrap();
        // A part builds upon what a trusted key has signed.
        let published = publish(&work, &["3"], Reach::Part, Some(key), signers).unwrap();
        assert_eq!((published.distrusted, names(&work).len()), (None, 3));
        smuggle(&work, "evil");
        assert_eq!(names(&work), ["1", "2", "3", "evil"]);
        // And upon nothing else.
        let published = publish(&work, &["3"], Reach::Part, Some(key), signers).unwrap();
        let why = published.distrusted.unwrap();
        assert!(why.contains("isn't signed"), "{why}");
        assert_eq!(names(&work), ["3"]);
        smuggle(&work, "evil");
        let all = ["1", "2", "3"];
        publish(&work, &all, Reach::Everything, Some(key), signers).unwrap();
        assert_eq!(names(&work), all);
        // The ref only ever went forwards.
        assert_eq!(work.git(&["rev-list", "--count", REFERENCE]), "6");
    }
}

#[test]
fn who_verifies_without_a_key_builds_upon_nothing_unsigned() {
    let keys = Keys::new();
    let signers = keys.signers(&["staging"]);
    let work = Work::new();
    publish(&work, &["1"], Reach::Everything, None, None).unwrap();
    publish(&work, &["2"], Reach::Part, None, Some(&signers)).unwrap();
    assert_eq!(names(&work), ["2"]);
    publish(&work, &["3"], Reach::Part, None, None).unwrap();
    assert_eq!(names(&work), ["2", "3"]);
}

#[test]
fn the_same_records_are_signed_once_somebody_has_a_key() {
    let keys = Keys::new();
    let (first, second) = (keys.key("first"), keys.key("second"));
    let work = Work::new();
    publish(&work, &["1"], Reach::Everything, None, None).unwrap();
    publish(&work, &["1"], Reach::Everything, Some(&first), None).unwrap();
    let head = |name: &str| {
        let head = work.open().promotion_head(&staging()).unwrap().unwrap();
        work.open().verify_commit(&head, &keys.signers(&[name]))
    };
    head("first").unwrap();
    // Two processes with a key each, of which each knows the other's, don't take turns for ever.
    let both = keys.signers(&["first", "second"]);
    publish(&work, &["1"], Reach::Everything, Some(&second), Some(&both)).unwrap();
    head("first").unwrap();
    publish(&work, &["1"], Reach::Everything, Some(&second), None).unwrap();
    head("second").unwrap();
}

#[test]
fn unsigned_records_take_the_place_of_no_signed_ones() {
    let keys = Keys::new();
    let work = Work::new();
    let key = keys.key("staging");
    publish(&work, &["1"], Reach::Everything, Some(&key), None).unwrap();
    let error = publish(&work, &["2"], Reach::Everything, None, None).unwrap_err();
    assert!(matches!(error, GitError::NoSigningKey(_)), "{error}");
    assert_eq!(names(&work), ["1"]);
    publish(&work, &["1"], Reach::Everything, None, None).unwrap();
}
