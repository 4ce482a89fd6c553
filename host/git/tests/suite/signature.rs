//! Commits signed by Git itself with keys of OpenSSH, and which of them a policy asks for.

use std::path::{Path, PathBuf};

use crate::support::Work;
use crate::support::signing::{problem, run};
use whimbrel_core::lineage::Revision;
use whimbrel_git::{SignatureError, SignatureProblem, Signed, Signers, Verify};

const MIGRATIONS: &str = "db/migrations";

struct SshSigned {
    work: Work,
    keys: tempfile::TempDir,
}

impl SshSigned {
    fn new() -> Self {
        let signed = Self {
            work: Work::new(),
            keys: tempfile::tempdir().unwrap(),
        };
        signed.work.git(&["config", "gpg.format", "ssh"]);
        signed
    }

    fn key(&self, name: &str, kind: &str) -> PathBuf {
        let file = self.keys.path().join(name);
        if !file.exists() {
            let path = file.to_str().unwrap();
            run(
                "ssh-keygen",
                &["-q", "-t", kind, "-N", "", "-C", name, "-f", path],
                &[],
            );
        }
        file
    }

    fn public(&self, name: &str) -> String {
        std::fs::read_to_string(self.key(name, "ed25519").with_extension("pub")).unwrap()
    }

    /// Commits with a key.
    fn commit(&self, key: &Path, path: &str) -> Revision {
        self.work.write(
            path,
            &format!(
                "SELECT '{}';",
                self.work.git(&["rev-list", "--all", "--count"])
            ),
        );
        self.work.git(&["add", "--all"]);
        let key = format!("user.signingKey={}", key.display());
        self.work
            .git(&["-c", &key, "commit", "--quiet", "-S", "-m", "signed"]);
        self.work.head()
    }

    fn verify(&self, revision: &Revision, signers: &str) -> Result<Signed, SignatureError> {
        let signers = Signers::parse(signers, "").unwrap();
        self.work.open().verify_commit(revision, &signers)
    }
}

#[test]
fn keys_of_every_usual_kind_are_verified() {
    let signed = SshSigned::new();
    for kind in ["ed25519", "rsa", "ecdsa"] {
        let key = signed.key(kind, kind);
        let commit = signed.commit(&key, "a.sql");
        let signers = format!(
            "# the team\nada@example.org namespaces=\"git\" {}",
            signed.public(kind)
        );
        let found = signed.verify(&commit, &signers).unwrap();
        assert_eq!(found.signer, "ada@example.org");
        assert_eq!(found.commit, commit);
        let listed = run("ssh-keygen", &["-lf", key.to_str().unwrap()], &[]);
        assert!(listed.contains(&found.key), "{listed} {}", found.key);
    }
}

#[test]
fn who_is_not_listed_does_not_count() {
    let signed = SshSigned::new();
    let commit = signed.commit(&signed.key("ada", "ed25519"), "a.sql");
    let (ada, bob) = (signed.public("ada"), signed.public("bob"));
    assert!(matches!(
        problem(signed.verify(&commit, "")),
        SignatureProblem::UnknownKey(_)
    ));
    assert!(matches!(
        problem(signed.verify(&commit, &format!("bob {bob}"))),
        SignatureProblem::UnknownKey(_)
    ));
    for options in [
        "namespaces=\"file\"",
        "valid-after=\"20990101Z\"",
        "valid-before=\"20010101Z\"",
    ] {
        let signers = format!("ada@example.org {options} {ada}");
        let why = problem(signed.verify(&commit, &signers));
        assert!(matches!(why, SignatureProblem::NotAllowed(_)), "{why}");
        // Another line may allow it.
        signed
            .verify(&commit, &format!("{signers}ada {ada}"))
            .unwrap();
    }
    let options = "valid-after=\"20010101\",valid-before=\"20990101\",namespaces=\"g*\"";
    signed
        .verify(&commit, &format!("ada@example.org {options} {ada}"))
        .unwrap();
    let unsigned = signed.work.commit("unsigned");
    assert_eq!(
        problem(signed.verify(&unsigned, &ada_line(&ada))),
        SignatureProblem::Unsigned
    );
}

fn ada_line(key: &str) -> String {
    format!("ada@example.org {key}")
}

