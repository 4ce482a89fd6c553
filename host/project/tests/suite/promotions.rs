//! What counts of what an environment has published, for whoever verifies it.

use std::collections::BTreeMap;
use std::process::Command;

use crate::support::{DEV, Shop, applied, plugins, shop, targets};
use jiff::Timestamp;
use secrecy::SecretString;
use whimbrel_core::gate::{Gate, Refusal, evaluate};
use whimbrel_core::history::History;
use whimbrel_core::plan::{Goal, Plan};
use whimbrel_core::promotion::Promotions;
use whimbrel_git::{Signers, SigningKey, Verify};
use whimbrel_project::{GateOptions, OpenOptions, OpenProject, Planner, Verification, gate_input};

const OF_DEV: &str = "refs/whimbrel/promotions/dev";

/// A project whose `production` comes after `staging`, and that after `dev`.
fn project() -> Shop {
    let shop = Shop::new();
    for (name, before) in [("staging", "dev"), ("production", "staging")] {
        let document = DEV
            .replace("name: dev", &format!("name: {name}"))
            .replace("spec:\n", &format!("spec:\n  after: {before}\n"))
            .replace("shop.db", &format!("{name}.db"));
        shop.write(&format!("environments/{name}.yaml"), &document);
    }
    shop.table("1-orders", "orders");
    shop.commit("first");
    shop
}

struct Keys(tempfile::TempDir);

impl Keys {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn key(&self, name: &str) -> SigningKey {
        let file = self.0.path().join(name);
        if !file.exists() {
            let done = Command::new("ssh-keygen")
                .args(["-q", "-t", "ed25519", "-N", "", "-C", name, "-f"])
                .arg(&file)
                .status()
                .unwrap();
            assert!(done.success());
        }
        let text = SecretString::from(std::fs::read_to_string(file).unwrap());
        SigningKey::parse(&text, None).unwrap()
    }

    fn signers(&self, name: &str) -> Signers {
        self.key(name);
        let public = self.0.path().join(format!("{name}.pub"));
        let public = std::fs::read_to_string(public).unwrap();
        Signers::parse(&format!("{name}@example.org {public}"), "").unwrap()
    }

    /// Trusts only records that one key has signed.
    fn trusting(&self, name: &str) -> OpenOptions {
        OpenOptions {
            verification: Verification {
                promotions: Some(self.signers(name)),
                ..Verification::default()
            },
            ..OpenOptions::default()
        }
    }
}

fn open(shop: &Shop, options: &OpenOptions) -> OpenProject {
    OpenProject::open(&shop.location(None), options).unwrap()
}

/// Publishes all that an environment would have applied.
async fn publish(shop_: &Shop, environment: &str, key: Option<SigningKey>) {
    let options = OpenOptions {
        signing: key,
        ..OpenOptions::default()
    };
    let project = open(shop_, &options);
    let targets = targets(&project, environment).await;
    let histories = BTreeMap::from([(shop(), applied(&project, project.revision()))]);
    let repository = project.repository().unwrap();
    let published = project
        .publisher()
        .publish(repository, &targets, &histories);
    published.unwrap();
}

fn of(shop: &Shop, environment: &str, options: &OpenOptions) -> Promotions {
    let project = open(shop, options);
    project.promotions(&environment.parse().unwrap()).unwrap()
}

fn why(promotions: Promotions) -> (String, String) {
    assert_eq!(promotions.records, []);
    let distrust = promotions.distrusted.unwrap();
    (distrust.problem, distrust.hint)
}

/// What the gates of an environment say of everything that is pending.
async fn refusals(shop_: &Shop, environment: &str, options: &OpenOptions) -> Vec<Refusal> {
    let project = open(shop_, options);
    let targets = targets(&project, environment).await;
    let planner = Planner::new(&project, targets, plugins(&project), Goal::Apply);
    let plan = Plan {
        environment: environment.parse().unwrap(),
        revision: project.revision().cloned(),
        targets: vec![planner.plan(&shop(), &History::default()).await.unwrap()],
    };
    let options = GateOptions {
        now: Timestamp::UNIX_EPOCH,
        destructive_confirmed: false,
        overridden: Vec::new(),
    };
    let histories = BTreeMap::from([(shop(), History::default())]);
    let environment = project.environment(environment).unwrap();
    evaluate(
        &plan,
        &gate_input(&project, environment, &histories, options).unwrap(),
    )
}

