//! Commits signed by Git itself with certificates of GnuPG.

use std::process::Command;

use crate::support::Work;
use crate::support::signing::{problem, run};
use whimbrel_core::lineage::Revision;
use whimbrel_git::{SignatureError, SignatureProblem, Signed, Signers};

struct Gpg {
    work: Work,
    home: tempfile::TempDir,
}

impl Gpg {
    fn new() -> Self {
        let home = tempfile::Builder::new().prefix("wbgpg").tempdir().unwrap();
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o700);
        std::fs::set_permissions(home.path(), mode).unwrap();
        Self {
            work: Work::new(),
            home,
        }
    }

    fn gpg(&self, arguments: &[&str]) -> String {
        let batch = [
            "--batch",
            "--quiet",
            "--yes",
            "--passphrase",
            "",
            "--pinentry-mode",
            "loopback",
        ];
        let all: Vec<_> = batch.iter().chain(arguments).copied().collect();
        run("gpg", &all, &[("GNUPGHOME", self.home.path())])
    }

    /// A certificate; gives its fingerprint.
    fn certificate(&self, user: &str, algorithm: &str, expires: &str) -> String {
        self.gpg(&[
            "--quick-generate-key",
            user,
            algorithm,
            "sign,cert",
            expires,
        ]);
        let listed = self.gpg(&["--list-keys", "--with-colons", user]);
        let line = listed
            .lines()
            .find(|line| line.starts_with("fpr:"))
            .unwrap();
        line.split(':').nth(9).unwrap().to_owned()
    }

    fn export(&self, user: &str) -> String {
        self.gpg(&["--armor", "--export", user])
    }

    fn commit(&self, key: &str) -> Revision {
        let key = format!("user.signingKey={key}");
        let home = self.home.path().to_str().unwrap();
        let program = self.work.path().join(".git/gpg");
        std::fs::write(&program, format!("#!/bin/sh\nGNUPGHOME={home} exec gpg --batch --pinentry-mode loopback --passphrase '' \"$@\"\n")).unwrap();
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(&program, mode).unwrap();
        let program = format!("gpg.program={}", program.display());
        self.work.git(&[
            "-c",
            &key,
            "-c",
            &program,
            "commit",
            "--quiet",
            "--allow-empty",
            "-S",
            "-m",
            "signed",
        ]);
        self.work.head()
    }

    fn verify(&self, revision: &Revision, keys: &str) -> Result<Signed, SignatureError> {
        let signers = Signers::parse("", keys).unwrap();
        self.work.open().verify_commit(revision, &signers)
    }
}

impl Drop for Gpg {
    fn drop(&mut self) {
        let _ = Command::new("gpgconf")
            .args(["--kill", "all"])
            .env("GNUPGHOME", self.home.path())
            .output();
    }
}

#[test]
fn openpgp_certificates_are_verified() {
    let gpg = Gpg::new();
    for (user, algorithm) in [
        ("Ada <ada@example.org>", "ed25519"),
        ("Bob <bob@example.org>", "rsa3072"),
    ] {
        let fingerprint = gpg.certificate(user, algorithm, "1y");
        let commit = gpg.commit(&fingerprint);
        let found = gpg.verify(&commit, &gpg.export(&fingerprint)).unwrap();
        assert_eq!(
            (found.signer.as_str(), found.key.as_str()),
            (user, fingerprint.as_str())
        );
    }
    let ada = gpg.export("ada@example.org");
    let both = format!("{ada}\n{}", gpg.export("bob@example.org"));
    let head = gpg.work.head();
    gpg.verify(&head, &both).unwrap();
    assert!(matches!(
        problem(gpg.verify(&head, &ada)),
        SignatureProblem::UnknownKey(_)
    ));
    assert!(matches!(
        problem(gpg.verify(&head, "")),
        SignatureProblem::UnknownKey(_)
    ));
    let raw = gpg.work.git(&["cat-file", "commit", &head.commit]);
    let file = gpg.work.write(
        "forged",
        &format!("{}\n", raw.replace("\n\nsigned", "\n\nforged")),
    );
    let id = gpg
        .work
        .git(&["hash-object", "-t", "commit", "-w", file.to_str().unwrap()]);
    let why = problem(gpg.verify(&Revision::commit(id), &both));
    assert!(matches!(why, SignatureProblem::Wrong(_)), "{why}");
    assert!(Signers::parse("", "no key").is_err());
    assert!(Signers::parse("", &ada.replace("\n\n", "\n\nAAAA")).is_err());
}

#[test]
fn a_subkey_signs_for_its_certificate() {
    let gpg = Gpg::new();
    let fingerprint = gpg.certificate("Ada <ada@example.org>", "ed25519", "1y");
    gpg.gpg(&["--quick-add-key", &fingerprint, "ed25519", "sign", "1y"]);
    let commit = gpg.commit(&fingerprint);
    let keys = gpg.export(&fingerprint);
    let found = gpg.verify(&commit, &keys).unwrap();
    assert_eq!(found.key, fingerprint);
}

#[test]
fn a_certificate_that_is_over_or_revoked_does_not_count() {
    let gpg = Gpg::new();
    // Made and used long ago, when it was valid for a day.
    let born = ["--faked-system-time", "20200101T000000!"];
    let mut arguments = born.to_vec();
    arguments.extend([
        "--quick-generate-key",
        "Old <old@example.org>",
        "ed25519",
        "sign,cert",
        "1d",
    ]);
    gpg.gpg(&arguments);
    let old = gpg.export("old@example.org");
    let commit = {
        let program = gpg.work.path().join(".git/old");
        let home = gpg.home.path().display();
        std::fs::write(&program, format!("#!/bin/sh\nGNUPGHOME={home} exec gpg --batch --pinentry-mode loopback --passphrase '' --faked-system-time 20200101T120000! \"$@\"\n")).unwrap();
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(&program, mode).unwrap();
        let program = format!("gpg.program={}", program.display());
        gpg.work.git(&[
            "-c",
            "user.signingKey=old@example.org",
            "-c",
            &program,
            "commit",
            "--quiet",
            "--allow-empty",
            "-S",
            "-m",
            "then",
        ]);
        gpg.work.head()
    };
    gpg.verify(&commit, &old).unwrap();
    // It says now that it had been over by then.
    let fingerprint = gpg.gpg(&["--list-keys", "--with-colons", "old@example.org"]);
    let line = fingerprint
        .lines()
        .find(|line| line.starts_with("fpr:"))
        .unwrap();
    let fingerprint = line.split(':').nth(9).unwrap();
    gpg.gpg(&[
        "--faked-system-time",
        "20200101T010000!",
        "--quick-set-expire",
        fingerprint,
        "seconds=3600",
    ]);
    let why = problem(gpg.verify(&commit, &gpg.export("old@example.org")));
    assert!(why.to_string().contains("expired"), "{why}");
    let ada = gpg.certificate("Ada <ada@example.org>", "ed25519", "1y");
    let commit = gpg.commit(&ada);
    gpg.verify(&commit, &gpg.export(&ada)).unwrap();
    let revocation = gpg.home.path().join(format!("openpgp-revocs.d/{ada}.rev"));
    let text = std::fs::read_to_string(&revocation)
        .unwrap()
        .replace(":-----BEGIN", "-----BEGIN");
    std::fs::write(&revocation, text).unwrap();
    gpg.gpg(&["--import", revocation.to_str().unwrap()]);
    let why = problem(gpg.verify(&commit, &gpg.export(&ada)));
    assert!(matches!(why, SignatureProblem::NotAllowed(_)), "{why}");
}
