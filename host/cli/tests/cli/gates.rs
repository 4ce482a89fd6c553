//! Gates: destructive statements, approvals, overrides, digests.

use crate::support::Project;

const CAREFUL: &str = "  databases:\n    main: {url: 'sqlite:var/dev.db'}\n  policy: {apply: Auto, destructive: Confirm}\n";
const APPROVED: &str = "  databases:\n    main: {url: 'sqlite:var/dev.db'}\n  policy: {destructive: Allow, approvers: [grace@example.com, 'user:ann']}\n";

#[test]
fn destructive_statements_wait_for_a_yes() {
    let project = Project::with_two();
    project.environment("dev", CAREFUL);
    project.dev(0, &["apply"]);
    project.sql("0003-drop", "DROP TABLE people;", "");
    let refused = project.dev(6, &["apply"]);
    assert!(
        refused.err.contains("destructive: data would be lost"),
        "{refused}"
    );
    assert!(refused.err.contains("--allow-destructive"), "{refused}");
    project.dev(0, &["apply", "--allow-destructive"]);
    assert_eq!(project.tables(), ["orders"]);
}

#[test]
fn a_gate_is_passed_with_a_reason_that_stays() {
    let project = Project::with_two();
    project.environment(
        "dev",
        "  databases:\n    main: {url: 'sqlite:var/dev.db'}\n",
    );
    project.dev(6, &["apply"]);
    project.dev(64, &["apply", "--override", "approval"]);
    project.dev(
        0,
        &[
            "apply",
            "--override",
            "approval",
            "--reason",
            "the night of the outage",
        ],
    );
    let history = project.dev(0, &["history"]);
    assert!(
        history
            .out
            .contains("gate approval, the night of the outage"),
        "{history}"
    );
}

#[test]
fn a_plan_is_approved_by_its_digest_and_by_who_may() {
    let project = Project::with_two();
    project.environment("dev", APPROVED);
    let digest = project.digest("dev");
    let refused = project.dev(6, &["apply", "--plan", &digest]);
    assert!(
        refused.err.contains("approval: every plan needs approval"),
        "{refused}"
    );
    project.dev(6, &["approve", &digest, "--as", "mallory"]);
    project.dev(
        6,
        &[
            "approve",
            "sha256:000000000000",
            "--as",
            "grace@example.com",
        ],
    );
    project.dev(64, &["approve", "what", "--as", "grace@example.com"]);
    let short = digest.strip_prefix("sha256:").unwrap().get(..12).unwrap();
    let approved = project.dev(0, &["approve", short, "--as", "grace@example.com"]);
    assert!(
        approved.out.contains("grace@example.com approved sha256:"),
        "{approved}"
    );
    project.dev(0, &["apply", "--plan", &digest]);
    assert_eq!(project.tables(), ["orders", "people"]);
    let nothing = project.digest("dev");
    let nothing = project.dev(0, &["approve", &nothing, "--as", "grace@example.com"]);
    assert!(nothing.out.contains("nothing to approve"), "{nothing}");
    assert!(project.dev(0, &["history"]).out.contains("approved"));
}

#[test]
fn who_approves_is_git_s_user_unless_somebody_is_named() {
    let project = Project::with_two();
    project.environment(
        "dev",
        "  databases:\n    main: {url: 'sqlite:var/dev.db'}\n",
    );
    project.git(&["init", "--quiet"]);
    project.git(&["config", "user.email", "bob@example.com"]);
    let digest = project.digest("dev");
    let approved = project.dev(0, &["approve", &digest]);
    assert!(
        approved.out.starts_with("bob@example.com approved"),
        "{approved}"
    );
}

#[test]
fn a_revert_by_name_can_be_approved_as_well() {
    let project = Project::with_two();
    project.environment("dev", APPROVED);
    let digest = project.digest("dev");
    project.dev(0, &["approve", &digest, "--as", "grace@example.com"]);
    project.dev(0, &["apply"]);
    let dry = project
        .dev(0, &["revert", "orders", "--dry-run", "--format", "json"])
        .json();
    let digest = dry["digest"].as_str().unwrap();
    project.dev(6, &["revert", "orders"]);
    project.dev(
        0,
        &[
            "approve",
            digest,
            "--revert",
            "orders",
            "--as",
            "grace@example.com",
        ],
    );
    project.dev(0, &["revert", "orders"]);
    assert_eq!(project.tables(), ["people"]);
}

#[test]
fn a_plan_that_moved_is_not_run() {
    let project = Project::new();
    project.table("0001-people");
    let digest = project.digest("dev");
    project.table("0002-orders");
    let refused = project.dev(6, &["apply", "--plan", &digest]);
    assert!(refused.err.contains("the plan changed"), "{refused}");
    assert!(!project.file("var/dev.db").exists());
    let digest = project.digest("dev");
    project.dev(0, &["apply", "--plan", &digest]);
}

#[test]
fn order_is_kept() {
    let project = Project::new();
    project.table("0002-orders");
    project.dev(0, &["apply"]);
    project.table("0001-people");
    let refused = project.dev(6, &["apply"]);
    assert!(refused.err.contains("out-of-order:"), "{refused}");
}
