//! Which commit says what an environment is, and whether what is at hand is on its branch.

use std::collections::BTreeMap;
use std::path::Path;

use crate::support::{DEV, Shop};
use jiff::Timestamp;
use whimbrel_core::lineage::OffBranch;
use whimbrel_project::{
    Control, GateOptions, Location, OpenOptions, OpenProject, ProjectError, gate_input,
};

/// A project with `dev` of the work tree and `production` of `main`, and one migration, committed.
fn project() -> Shop {
    let shop = Shop::new();
    production(&shop, "production.db", "\n  branch: main");
    shop.table("1-orders", "orders");
    shop.commit("first");
    shop
}

fn production(shop: &Shop, file: &str, more: &str) {
    shop.write(
        "environments/production.yaml",
        &DEV.replace("name: dev", "name: production")
            .replace("spec:", &format!("spec:{more}"))
            .replace("shop.db", file),
    );
}

/// A branch on which production's document is another one, that doesn't follow `main` any more.
fn hostile(shop: &Shop) {
    shop.git(&["checkout", "--quiet", "-b", "hostile"]);
    production(shop, "stolen.db", "");
    shop.table("2-more", "more");
    shop.commit("hostile");
}

fn open_location(
    location: &Location,
    environment: Option<&str>,
) -> Result<OpenProject, ProjectError> {
    let options = OpenOptions {
        control: Control::Environment(environment.map(str::to_owned)),
        ..OpenOptions::default()
    };
    OpenProject::open(location, &options)
}

fn open(
    shop: &Shop,
    reference: Option<&str>,
    environment: &str,
) -> Result<OpenProject, ProjectError> {
    open_location(&shop.location(reference), Some(environment))
}

fn url(project: &OpenProject, environment: &str) -> String {
    serde_json::to_string(project.environment(environment).unwrap()).unwrap()
}

fn off_branch(project: &OpenProject) -> Option<OffBranch> {
    let environment = project.environment("production").unwrap();
    let options = GateOptions {
        now: Timestamp::UNIX_EPOCH,
        destructive_confirmed: false,
        overridden: Vec::new(),
    };
    let input = gate_input(project, environment, &BTreeMap::new(), options).unwrap();
    input.branch.map(|(branch, why)| {
        assert_eq!(branch, "main");
        why
    })
}

fn clone(of: &Path, how: &[&str]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let done = std::process::Command::new("git")
        .args(["clone", "--quiet"])
        .args(how)
        .arg(format!("file://{}", of.display()))
        .arg(folder.path())
        .status()
        .unwrap();
    assert!(done.success());
    folder
}

#[test]
fn of_a_revision_only_migrations_are_taken() {
    let shop = project();
    hostile(&shop);
    let opened = open(&shop, Some("hostile"), "production").unwrap();
    assert!(url(&opened, "production").contains("production.db"));
    assert_eq!(opened.definitions().migrations.len(), 2);
    assert_eq!(opened.control_ref().unwrap().0, "main");
    assert_eq!(off_branch(&opened), Some(OffBranch::Elsewhere));
    let merged = open(&shop, Some("main"), "production").unwrap();
    assert_eq!(off_branch(&merged), None);
}

#[test]
fn in_a_work_tree_an_environment_with_a_branch_is_git_s_and_the_others_are_its_own() {
    let shop = project();
    hostile(&shop);
    shop.write("environments/dev.yaml", &DEV.replace("shop.db", "mine.db"));
    let production = open(&shop, None, "production").unwrap();
    assert!(url(&production, "production").contains("production.db"));
    assert_eq!(production.definitions().migrations.len(), 2);
    assert!(
        !production.revision().unwrap().dirty,
        "what isn't read makes nothing dirty"
    );
    let dev = open(&shop, None, "dev").unwrap();
    assert!(url(&dev, "dev").contains("mine.db"));
    assert_eq!(dev.control_ref(), None);
    // Whoever only looks at definitions sees those at hand.
    assert!(url(&shop.open(), "production").contains("stolen.db"));
}

#[test]
fn changes_that_no_commit_has_are_on_no_branch() {
    let shop = project();
    assert_eq!(off_branch(&open(&shop, None, "production").unwrap()), None);
    shop.table("2-more", "more");
    assert_eq!(
        off_branch(&open(&shop, None, "production").unwrap()),
        Some(OffBranch::Uncommitted)
    );
    shop.git(&["branch", "--move", "trunk"]);
    let gone = open(&shop, None, "production").unwrap();
    assert_eq!(gone.control_ref(), None);
    assert_eq!(off_branch(&gone), Some(OffBranch::NoBranch));
}

