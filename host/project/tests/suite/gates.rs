//! What the gates are told, and what an environment publishes for the next one.

use std::collections::BTreeMap;

use crate::support::{DEV, Shop, applied, plugins, shop, targets};
use jiff::{SignedDuration, Timestamp};
use whimbrel_core::approval::Approval;
use whimbrel_core::gate::{Gate, evaluate};
use whimbrel_core::history::{Event, EventKind, History};
use whimbrel_core::name::TargetName;
use whimbrel_core::plan::{Goal, Plan};
use whimbrel_project::{GateOptions, OpenProject, Planner, Targets, gate_input};

fn options() -> GateOptions {
    GateOptions {
        now: "2026-01-02T12:00:00Z".parse::<Timestamp>().unwrap(),
        destructive_confirmed: false,
        overridden: Vec::new(),
    }
}

/// A project with `dev` and a `production` that comes after it and asks for approval.
fn project() -> Shop {
    let shop = Shop::new();
    shop.write(
        "environments/production.yaml",
        &DEV.replace("name: dev", "name: production")
            .replace("spec:\n", "spec:\n  after: dev\n")
            .replace("shop.db", "production.db")
            .replace("apply: Auto", "apply: Approve"),
    );
    shop.table("1-orders", "orders");
    shop.commit("first");
    shop
}

async fn plan(project: &OpenProject, history: &History) -> Plan {
    let targets = targets(project, "production").await;
    let planner = Planner::new(project, targets, plugins(project), Goal::Apply);
    Plan {
        environment: "production".parse().unwrap(),
        revision: project.revision().cloned(),
        targets: vec![planner.plan(&shop(), history).await.unwrap()],
    }
}

fn refusals(project: &OpenProject, plan: &Plan, history: &History) -> Vec<Gate> {
    let environment = project.environment("production").unwrap();
    let histories = BTreeMap::from([(shop(), history.clone())]);
    let input = gate_input(project, environment, &histories, options()).unwrap();
    assert_eq!(input.author.as_deref(), Some("Ada <ada@example.org>"));
    let refusals = evaluate(plan, &input);
    refusals.into_iter().map(|refusal| refusal.gate).collect()
}

fn publish(project: &OpenProject, targets: &Targets, histories: &BTreeMap<TargetName, History>) {
    let repository = project.repository().unwrap();
    let published = project.publisher().publish(repository, targets, histories);
    assert_eq!(published.unwrap().distrusted, None);
}

#[tokio::test]
async fn production_takes_what_dev_has_published_and_somebody_approved() {
    let shop_ = project();
    let project = shop_.open();
    let nothing = History::default();
    let plan = plan(&project, &nothing).await;
    assert_eq!(
        refusals(&project, &plan, &nothing),
        [Gate::Promotion, Gate::Approval]
    );

    let dev = targets(&project, "dev").await;
    let history = applied(&project, project.revision());
    let histories = BTreeMap::from([(shop(), history)]);
    publish(&project, &dev, &histories);
    assert_eq!(refusals(&project, &plan, &nothing), [Gate::Approval]);

    let approval = Approval::of(
        &plan,
        "grace",
        options().now + SignedDuration::from_hours(1),
    );
    let event = Event {
        id: 1,
        kind: EventKind::Approved,
        migration: None,
        run: "run".to_owned(),
        actor: "grace".to_owned(),
        revision: None,
        plan: Some(plan.digest()),
        at: "2026-01-02T11:00:00Z".to_owned(),
        details: approval.details().unwrap(),
    };
    let approved = History {
        approvals: vec![event],
        ..History::default()
    };
    assert_eq!(refusals(&project, &plan, &approved), []);

    // Dev loses it again: what it published is withdrawn, but not when dev could not be read.
    publish(&project, &dev, &BTreeMap::new());
    assert_eq!(refusals(&project, &plan, &approved), []);
    let lost = BTreeMap::from([(shop(), History::default())]);
    publish(&project, &dev, &lost);
    assert_eq!(refusals(&project, &plan, &approved), [Gate::Promotion]);
}

#[tokio::test]
async fn an_edited_migration_is_not_what_was_published() {
    let shop_ = project();
    let project = shop_.open();
    let dev = targets(&project, "dev").await;
    let history = applied(&project, project.revision());
    let histories = BTreeMap::from([(shop(), history)]);
    publish(&project, &dev, &histories);
    shop_.table("1-orders", "other");
    shop_.commit("edited");
    let edited = shop_.open();
    let plan = plan(&edited, &History::default()).await;
    let gates = refusals(&edited, &plan, &History::default());
    assert!(gates.contains(&Gate::Promotion), "{gates:?}");
}
