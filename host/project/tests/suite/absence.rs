//! What Git says of migrations that are applied and absent, and what the plan makes of it.

use crate::support::{Shop, applied, planner, shop};
use whimbrel_core::history::History;
use whimbrel_core::lineage::{Absence, Revision};
use whimbrel_core::plan::{BlockerCode, Goal, TargetPlan, Work};
use whimbrel_project::OpenProject;

async fn absence(project: &OpenProject, history: &History, name: &str) -> Absence {
    let planner = planner(project, Goal::Apply).await;
    let lineage = planner.lineage(&shop(), history).await.unwrap();
    lineage.absences[&name.parse().unwrap()].clone()
}

async fn plan(project: &OpenProject, history: &History) -> TargetPlan {
    let planner = planner(project, Goal::Apply).await;
    planner.plan(&shop(), history).await.unwrap()
}

/// Two migrations, applied from the commit that has both.
fn two() -> (Shop, Revision, History) {
    let shop = Shop::new();
    shop.table("1-orders", "orders");
    shop.table("2-customers", "customers");
    let revision = shop.commit("both");
    let history = applied(&shop.open(), Some(&revision));
    (shop, revision, history)
}

#[tokio::test]
async fn a_commit_that_removed_it_reverts_it_by_the_stored_down() {
    let (shop, _, history) = two();
    shop.remove("migrations/2-customers.sql");
    let removed = shop.commit("remove");
    shop.write("README.md", "");
    shop.commit("later");
    let project = shop.open();
    assert_eq!(
        absence(&project, &history, "2-customers").await,
        Absence::Removed { by: Some(removed) }
    );
    let plan = plan(&project, &history).await;
    assert!(plan.blockers.is_empty(), "{:?}", plan.blockers);
    let [Work::Revert(change)] = plan.work.as_slice() else {
        panic!("expected one revert, got {:?}", plan.work);
    };
    assert_eq!(change.migration.as_str(), "2-customers");
    assert_eq!(change.operations.len(), 1);
}

#[tokio::test]
async fn an_older_or_diverged_revision_reverts_nothing() {
    let shop = Shop::new();
    shop.table("1-orders", "orders");
    let first = shop.commit("first");
    shop.table("2-customers", "customers");
    let second = shop.commit("second");
    let history = applied(&shop.open(), Some(&second));
    let older = shop.open_at(&first.commit);
    assert_eq!(
        absence(&older, &history, "2-customers").await,
        Absence::NotDescendant
    );
    let plan = plan(&older, &history).await;
    assert_eq!(plan.blockers[0].code, BlockerCode::NotDescendant);
    shop.git(&["checkout", "--quiet", "-b", "side", &first.commit]);
    shop.table("3-items", "items");
    shop.commit("diverged");
    assert_eq!(
        absence(&shop.open(), &history, "2-customers").await,
        Absence::NotDescendant
    );
}

#[tokio::test]
async fn a_commit_that_is_not_in_the_repository_is_no_ancestor() {
    let (shop, _, _) = two();
    let gone = Revision::commit("1".repeat(40));
    let history = applied(&shop.open(), Some(&gone));
    shop.remove("migrations/2-customers.sql");
    shop.commit("remove");
    assert_eq!(
        absence(&shop.open(), &history, "2-customers").await,
        Absence::NotDescendant
    );
    // A shallow clone could not know.
    let folder = tempfile::tempdir().unwrap();
    let clone = folder.path().join("clone");
    let url = format!("file://{}", shop.path().display());
    shop.git(&[
        "clone",
        "--quiet",
        "--depth=1",
        &url,
        clone.to_str().unwrap(),
    ]);
    let location = whimbrel_project::Location::parse(clone.to_str().unwrap()).unwrap();
    let shallow = OpenProject::open(&location, &whimbrel_project::OpenOptions::default()).unwrap();
    assert_eq!(
        absence(&shallow, &history, "2-customers").await,
        Absence::NoHistory
    );
}

#[tokio::test]
async fn a_file_that_is_gone_from_the_work_tree_only_is_uncommitted() {
    let (shop, _, history) = two();
    shop.remove("migrations/2-customers.sql");
    let project = shop.open();
    assert_eq!(
        absence(&project, &history, "2-customers").await,
        Absence::Uncommitted
    );
    assert_eq!(plan(&project, &history).await.blockers.len(), 1);
}

#[tokio::test]
async fn what_was_applied_from_a_work_tree_and_never_committed_stays() {
    let shop = Shop::new();
    shop.table("1-orders", "orders");
    let first = shop.commit("first");
    shop.table("2-customers", "customers");
    let dirty = shop.open();
    let revision = dirty.revision().unwrap().clone();
    assert!(revision.dirty && revision.commit == first.commit);
    let history = applied(&dirty, Some(&revision));
    shop.remove("migrations/2-customers.sql");
    assert_eq!(
        absence(&shop.open(), &history, "2-customers").await,
        Absence::NeverCommitted
    );
    // Committed afterwards and then removed: now a commit says so.
    shop.table("2-customers", "customers");
    shop.commit("second");
    shop.remove("migrations/2-customers.sql");
    let removed = shop.commit("removed");
    assert_eq!(
        absence(&shop.open(), &history, "2-customers").await,
        Absence::Removed { by: Some(removed) }
    );
}

#[tokio::test]
async fn without_git_there_is_no_history() {
    let (shop, _, history) = two();
    let from_nowhere = applied(&shop.open(), None);
    shop.remove("migrations/2-customers.sql");
    shop.commit("remove");
    let project = shop.open();
    assert_eq!(
        absence(&project, &from_nowhere, "2-customers").await,
        Absence::NoHistory
    );
    assert_ne!(
        absence(&project, &history, "2-customers").await,
        Absence::NoHistory
    );
}

#[tokio::test]
async fn a_commit_whose_definitions_are_wrong_is_read_by_its_file_names() {
    let (shop, _, history) = two();
    shop.write("environments/broken.yaml", "kind: [");
    shop.commit("broken for a while");
    shop.remove("migrations/2-customers.sql");
    let removed = shop.commit("remove");
    shop.remove("environments/broken.yaml");
    shop.commit("mended");
    assert_eq!(
        absence(&shop.open(), &history, "2-customers").await,
        Absence::Removed { by: Some(removed) }
    );
}

#[tokio::test]
async fn a_renamed_migration_is_renamed_in_the_history() {
    let (shop, _, history) = two();
    shop.git(&[
        "mv",
        "migrations/2-customers.sql",
        "migrations/2-clients.sql",
    ]);
    shop.commit("rename");
    let plan = plan(&shop.open(), &history).await;
    assert!(plan.blockers.is_empty(), "{:?}", plan.blockers);
    assert!(
        matches!(plan.work.as_slice(), [Work::Rename { .. }]),
        "{:?}",
        plan.work
    );
}

#[tokio::test]
async fn an_empty_tree_reverts_nothing() {
    let (shop, _, history) = two();
    shop.remove("migrations/1-orders.sql");
    shop.remove("migrations/2-customers.sql");
    shop.commit("empty");
    let plan = plan(&shop.open(), &history).await;
    assert_eq!(plan.blockers[0].code, BlockerCode::EmptyTree);
    assert!(plan.work.is_empty());
}
