//! Plans targets: pure `core::plan` over what is gathered from definitions, plugins and Git.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use tokio::sync::Mutex;
use whimbrel_core::definition::Migration;
use whimbrel_core::environment::Environment;
use whimbrel_core::finding::Finding;
use whimbrel_core::history::{History, Owner};
use whimbrel_core::lineage::Lineage;
use whimbrel_core::name::{DatabaseName, MigrationName, TargetName};
use whimbrel_core::plan::{
    Decision, Decisions, DesiredMigration, Goal, Mistake, PrepareError, Prepared,
    PreparedMigrations, TargetPlan, Where, assemble, decide,
};
use whimbrel_core::statement::Dialect;
use whimbrel_core::template::Values;

use crate::absence::Absences;
use crate::mistakes::Source;
use crate::notices::notices;
use crate::open::Tree;
use crate::plugins::Plugins;
use crate::prepare::Preparer;
use crate::rules::Rules;
use crate::sql_lint::sql_findings;
use crate::{OpenProject, ProjectError, Targets};

/// A definition at hand made ready, with what lint says of it.
type Ready = (Result<Arc<Prepared>, PrepareError>, Vec<Finding>);

/// Plans the targets of one environment, as often as asked: before a run, and again under each target's lock. The same
/// history gives the same plan.
pub struct Planner {
    environment: Environment,
    owner: Owner,
    goal: Goal,
    targets: Arc<Targets>,
    plugins: Arc<Plugins>,
    absences: Absences,
    tree: Tree,
    rules: Rules,
    desired: BTreeMap<DatabaseName, Arc<[DesiredMigration]>>,
    /// All targets of one dialect get the same statements, so a hundred of them share the work.
    ready: Mutex<BTreeMap<(Dialect, MigrationName), Arc<Ready>>>,
}

impl Planner {
    /// A planner for the targets of one environment of a project.
    #[must_use]
    pub fn new(
        project: &OpenProject,
        targets: Arc<Targets>,
        plugins: Arc<Plugins>,
        goal: Goal,
    ) -> Self {
        let environment = targets.environment().clone();
        let mut desired = BTreeMap::new();
        for database in environment.databases.keys() {
            desired.insert(database.clone(), project.desired(database));
        }
        Self {
            owner: project.owner(&environment),
            absences: Absences::new(project),
            tree: project.tree(),
            rules: Rules::new(project),
            environment,
            goal,
            targets,
            plugins,
            desired,
            ready: Mutex::default(),
        }
    }

    /// The environment.
    #[must_use]
    pub const fn environment(&self) -> &Environment {
        &self.environment
    }

    /// Who the targets belong to.
    #[must_use]
    pub const fn owner(&self) -> &Owner {
        &self.owner
    }

    /// What the plans are for.
    #[must_use]
    pub const fn goal(&self) -> &Goal {
        &self.goal
    }

    /// The migrations that a database should have, in order.
    #[must_use]
    pub fn desired(&self, database: &DatabaseName) -> &[DesiredMigration] {
        self.desired
            .get(database)
            .map(AsRef::as_ref)
            .unwrap_or_default()
    }

    /// What Git says of every migration that a history has and the definitions lack.
    ///
    /// # Errors
    /// The repository can't be read.
    pub async fn lineage(
        &self,
        target: &TargetName,
        history: &History,
    ) -> Result<Lineage, ProjectError> {
        if self.goal != Goal::Apply {
            return Ok(Lineage::default());
        }
        let wanted: HashSet<_> = self
            .desired(&target.database)
            .iter()
            .map(|item| &item.migration.name)
            .collect();
        self.absences.lineage(history, &wanted).await
    }

    /// What would be done to a target that has this history.
    ///
    /// # Errors
    /// There is no such target, or the repository can't be read. What is wrong with migrations is in the plan.
    pub async fn plan(
        &self,
        target: &TargetName,
        history: &History,
    ) -> Result<TargetPlan, ProjectError> {
        let decisions = self.decide(target, history).await?;
        self.planned(target, history, decisions).await
    }

