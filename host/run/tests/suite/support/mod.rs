//! A stage for runs: real databases of both dialects, definitions given as text, and whatever a test wants to change.
//!
//! tidy: long because one stage serves every suite of the run, and its parts need each other

pub mod lending;
#[cfg(feature = "crash-points")]
pub mod mutation;
pub mod wire;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use whimbrel_core::definition::{
    Action, Check, Checks, Migration, Origin, PluginAction, SqlAction, Step,
};
use whimbrel_core::digest::Digest;
use whimbrel_core::duration::Duration;
use whimbrel_core::gate::{Gate, Refusal};
use whimbrel_core::history::{History, Owner};
use whimbrel_core::lineage::{Absence, Lineage};
use whimbrel_core::name::{DatabaseName, MigrationName, PluginName, TargetName};
use whimbrel_core::plan::{
    Decision, DesiredMigration, Goal, Operation, OperationAction, Plan, Prepared,
    PreparedMigrations, TargetPlan, assemble, decide,
};
use whimbrel_core::policy::Policy;
use whimbrel_core::statement::Dialect;
use whimbrel_core::value::Value;
use whimbrel_database::history::LeaseRecord;
use whimbrel_database::{Command, Endpoint, Session, SessionSettings, connect, history, split};
use whimbrel_plugin::{Plugin, PluginError};
use whimbrel_postgres_server::PostgresServer;
use whimbrel_run::{
    Access, ConnectError, Connection, Connector, Permanent, PlanError, Planner, Plugins, Request,
    RunReport, Settings, Stop, run,
};
use whimbrel_signal::{Bus, Scrubber, Signal, Sink};

pub fn name(text: &str) -> MigrationName {
    text.parse().unwrap()
}

pub fn target(text: &str) -> TargetName {
    TargetName::single(text.parse().unwrap())
}

/// A migration of the database `main` with one step per text; `up|down` says how a step is reverted.
pub fn migration(migration_name: &str, steps: &[&str]) -> Migration {
    let steps = steps
        .iter()
        .map(|text| {
            let (sql, revert) = match text.split_once('|') {
                Some((sql, revert)) => (sql, Some(revert.to_owned())),
                None => (*text, None),
            };
            Step {
                name: None,
                action: Action::Sql(SqlAction {
                    sql: sql.to_owned(),
                    revert,
                    file: None,
                    revert_file: None,
                }),
                timeout: None,
            }
        })
        .collect();
    Migration {
        name: name(migration_name),
        database: "main".parse().unwrap(),
        depends_on: Vec::new(),
        steps,
        checks: Checks::default(),
        metrics: Vec::new(),
        origin: Origin {
            path: format!("migrations/{migration_name}.yaml"),
            line: 1,
        },
    }
}

pub fn plugin_step(with: serde_json::Value) -> Step {
    Step {
        name: Some("backfill".to_owned()),
        action: Action::Plugin(PluginAction {
            uses: "backfill".parse().unwrap(),
            with,
            reads: Vec::new(),
        }),
        timeout: None,
    }
}

pub fn check(query: &str, equals: serde_json::Value) -> Check {
    Check {
        name: "the check".to_owned(),
        query: query.to_owned(),
        equals,
    }
}