#[tokio::test]
async fn only_records_that_a_trusted_key_has_signed_count() {
    let (shop, keys) = (project(), Keys::new());
    let trusting = keys.trusting("dev");
    assert_eq!(of(&shop, "dev", &trusting), Promotions::default());

    publish(&shop, "dev", None).await;
    assert_eq!(of(&shop, "dev", &OpenOptions::default()).records.len(), 1);
    let (problem, hint) = why(of(&shop, "dev", &trusting));
    assert!(
        problem.contains(OF_DEV) && problem.contains("isn't signed"),
        "{problem}"
    );
    assert!(hint.contains("WHIMBREL_SIGNING_KEY_FILE"), "{hint}");
    let refused = refusals(&shop, "staging", &trusting).await;
    assert_eq!(refused[0].gate, Gate::Promotion);
    assert!(refused[0].message.contains("isn't signed"), "{refused:?}");

    publish(&shop, "dev", Some(keys.key("mallory"))).await;
    let (problem, hint) = why(of(&shop, "dev", &trusting));
    assert!(
        problem.contains("nobody who is listed (SHA256:"),
        "{problem}"
    );
    assert!(hint.contains("--promotion-signers"), "{hint}");

    publish(&shop, "dev", Some(keys.key("dev"))).await;
    let counted = of(&shop, "dev", &trusting);
    assert_eq!((counted.records.len(), counted.distrusted), (1, None));
    let signer = counted.signer.unwrap();
    assert!(signer.starts_with("dev@example.org (SHA256:"), "{signer}");
    assert_eq!(refusals(&shop, "staging", &trusting).await, []);
    // Who verifies nothing takes them as they are.
    assert_eq!(of(&shop, "dev", &OpenOptions::default()).signer, None);
}

#[tokio::test]
async fn where_commits_are_verified_records_are_too() {
    let (shop, keys) = (project(), Keys::new());
    publish(&shop, "dev", Some(keys.key("dev"))).await;
    let verification = |signer: &str, promotions: Option<&str>| Verification {
        policy: Verify::Head,
        signers: keys.signers(signer),
        since: None,
        promotions: promotions.map(|name| keys.signers(name)),
    };
    let counts = |verification: &Verification| {
        let signers = verification.promotions().unwrap();
        let project = shop.open();
        let repository = project.repository().unwrap();
        let head = repository.promotion_head(&"dev".parse().unwrap()).unwrap();
        repository.verify_commit(&head.unwrap(), signers).is_ok()
    };
    assert!(counts(&verification("dev", None)));
    assert!(!counts(&verification("ada", None)));
    // A list of their own is the only one that counts for them.
    assert!(counts(&verification("ada", Some("dev"))));
    assert!(!counts(&verification("dev", Some("ada"))));
    assert!(Verification::default().promotions().is_none());
}

#[tokio::test]
async fn a_record_counts_for_its_environment_and_its_project_only() {
    let (shop, keys) = (project(), Keys::new());
    let trusting = keys.trusting("dev");
    publish(&shop, "dev", Some(keys.key("dev"))).await;
    // Somebody who may push puts what dev has signed in the place of what staging hasn't.
    shop.git(&["update-ref", "refs/whimbrel/promotions/staging", OF_DEV]);
    for options in [&trusting, &OpenOptions::default()] {
        let (problem, _) = why(of(&shop, "staging", options));
        assert!(problem.contains("is a record of dev"), "{problem}");
        let refused = refusals(&shop, "production", options).await;
        assert_eq!(refused[0].gate, Gate::Promotion);
    }
    // Or into another project's repository.
    let document = "apiVersion: whimbrel.dev/v1alpha1\nkind: Project\nmetadata: { name: other }\n";
    shop.write("whimbrel.yaml", document);
    shop.commit("another project");
    let (problem, hint) = why(of(&shop, "dev", &trusting));
    assert!(problem.contains("of the project `shop`"), "{problem}");
    assert!(hint.contains("apply `dev`"), "{hint}");
}

#[tokio::test]
async fn a_commit_that_was_signed_for_another_purpose_holds_no_records() {
    let (shop, keys) = (project(), Keys::new());
    keys.key("dev");
    let setting = format!("user.signingKey={}", keys.0.path().join("dev").display());
    let arguments = [
        "-c",
        "gpg.format=ssh",
        "-c",
        &setting,
        "commit",
        "--quiet",
        "-S",
    ];
    let more = ["--allow-empty", "-m", "Reviewed and merged"];
    shop.git(&[&arguments[..], &more].concat());
    shop.git(&["update-ref", OF_DEV, "HEAD"]);
    let (problem, _) = why(of(&shop, "dev", &keys.trusting("dev")));
    assert!(problem.contains("no promotion records"), "{problem}");
}