#[test]
fn outside_of_git_nothing_is_on_a_branch() {
    let shop = project();
    std::fs::remove_dir_all(shop.path().join(".git")).unwrap();
    let opened = open(&shop, None, "production").unwrap();
    assert_eq!(off_branch(&opened), Some(OffBranch::NoCommit));
}

#[test]
fn a_change_can_not_move_the_control_ref() {
    let shop = project();
    hostile(&shop);
    shop.write(
        "whimbrel.yaml",
        "apiVersion: whimbrel.dev/v1alpha1\nkind: Project\nmetadata: { name: shop }\nspec: { controlRef: hostile }\n",
    );
    shop.commit("more hostile");
    for reference in [None, Some("hostile")] {
        let opened = open(&shop, reference, "production").unwrap();
        assert!(url(&opened, "production").contains("production.db"));
    }
    // The branch that has the say can.
    shop.git(&["checkout", "--quiet", "main"]);
    shop.git(&["branch", "release"]);
    shop.write(
        "whimbrel.yaml",
        "apiVersion: whimbrel.dev/v1alpha1\nkind: Project\nmetadata: { name: shop }\nspec: { controlRef: release }\n",
    );
    production(&shop, "later.db", "\n  branch: main");
    shop.commit("what counts is on `release`");
    let opened = open(&shop, None, "production").unwrap();
    assert_eq!(opened.control_ref().unwrap().0, "release");
    assert!(url(&opened, "production").contains("production.db"));
}

#[test]
fn a_default_branch_of_another_name_has_the_say() {
    let shop = project();
    shop.git(&["branch", "--move", "trunk"]);
    shop.write(
        "whimbrel.yaml",
        "apiVersion: whimbrel.dev/v1alpha1\nkind: Project\nmetadata: { name: shop }\nspec: { controlRef: trunk }\n",
    );
    production(&shop, "production.db", "\n  branch: trunk");
    shop.commit("trunk");
    let folder = clone(shop.path(), &[]);
    let location = Location {
        folder: folder.path().to_path_buf(),
        reference: Some("HEAD".to_owned()),
    };
    let opened = open_location(&location, Some("production")).unwrap();
    assert_eq!(opened.control_ref().unwrap().0, "trunk");
}

#[test]
fn a_clone_without_the_control_ref_is_an_error_for_a_revision() {
    let shop = project();
    shop.git(&["branch", "--move", "trunk"]);
    let error = open(&shop, Some("trunk"), "production").unwrap_err();
    assert!(matches!(error, ProjectError::NoControlRef(_)), "{error}");
    assert!(error.hint().unwrap().contains("git fetch origin main"));
    let options = OpenOptions {
        control: Control::Ref("trunk".to_owned()),
        ..OpenOptions::default()
    };
    OpenProject::open(&shop.location(Some("trunk")), &options).unwrap();
}

#[test]
fn what_is_wrong_at_the_control_ref_is_said_to_be_there() {
    let shop = project();
    shop.write("environments/production.yaml", "spec: 1\n");
    shop.commit("broken");
    shop.git(&["checkout", "--quiet", "-b", "mend"]);
    production(&shop, "production.db", "");
    let error = open(&shop, None, "production").unwrap_err();
    assert!(
        matches!(error, ProjectError::ControlDefinitions { .. }),
        "{error}"
    );
    assert!(error.hint().unwrap().contains("--control-ref"));
}

#[test]
fn a_bare_repository_gives_an_environment_its_branch() {
    let shop = project();
    shop.git(&["checkout", "--quiet", "-b", "release"]);
    shop.table("2-more", "more");
    shop.commit("second");
    shop.git(&["tag", "v1"]);
    shop.git(&["checkout", "--quiet", "main"]);
    for (branch, migrations) in [("release", 2), ("v*", 2), ("main", 1)] {
        production(&shop, "production.db", &format!("\n  branch: \"{branch}\""));
        shop.commit("follow");
        let bare = clone(shop.path(), &["--bare"]);
        let location = Location {
            folder: bare.path().to_path_buf(),
            reference: None,
        };
        let opened = open_location(&location, Some("production")).unwrap();
        assert_eq!(
            opened.definitions().migrations.len(),
            migrations,
            "{branch}"
        );
        // Without one it is what HEAD has.
        let dev = open_location(&location, Some("dev")).unwrap();
        assert_eq!(dev.definitions().migrations.len(), 1, "{branch}");
    }
}
