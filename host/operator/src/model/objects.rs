//! Objects of an API server and what a database has of them, as small as they can be.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::api::{EnvironmentStatus, MigrationStatus};

/// How many migrations there can be.
pub const SLOTS: usize = 2;
/// Their names.
pub const NAMES: [&str; SLOTS] = ["0001-people", "0002-orders"];
/// What fails whenever it is run.
pub const BAD: u8 = 9;
pub type Slots<T> = [Option<T>; SLOTS];

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Environment {
    pub uid: u8,
    pub generation: i64,
    pub request: u8,
    pub is_suspended: bool,
    pub is_gated: bool,
    pub is_abstract: bool,
    pub is_held: bool,
    pub is_deleted: bool,
    pub status: Option<Arc<EnvironmentStatus>>,
}

/// Why an object is deleted. Nobody tells the operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Cause {
    Own,
    Swept,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Migration {
    pub uid: u8,
    pub generation: i64,
    pub content: u8,
    pub reverts: bool,
    pub is_marked: bool,
    pub deleted: Option<Cause>,
    pub status: Option<Arc<MigrationStatus>>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Approval {
    pub uid: u8,
    pub plan: String,
    pub is_told: bool,
}

/// The objects of a namespace: as they are, or as somebody has seen them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Objects {
    pub environment: Option<Arc<Environment>>,
    pub migrations: Slots<Arc<Migration>>,
    pub approval: Option<Arc<Approval>>,
}

/// What is watched on its own: events of two kinds come in any order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    Environments,
    Migrations,
    Approvals,
}

pub const KINDS: [Kind; 3] = [Kind::Environments, Kind::Migrations, Kind::Approvals];

impl Objects {
    pub fn is_same(&self, other: &Self, kind: Kind) -> bool {
        match kind {
            Kind::Environments => self.environment == other.environment,
            Kind::Migrations => self.migrations == other.migrations,
            Kind::Approvals => self.approval == other.approval,
        }
    }

    pub fn take(&mut self, other: &Self, kind: Kind) {
        match kind {
            Kind::Environments => self.environment.clone_from(&other.environment),
            Kind::Migrations => self.migrations.clone_from(&other.migrations),
            Kind::Approvals => self.approval.clone_from(&other.approval),
        }
    }
}

/// What a database has of a migration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Record {
    pub content: u8,
    pub is_failed: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Database {
    pub records: Slots<Record>,
    pub approvals: BTreeSet<String>,
    /// Which process runs a plan.
    pub lock: Option<usize>,
}

impl Database {
    pub fn has(&self, slot: usize) -> bool {
        self.records[slot].is_some_and(|record| !record.is_failed)
    }
}

/// An object that nothing holds any more is gone.
pub fn go_if<T>(place: &mut Option<Arc<T>>, is_over: impl FnOnce(&T) -> bool) {
    if place.as_deref().is_some_and(is_over) {
        *place = None;
    }
}

impl Environment {
    pub const fn new(uid: u8) -> Self {
        Self {
            uid,
            generation: 1,
            request: 0,
            is_suspended: false,
            is_gated: false,
            is_abstract: false,
            is_held: false,
            is_deleted: false,
            status: None,
        }
    }
}