#[test]
fn a_signature_is_of_its_commit_and_for_git() {
    let signed = SshSigned::new();
    let key = signed.key("ada", "ed25519");
    let commit = signed.commit(&key, "a.sql");
    let signers = ada_line(&signed.public("ada"));
    let raw = signed.work.git(&["cat-file", "commit", &commit.commit]);
    let forge = |content: &str| {
        let file = signed.work.write("forged", &format!("{content}\n"));
        let id = signed
            .work
            .git(&["hash-object", "-t", "commit", "-w", file.to_str().unwrap()]);
        Revision::commit(id)
    };
    let other = forge(&raw.replace("\n\nsigned", "\n\nforged"));
    assert!(matches!(
        problem(signed.verify(&other, &signers)),
        SignatureProblem::Wrong(_)
    ));
    let broken = forge(&raw.replace("U1NIU0lH", "AAAAAAAA"));
    assert!(matches!(
        problem(signed.verify(&broken, &signers)),
        SignatureProblem::Unreadable(_)
    ));
    let nonsense = forge(&raw.replace("SSH SIGNATURE", "PEN STROKES"));
    assert!(matches!(
        problem(signed.verify(&nonsense, &signers)),
        SignatureProblem::Unreadable(_)
    ));
    // A signature of the same text for another purpose.
    let (head, message) = raw.split_once("\n\n").unwrap();
    let unsigned: Vec<_> = head
        .lines()
        .filter(|line| !line.starts_with("gpgsig ") && !line.starts_with(' '))
        .collect();
    let text = signed
        .work
        .write("text", &format!("{}\n\n{message}\n", unsigned.join("\n")));
    let text = text.to_str().unwrap();
    run(
        "ssh-keygen",
        &[
            "-Y",
            "sign",
            "-n",
            "file",
            "-f",
            key.to_str().unwrap(),
            text,
        ],
        &[],
    );
    let signature = std::fs::read_to_string(format!("{text}.sig")).unwrap();
    let signature = signature.trim_end().replace('\n', "\n ");
    let elsewhere = forge(&format!(
        "{}\ngpgsig {signature}\n\n{message}",
        unsigned.join("\n")
    ));
    assert!(matches!(
        problem(signed.verify(&elsewhere, &signers)),
        SignatureProblem::NotAllowed(_)
    ));
}

#[test]
fn a_policy_says_which_commits_must_be_signed() {
    let signed = SshSigned::new();
    let key = signed.key("ada", "ed25519");
    let signers = Signers::parse(&ada_line(&signed.public("ada")), "").unwrap();
    let path = |name: &str| format!("{MIGRATIONS}/{name}.sql");
    let check = |policy, since: Option<&Revision>| {
        let work = &signed.work;
        work.open()
            .verify(policy, &work.head(), MIGRATIONS, since, &signers)
    };
    let first = signed.commit(&key, &path("1"));
    signed.work.write("README.md", "unsigned");
    signed.work.commit("no migration");
    assert_eq!(check(Verify::None, None).unwrap(), []);
    assert_eq!(
        problem(check(Verify::Head, None)),
        SignatureProblem::Unsigned
    );
    let head = signed.commit(&key, "README.md");
    assert_eq!(check(Verify::Head, None).unwrap()[0].commit, head);
    let all = check(Verify::EveryMigrationCommit, None).unwrap();
    assert_eq!(
        all.iter().map(|signed| &signed.commit).collect::<Vec<_>>(),
        [&head, &first]
    );
    // An unsigned migration below a signed head.
    signed.work.write(&path("2"), "SELECT 2;");
    let unsigned = signed.work.commit("a migration");
    signed.commit(&key, "README.md");
    check(Verify::Head, None).unwrap();
    assert_eq!(
        problem(check(Verify::EveryMigrationCommit, None)),
        SignatureProblem::Unsigned
    );
    check(Verify::EveryMigrationCommit, Some(&unsigned)).unwrap();
}

#[test]
fn what_a_merge_brings_in_must_be_signed() {
    let signed = SshSigned::new();
    let key = signed.key("ada", "ed25519");
    let signers = Signers::parse(&ada_line(&signed.public("ada")), "").unwrap();
    let work = &signed.work;
    signed.commit(&key, &format!("{MIGRATIONS}/1.sql"));
    work.git(&["checkout", "--quiet", "-b", "feature"]);
    work.write(&format!("{MIGRATIONS}/2.sql"), "SELECT 2;");
    work.commit("unsigned");
    work.git(&["checkout", "--quiet", "main"]);
    let config = format!("user.signingKey={}", key.display());
    work.git(&[
        "-c", &config, "merge", "--quiet", "--no-ff", "-S", "-m", "merge", "feature",
    ]);
    let check = |policy| {
        work.open()
            .verify(policy, &work.head(), MIGRATIONS, None, &signers)
    };
    check(Verify::Head).unwrap();
    assert_eq!(
        problem(check(Verify::EveryMigrationCommit)),
        SignatureProblem::Unsigned
    );
}