pub fn prepare(migration: &Migration, dialect: Dialect) -> Prepared {
    let mut prepared = Prepared {
        depends_on: migration.depends_on.clone(),
        before: migration.checks.before.clone(),
        after: migration.checks.after.clone(),
        metrics: migration.metrics.clone(),
        ..Prepared::new(
            migration.name.clone(),
            migration.checksum().unwrap(),
            migration.canonical().unwrap(),
        )
    };
    let mut downs = Vec::new();
    for (step, item) in migration.steps.iter().enumerate() {
        let operation = |text: &str, action| Operation {
            step,
            title: item.title(step),
            hash: Digest::of(text.as_bytes()),
            timeout: item.timeout,
            action,
        };
        let statements = |text: &str| -> Vec<Operation> {
            let statements = split(dialect, text).unwrap();
            statements
                .into_iter()
                .map(|statement| {
                    operation(
                        &statement.text.clone(),
                        OperationAction::Statement(statement),
                    )
                })
                .collect()
        };
        match &item.action {
            Action::Sql(action) => {
                prepared.up.extend(statements(&action.sql));
                match &action.revert {
                    Some(revert) => downs.push(statements(revert)),
                    None => prepared.irreversible.push((step, item.title(step))),
                }
            }
            Action::Plugin(action) => {
                let plugin = operation(
                    &action.with.to_string(),
                    OperationAction::Plugin {
                        uses: action.uses.clone(),
                        with: action.with.clone(),
                        reads: Vec::new(),
                        effects: Vec::new(),
                    },
                );
                prepared.up.push(plugin.clone());
                downs.push(vec![plugin]);
            }
        }
    }
    prepared.down = downs.into_iter().rev().flatten().collect();
    prepared
}

type OnSignal = dyn Fn(&Signal) + Send + Sync;

/// Hears everything.
#[derive(Clone, Default)]
pub struct Ear {
    pub heard: Arc<Mutex<Vec<Signal>>>,
    on_signal: Option<Arc<OnSignal>>,
}

impl Sink for Ear {
    fn emit(&self, signal: &Signal) {
        self.heard.lock().unwrap().push(signal.clone());
        if let Some(on_signal) = &self.on_signal {
            on_signal(signal);
        }
    }
}

/// A whole environment for a test.
#[derive(Clone)]
pub struct Stage {
    pub targets: BTreeMap<TargetName, Endpoint>,
    pub migrations: Vec<Migration>,
    pub absences: BTreeMap<MigrationName, Absence>,
    pub goal: Goal,
    pub policy: Policy,
    pub exact: bool,
    pub overridden: Vec<(Gate, String)>,
    pub refusals: Vec<Refusal>,
    pub stop: Stop,
    pub settings: Settings,
    pub ear: Ear,
    pub owner: Owner,
    pub plugin: Option<Plugin>,
    /// Lends users, where the connections aren't the cluster's own.
    pub lender: Option<Arc<lending::Lender>>,
    _folder: Arc<tempfile::TempDir>,
}

impl Stage {
    pub fn new(dialect: Dialect) -> Self {
        Self::with_databases(dialect, &["main"])
    }

    pub fn with_databases(dialect: Dialect, names: &[&str]) -> Self {
        let folder = Arc::new(tempfile::tempdir().unwrap());
        let targets = names
            .iter()
            .map(|text| (target(text), endpoint(dialect, text, folder.path())))
            .collect();
        let policy = Policy {
            lock_wait: Duration::from_secs(20),
            ..Policy::default()
        };
        Self {
            targets,
            migrations: Vec::new(),
            absences: BTreeMap::new(),
            goal: Goal::Apply,
            policy,
            exact: false,
            overridden: Vec::new(),
            refusals: Vec::new(),
            stop: Stop::default(),
            settings: Settings::default(),
            ear: Ear::default(),
            owner: Owner {
                manager: "whimbrel".to_owned(),
                project: "test".parse().unwrap(),
                environment: "dev".parse().unwrap(),
            },
            plugin: None,
            lender: None,
            _folder: folder,
        }
    }

    /// Calls a function on each signal, on the run's own task.
    pub fn on_signal(&mut self, on_signal: impl Fn(&Signal) + Send + Sync + 'static) {
        self.ear.on_signal = Some(Arc::new(on_signal));
    }

    pub fn dialect(&self) -> Dialect {
        self.targets.values().next().unwrap().dialect()
    }

    pub fn endpoint(&self) -> &Endpoint {
        self.targets.get(&target("main")).unwrap()
    }

    pub async fn session(&self) -> Box<dyn Session> {
        connect(self.endpoint(), &SessionSettings::default())
            .await
            .unwrap()
    }

