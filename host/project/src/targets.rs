//! The targets of an environment: which databases there are, and a connection to each, credentials resolved anew.

use std::collections::BTreeMap;
use std::path::Path;

use whimbrel_core::environment::{DatabaseSpec, Environment, ForEach};
use whimbrel_core::name::{DatabaseName, TargetName};
use whimbrel_core::statement::Dialect;
use whimbrel_core::template::Values;
use whimbrel_database::session::read;
use whimbrel_database::{Command, Endpoint, Session, SessionSettings, split_query};
use whimbrel_secrets::Resolver;

use crate::dial::{Connected, Dial};
use crate::instances::instances;
use crate::parameters::read_parameters;
use crate::{Idle, ProjectError};

/// One database of an environment.
#[derive(Clone, Debug)]
pub struct Target {
    /// Its name.
    pub name: TargetName,
    /// The dialect spoken there.
    pub dialect: Dialect,
    /// The same text for all targets of one server.
    pub server: String,
    /// Where it is, without user and password.
    pub address: String,
    values: Values,
}

/// The targets of an environment, and how to connect to them.
pub struct Targets {
    environment: Environment,
    dial: Dial,
    targets: BTreeMap<TargetName, Target>,
    complete: bool,
    /// Whether their histories are read with what they tell of each migration.
    telling: bool,
}

impl Targets {
    /// Reads the parameters that backends keep, once for all, and lists the targets of the given databases, or of all when
    /// none are given. Databases with `forEach` ask theirs, read only. Relative paths are counted from `base`.
    ///
    /// # Errors
    /// A parameter can't be had, a database isn't there, its URL is none, or the list of its targets can't be had.
    pub async fn list(
        environment: &Environment,
        base: &Path,
        resolver: Resolver,
        only: &[DatabaseName],
    ) -> Result<Self, ProjectError> {
        let resolver = resolver.for_environment(&environment.secrets);
        let environment = &read_parameters(environment, &resolver).await?;
        let mut all = Self {
            environment: environment.clone(),
            dial: Dial {
                base: base.to_path_buf(),
                resolver,
            },
            targets: BTreeMap::new(),
            complete: only.is_empty()
                || environment.databases.keys().all(|name| only.contains(name)),
            telling: false,
        };
        let names: Vec<DatabaseName> = if only.is_empty() {
            environment.databases.keys().cloned().collect()
        } else {
            only.to_vec()
        };
        for database in names {
            let spec = all.spec(&database)?.clone();
            match &spec.for_each {
                None => {
                    let target = TargetName::single(database);
                    all.add(target, environment.parameters.clone()).await?;
                }
                Some(for_each) => {
                    for (target, columns) in all.instances(&database, for_each).await? {
                        let mut values = environment.parameters.clone();
                        values.extend(columns);
                        all.add(target, values).await?;
                    }
                }
            }
        }
        Ok(all)
    }

    /// All of them, by name.
    pub fn iter(&self) -> impl Iterator<Item = &Target> {
        self.targets.values()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.targets.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.targets.is_empty()
    }

    /// One of them.
    ///
    /// # Errors
    /// There is none of that name.
    pub fn get(&self, name: &TargetName) -> Result<&Target, ProjectError> {
        self.targets
            .get(name)
            .ok_or_else(|| ProjectError::UnknownTarget {
                environment: self.environment.name.clone(),
                target: name.clone(),
            })
    }

    /// The environment.
    #[must_use]
    pub const fn environment(&self) -> &Environment {
        &self.environment
    }

    /// What resolves the environment's secrets and holds what they lend.
    #[must_use]
    pub const fn resolver(&self) -> &Resolver {
        &self.dial.resolver
    }

    /// Whether the targets of every database of the environment are among them.
    #[must_use]
    pub const fn is_complete(&self) -> bool {
        self.complete
    }

    /// The same, of which somebody shows what their histories tell of each migration.
    #[must_use]
    pub const fn telling(mut self, telling: bool) -> Self {
        self.telling = telling;
        self
    }

    pub(crate) const fn is_telling(&self) -> bool {
        self.telling
    }

    /// Connects for work.
    ///
    /// # Errors
    /// The credentials can't be had, or the database refuses.
    pub async fn connect(
        &self,
        name: &TargetName,
    ) -> Result<(Endpoint, Box<dyn Session>), ProjectError> {
        let connected = self.connect_lent(name).await?;
        Ok((connected.endpoint, connected.session))
    }