    /// Plans what was decided. Reverts need the definitions in the history.
    pub(crate) async fn planned(
        &self,
        target: &TargetName,
        history: &History,
        decisions: Decisions,
    ) -> Result<TargetPlan, ProjectError> {
        let dialect = self.targets.get(target)?.dialect;
        let mut desired = PreparedMigrations::new();
        let mut stored = PreparedMigrations::new();
        let mut findings = Vec::new();
        for decision in &decisions.decisions {
            match decision {
                Decision::Rename { .. } => {}
                Decision::Revert { name, .. } => {
                    let prepared = self.stored(dialect, name, history).await;
                    stored.insert(name.clone(), prepared.map(Arc::new));
                }
                Decision::Apply { name, .. } => {
                    let ready = self.ready(dialect, &target.database, name).await;
                    findings.extend(ready.1.iter().cloned());
                    desired.insert(name.clone(), ready.0.clone());
                }
            }
        }
        let mut plan = assemble(target.clone(), dialect, decisions, desired, stored, history);
        plan.findings.extend(findings);
        Ok(plan)
    }

    /// Whether a plan against this history needs the definitions that the history stores: only reverts do.
    ///
    /// # Errors
    /// The repository can't be read.
    pub async fn needs_definitions(
        &self,
        target: &TargetName,
        history: &History,
    ) -> Result<bool, ProjectError> {
        Ok(reverts(&self.decide(target, history).await?))
    }

    /// What is to be done, by names and checksums alone.
    pub(crate) async fn decide(
        &self,
        target: &TargetName,
        history: &History,
    ) -> Result<Decisions, ProjectError> {
        let lineage = self.lineage(target, history).await?;
        let desired = self.desired(&target.database);
        let goal = match &self.goal {
            Goal::Apply => Goal::Apply,
            Goal::Add => Goal::Add,
            // Of what is asked for, each target reverts what it has; `survey` sees what none of them has.
            Goal::Revert(names) => Goal::Revert(
                names
                    .iter()
                    .filter(|name| history.record(name).is_some())
                    .cloned()
                    .collect(),
            ),
        };
        Ok(decide(desired, history, &lineage, &self.owner, &goal))
    }

    /// A definition at hand, made ready once per dialect.
    async fn ready(
        &self,
        dialect: Dialect,
        database: &DatabaseName,
        name: &MigrationName,
    ) -> Arc<Ready> {
        let mut known = self.ready.lock().await;
        let key = (dialect, name.clone());
        if let Some(ready) = known.get(&key) {
            return Arc::clone(ready);
        }
        let item = self
            .desired(database)
            .iter()
            .find(|item| &item.migration.name == name);
        let ready = match item {
            Some(item) => {
                let source = Source::Files(Arc::clone(&self.tree));
                let preparer = self.preparer(source, dialect, &self.environment.parameters);
                let prepared = preparer
                    .prepare(&item.migration, item.checksum.clone())
                    .await;
                let parameters = &self.environment.parameters;
                let mut findings = sql_findings(&self.tree, dialect, &item.migration, parameters);
                findings.extend(notices(&*self.tree, dialect, &item.migration, parameters));
                let judged = findings
                    .into_iter()
                    .filter_map(|finding| self.rules.judge(finding));
                (prepared.map(Arc::new), judged.collect())
            }
            None => (Err(missing(name)), Vec::new()),
        };
        let ready = Arc::new(ready);
        known.insert(key, Arc::clone(&ready));
        ready
    }

    /// A definition that the history stores, made ready with the parameters that it was applied with.
    async fn stored(
        &self,
        dialect: Dialect,
        name: &MigrationName,
        history: &History,
    ) -> Result<Prepared, PrepareError> {
        let record = history.record(name).ok_or_else(|| missing(name))?;
        let migration =
            Migration::from_canonical(name.clone(), &record.definition).map_err(|error| {
                no_file(
                    format!("the definition that was stored can't be read: {error}"),
                    "a newer Whimbrel may have applied it; revert with that one",
                )
            })?;
        let preparer = self.preparer(Source::History, dialect, &record.parameters);
        preparer.prepare(&migration, record.checksum.clone()).await
    }

    fn preparer(&self, source: Source, dialect: Dialect, parameters: &Values) -> Preparer {
        Preparer {
            plugins: Arc::clone(&self.plugins),
            source,
            dialect,
            parameters: parameters.clone(),
        }
    }
}

/// Whether something is reverted.
pub(crate) fn reverts(decisions: &Decisions) -> bool {
    decisions
        .decisions
        .iter()
        .any(|decision| matches!(decision, Decision::Revert { .. }))
}

fn missing(name: &MigrationName) -> PrepareError {
    no_file(
        format!("there is no definition of {name}"),
        "this is a bug of Whimbrel; please report it",
    )
}

fn no_file(message: String, hint: &str) -> PrepareError {
    let at = Where::NoFile;
    let hint = hint.to_owned();
    PrepareError::from(Mistake { at, message, hint })
}
