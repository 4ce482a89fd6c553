//! Stories with a Git repository: promotion, a `git revert`, revisions.

use crate::support::Project;

fn staged() -> Project {
    let project = Project::with_two();
    let spec = |name: &str, more: &str| {
        format!(
            "{more}  databases:\n    main: {{url: 'sqlite:var/{name}.db'}}\n  policy: {{apply: Auto, onRevert: Auto, destructive: Allow}}\n"
        )
    };
    project.environment(
        "staging",
        &spec("staging", "  parameters: {currency: EUR}\n"),
    );
    project.environment(
        "production",
        &spec(
            "production",
            "  after: staging\n  parameters: {currency: USD}\n",
        ),
    );
    project
}

#[test]
fn production_takes_only_what_staging_has_applied() {
    let project = staged();
    project.commit("two tables");
    let refused = project.within("production", 6, &["apply"]);
    assert!(
        refused.err.contains("promotion: `staging` comes first"),
        "{refused}"
    );
    let missing = project.run(&["promote", "staging", "production"]);
    assert_eq!(missing.code, 6, "{missing}");
    assert!(missing.out.contains("missing  0001-people"), "{missing}");

    let applied = project.within("staging", 0, &["apply"]);
    assert!(!applied.err.contains("not published"), "{applied}");
    let ready = project.run(&["promote", "staging", "production"]);
    assert_eq!(ready.code, 0, "{ready}");
    assert!(ready.out.contains("ready  0001-people"), "{ready}");
    assert!(
        ready.out.contains("parameter currency: EUR → USD"),
        "{ready}"
    );
    project.within("production", 0, &["apply"]);
    let json = project
        .run(&["promote", "staging", "production", "--format", "json"])
        .json();
    assert_eq!(json["complete"], true);

    project.table("0003-more");
    project.commit("one more");
    project.within("production", 6, &["apply"]);
    project.within("staging", 0, &["apply"]);
    project.within("production", 0, &["apply"]);
}

#[test]
fn what_no_commit_has_is_not_published() {
    let project = staged();
    project.commit("two tables");
    project.table("0003-more");
    let applied = project.within("staging", 0, &["apply"]);
    assert!(
        applied.err.contains("changes that no commit has"),
        "{applied}"
    );
    project.within("production", 6, &["apply"]);
    project.commit("now it is");
    project.within("staging", 0, &["apply"]);
    project.within("production", 0, &["apply"]);
}

#[test]
fn promotion_needs_an_order_and_a_repository() {
    let project = staged();
    let ended = project.run(&["promote", "dev", "production"]);
    assert_eq!(ended.code, 64, "{ended}");
    assert!(
        ended.err.contains("`production` comes after `staging`"),
        "{ended}"
    );
    assert_eq!(project.run(&["promote", "dev", "staging"]).code, 64);
    assert_eq!(project.run(&["promote", "staging", "production"]).code, 1);
    let outside = project.within("staging", 0, &["apply"]);
    assert!(
        outside.err.contains("isn't a commit of a Git repository"),
        "{outside}"
    );
}

#[test]
fn a_git_revert_runs_the_stored_down() {
    let project = Project::with_two();
    project.commit("two tables");
    project.table("0003-more");
    let third = project.commit("a third");
    project.dev(0, &["apply"]);
    project.git(&["revert", "--no-edit", &third]);
    let plan = project.dev(0, &["plan"]);
    assert!(
        plan.out
            .contains("- revert 0003-more (its definition was removed in Git)"),
        "{plan}"
    );
    project.dev(0, &["apply"]);
    assert_eq!(project.tables(), ["orders", "people"]);
    let history = project.dev(0, &["history"]);
    assert!(
        history.out.lines().next().unwrap().contains("reverted"),
        "{history}"
    );
}

#[test]
fn a_missing_file_alone_reverts_nothing() {
    let project = Project::with_two();
    let first = project.commit("two tables");
    project.dev(0, &["apply"]);
    project.remove("migrations/0002-orders.sql");
    let refused = project.dev(6, &["apply"]);
    assert!(
        refused.err.contains("missing from the work tree only"),
        "{refused}"
    );
    project.git(&["checkout", "--quiet", "."]);
    project.table("0003-more");
    project.commit("a third");
    project.dev(0, &["apply"]);
    let folder = project.path().to_str().unwrap();
    let old = project.dev(6, &["apply", "--project", &format!("{folder}@{first}")]);
    assert!(old.err.contains("does not descend"), "{old}");
    let verify = project.dev(0, &["verify"]);
    assert!(verify.out.contains("no differences"), "{verify}");
}

#[test]
fn a_revision_is_planned_without_a_checkout() {
    let project = Project::with_two();
    let first = project.commit("two tables");
    project.table("0003-more");
    project.commit("a third");
    let at = format!("{}@{first}", project.path().display());
    let plan = project.dev(0, &["plan", "--project", &at]);
    assert!(!plan.out.contains("0003-more"), "{plan}");
    assert!(plan.out.contains(first.get(..12).unwrap()), "{plan}");
    assert_eq!(project.run(&["new", "x", "--project", &at]).code, 64);
}

#[test]
fn a_control_ref_keeps_the_policy_out_of_reach() {
    let project = Project::with_two();
    project.environment(
        "dev",
        "  databases:\n    main: {url: 'sqlite:var/dev.db'}\n",
    );
    project.commit("strict");
    project.environment("dev", crate::support::DEV);
    project.table("0003-more");
    project.commit("a pull request that lets itself pass");
    let refused = project.dev(6, &["apply", "--control-ref", "HEAD~1"]);
    assert!(refused.err.contains("approval"), "{refused}");
}