    /// Connects for work, and tells what was lent for it. What was lent to others is ended with the resolver.
    ///
    /// # Errors
    /// As for [`Targets::connect`].
    pub async fn connect_lent(&self, name: &TargetName) -> Result<Connected, ProjectError> {
        self.open(name, &self.settings(), None).await
    }

    /// Connects for reading only.
    ///
    /// # Errors
    /// As for [`Targets::connect`].
    pub async fn connect_read_only(
        &self,
        name: &TargetName,
    ) -> Result<(Endpoint, Box<dyn Session>), ProjectError> {
        let connected = self.connect_lent_read_only(name, None).await?;
        Ok((connected.endpoint, connected.session))
    }

    /// Connects for reading only, or takes a connection that was kept, and tells what was lent for it.
    ///
    /// # Errors
    /// As for [`Targets::connect`].
    pub(crate) async fn connect_lent_read_only(
        &self,
        name: &TargetName,
        idle: Option<&Idle>,
    ) -> Result<Connected, ProjectError> {
        self.open(name, &self.settings().read_only(), idle).await
    }

    /// What the policy makes of a session.
    #[must_use]
    pub fn settings(&self) -> SessionSettings {
        SessionSettings {
            lock_timeout: Some(self.environment.policy.lock_timeout.to_std()),
            statement_timeout: Some(self.environment.policy.statement_timeout.to_std()),
            ..SessionSettings::default()
        }
    }

    async fn open(
        &self,
        name: &TargetName,
        settings: &SessionSettings,
        idle: Option<&Idle>,
    ) -> Result<Connected, ProjectError> {
        let target = self.get(name)?;
        let spec = self.spec(&name.database)?;
        self.dial
            .connect(spec, &target.values, settings, idle)
            .await
            .map_err(|source| ProjectError::Connect {
                target: name.clone(),
                source: Box::new(source),
            })
    }

    async fn add(&mut self, name: TargetName, values: Values) -> Result<(), ProjectError> {
        let spec = self.spec(&name.database)?;
        // Of secrets only the URL is read here, and only when it is one: listing targets asks for no password.
        let place = DatabaseSpec {
            username: None,
            password: None,
            ..spec.clone()
        };
        let endpoint = self
            .dial
            .endpoint(&place, &values, &self.dial.resolver.begin())
            .await
            .map_err(|source| ProjectError::Connect {
                target: name.clone(),
                source: Box::new(source),
            })?;
        let target = Target {
            dialect: endpoint.dialect(),
            server: endpoint.server_key(),
            address: endpoint.to_string(),
            name: name.clone(),
            values,
        };
        self.targets.insert(name, target);
        Ok(())
    }

    /// The rows of `forEach`, each with the target that it stands for.
    async fn instances(
        &self,
        database: &DatabaseName,
        for_each: &ForEach,
    ) -> Result<Vec<(TargetName, Values)>, ProjectError> {
        let of = self.spec(&for_each.of)?;
        let wrong = |problem: String| ProjectError::ForEach {
            database: database.clone(),
            problem,
        };
        if of.for_each.is_some() {
            return Err(wrong(format!(
                "`{}` has a `forEach` of its own",
                for_each.of
            )));
        }
        let settings = self.settings().read_only();
        let query = &for_each.query;
        let dialed = self
            .dial
            .connect(of, &self.environment.parameters, &settings, None)
            .await;
        let mut connected = dialed.map_err(|source| ProjectError::Connect {
            target: TargetName::single(for_each.of.clone()),
            source: Box::new(source),
        })?;
        let dialect = connected.session.dialect();
        let done = match split_query(dialect, query) {
            Ok(query) => {
                let command = Command::with(query.text, Vec::new());
                let done = read(connected.session.as_mut(), command).await;
                done.map_err(|error| wrong(error.to_string()))
            }
            Err(error) => Err(ProjectError::ForEachQuery {
                database: database.clone(),
                dialect,
                error,
            }),
        };
        connected.close().await;
        instances(database, &done?.rows).map_err(wrong)
    }

    fn spec(&self, database: &DatabaseName) -> Result<&DatabaseSpec, ProjectError> {
        let spec = self.environment.databases.get(database);
        spec.ok_or_else(|| ProjectError::unknown_database(&self.environment, database))
    }
}

impl std::fmt::Debug for Targets {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_set().entries(self.targets.keys()).finish()
    }
}