    pub async fn query(&self, sql: &str) -> Vec<Vec<Value>> {
        self.query_on("main", sql).await
    }

    pub async fn query_on(&self, database: &str, sql: &str) -> Vec<Vec<Value>> {
        let endpoint = self.targets.get(&target(database)).unwrap();
        let mut session = connect(endpoint, &SessionSettings::default())
            .await
            .unwrap();
        let mut done = session
            .run(&[Command::with(sql, Vec::new())])
            .await
            .unwrap();
        done.pop().unwrap().rows.rows
    }

    pub async fn execute(&self, sql: &str) {
        self.session()
            .await
            .run(&[Command::text(sql)])
            .await
            .unwrap();
    }

    pub async fn count(&self, sql: &str) -> i64 {
        match self.query(sql).await.first().and_then(|row| row.first()) {
            Some(Value::Integer(count)) => *count,
            other => panic!("no count: {other:?}"),
        }
    }

    /// Waits until the database counts any of it, while what is to lead to that goes on.
    pub async fn shows(&self, sql: &str, is_over: impl Fn() -> bool) {
        while self.count(sql).await == 0 {
            assert!(!is_over(), "it was over before there was any: {sql}");
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    }

    pub async fn history(&self) -> History {
        self.history_of("main").await
    }

    pub async fn history_of(&self, database: &str) -> History {
        let endpoint = self.targets.get(&target(database)).unwrap();
        let settings = SessionSettings::default().read_only();
        let mut session = connect(endpoint, &settings).await.unwrap();
        history::read(session.as_mut()).await.unwrap()
    }

    /// Name and state of every record.
    pub async fn states(&self) -> Vec<(String, &'static str)> {
        let history = self.history().await;
        history
            .records
            .iter()
            .map(|record| (record.name.to_string(), record.state.as_str()))
            .collect()
    }

    pub fn access(&self) -> Access {
        Access {
            connector: Arc::new(self.clone()),
            actor: "tester".to_owned(),
            owner: self.owner.clone(),
            revision: None,
            lock_wait: self.policy.lock_wait.to_std(),
            bus: Bus::new(vec![Box::new(self.ear.clone())], Scrubber::default()),
            stop: self.stop.clone(),
            settings: self.settings.clone(),
            heartbeats: whimbrel_database::Heartbeats::default(),
        }
    }

    pub async fn plan(&self) -> Plan {
        let mut targets = Vec::new();
        for target in self.targets.keys() {
            let history = self.history_of(target.database.as_str()).await;
            targets.push(Planner::plan(self, target, &history).await.unwrap());
        }
        Plan {
            environment: self.owner.environment.clone(),
            revision: None,
            targets,
        }
    }

    pub async fn request(&self) -> Request {
        let plan = self.plan().await;
        let refusals = self.refusals.clone();
        Request {
            access: self.access(),
            exact: self.exact.then(|| plan.digest()),
            plan: Arc::new(plan),
            policy: self.policy.clone(),
            overridden: self.overridden.clone(),
            gates: Arc::new(move |_| refusals.clone()),
            planner: Arc::new(self.clone()),
            plugins: Arc::new(self.clone()),
        }
    }

    pub async fn run(&self) -> RunReport {
        run(self.request().await).await
    }

    /// Runs, and expects that it went well.
    pub async fn succeed(&self) -> RunReport {
        let report = self.run().await;
        for target in &report.targets {
            assert!(
                target.error.is_none(),
                "{}: {:?}",
                target.target,
                target.error
            );
        }
        report
    }

    /// Runs, and gives the error of the only target.
    pub async fn fail(&self) -> whimbrel_run::RunError {
        let mut report = self.run().await;
        report
            .targets
            .pop()
            .unwrap()
            .error
            .expect("it should have failed")
    }

    pub fn desired(&self, database: &DatabaseName) -> Vec<DesiredMigration> {
        self.migrations
            .iter()
            .filter(|migration| &migration.database == database)
            .map(|migration| DesiredMigration {
                checksum: migration.checksum().unwrap(),
                migration: Arc::new(migration.clone()),
            })
            .collect()
    }
}

fn endpoint(dialect: Dialect, text: &str, folder: &std::path::Path) -> Endpoint {
    match dialect {
        Dialect::Sqlite => Endpoint::parse(&format!("sqlite:{text}.db"), folder).unwrap(),
        Dialect::Postgres => {
            let url = PostgresServer::shared().database(text);
            Endpoint::parse(&url, folder).unwrap()
        }
    }
}

#[async_trait]
impl Planner for Stage {
    async fn plan(&self, target: &TargetName, history: &History) -> Result<TargetPlan, PlanError> {
        let dialect = self.dialect();
        let desired = self.desired(&target.database);
        let lineage = Lineage {
            absences: self.absences.clone(),
        };
        let goal = match &self.goal {
            // As the project's planner has it: a target is asked for what it has.
            Goal::Revert(names) => {
                let has = |name: &&MigrationName| history.record(name).is_some();
                Goal::Revert(names.iter().filter(has).cloned().collect())
            }
            other => other.clone(),
        };
        let decisions = decide(&desired, history, &lineage, &self.owner, &goal);
        let mut ready = PreparedMigrations::new();
        let mut stored = PreparedMigrations::new();
        for decision in &decisions.decisions {
            match decision {
                Decision::Apply { name, .. } => {
                    let item = desired
                        .iter()
                        .find(|item| &item.migration.name == name)
                        .unwrap();
                    ready.insert(name.clone(), Ok(prepare(&item.migration, dialect).into()));
                }
                Decision::Revert { name, .. } => {
                    let record = history.record(name).unwrap();
                    let migration =
                        Migration::from_canonical(name.clone(), &record.definition).unwrap();
                    stored.insert(name.clone(), Ok(prepare(&migration, dialect).into()));
                }
                Decision::Rename { .. } => {}
            }
        }
        Ok(assemble(
            target.clone(),
            dialect,
            decisions,
            ready,
            stored,
            history,
        ))
    }
}

#[async_trait]
impl Connector for Stage {
    async fn connect(&self, target: &TargetName) -> Result<Connection, ConnectError> {
        if let Some(lender) = &self.lender {
            return lender.connect(self, target).await;
        }
        let endpoint = self.targets.get(target).unwrap().clone();
        let settings = SessionSettings {
            lock_timeout: Some(self.policy.lock_timeout.to_std()),
            statement_timeout: Some(self.policy.statement_timeout.to_std()),
            ..SessionSettings::default()
        };
        let session = connect(&endpoint, &settings).await?;
        Ok(Connection {
            endpoint,
            session,
            credentials: Arc::new(Permanent),
        })
    }

    async fn end_leases(&self, left: Vec<LeaseRecord>) -> Vec<LeaseRecord> {
        match &self.lender {
            Some(lender) => lender.end_leases(left).await,
            None => Vec::new(),
        }
    }

    fn server(&self, target: &TargetName) -> String {
        self.targets
            .get(target)
            .map(Endpoint::server_key)
            .unwrap_or_default()
    }
}

#[async_trait]
impl Plugins for Stage {
    async fn plugin(&self, _: &PluginName) -> Result<Plugin, PluginError> {
        Ok(self.plugin.clone().expect("the test sets its plugin"))
    }
}

/// The built-in plugin, admitted.
pub async fn backfill() -> Plugin {
    let bytes = whimbrel_plugin::builtin("backfill").expect("run `cargo xtask plugins` first");
    let sandbox = whimbrel_plugin::Sandbox::new(whimbrel_plugin::Settings::default()).unwrap();
    let grants = whimbrel_plugin::Grants::default();
    sandbox
        .admit(&"backfill".parse().unwrap(), bytes.to_vec(), grants)
        .await
        .unwrap()
}
