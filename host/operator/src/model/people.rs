//! What people do with the objects, and what an API server does with what they delete.

use std::sync::Arc;

use super::objects::{Approval, Cause, Environment, Migration, go_if};
use super::world::World;

/// What somebody does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Deed {
    Suspend,
    Resume,
    /// Asks for an approval of every plan from now on.
    Gate,
    /// Approves the plan that the status shows.
    Approve,
    MakeAbstract,
    Request,
    /// Writes a migration anew, or another content of it.
    Write(usize, u8),
    /// `deletionPolicy: Keep`.
    Keep(usize),
    Delete(usize),
    DeleteEnvironment,
    /// The environment and its migrations, one after the other, in any order.
    DeleteAll,
    DeleteNamespace,
    DeleteKind,
    Recreate,
}

impl World {
    /// Whether it makes sense now.
    pub fn can(&self, deed: Deed) -> bool {
        let environment = self.server.environment.as_deref();
        let is_there = environment.is_some_and(|one| !one.is_deleted);
        let migration = |slot: usize| self.server.migrations[slot].as_deref();
        let goes = self.is_namespace_going || self.is_kind_going;
        match deed {
            Deed::Suspend => is_there && environment.is_some_and(|one| !one.is_suspended),
            Deed::Resume => is_there && environment.is_some_and(|one| one.is_suspended),
            Deed::Gate => is_there && environment.is_some_and(|one| !one.is_gated),
            Deed::MakeAbstract => is_there && environment.is_some_and(|one| !one.is_abstract),
            Deed::Request | Deed::DeleteEnvironment | Deed::DeleteAll => is_there,
            Deed::Approve => {
                let shown = environment.and_then(|one| one.status.as_ref()?.plan.as_ref());
                let approval = self.server.approval.as_ref();
                shown.is_some() && shown != approval.map(|approval| &approval.plan)
            }
            Deed::Write(slot, content) => {
                !goes
                    && migration(slot)
                        .is_none_or(|one| one.deleted.is_none() && one.content != content)
            }
            Deed::Keep(slot) => migration(slot).is_some_and(|one| one.reverts),
            Deed::Delete(slot) => migration(slot).is_some_and(|one| one.deleted.is_none()),
            Deed::DeleteNamespace | Deed::DeleteKind => !goes,
            Deed::Recreate => environment.is_none() && !self.is_namespace_going,
        }
    }

    pub fn act(&mut self, deed: Deed) {
        match deed {
            Deed::Suspend => self.edit(|one| one.is_suspended = true),
            Deed::Resume => self.edit(|one| one.is_suspended = false),
            Deed::Gate => self.edit(|one| one.is_gated = true),
            Deed::MakeAbstract => self.edit(|one| one.is_abstract = true),
            Deed::Request => {
                if let Some(one) = &mut self.server.environment {
                    Arc::make_mut(one).request += 1;
                }
            }
            Deed::Approve => {
                let shown = self.server.environment.as_ref();
                let shown = shown.and_then(|one| one.status.as_ref()?.plan.clone());
                self.uids += 1;
                let uid = self.uids;
                self.server.approval = shown.map(|plan| {
                    Arc::new(Approval {
                        uid,
                        plan,
                        is_told: false,
                    })
                });
            }
            Deed::Write(slot, content) => self.write(slot, content, self.allowed.reverts),
            Deed::Keep(slot) => {
                if let Some(one) = &mut self.server.migrations[slot] {
                    let one = Arc::make_mut(one);
                    (one.reverts, one.generation) = (false, one.generation + 1);
                }
            }
            Deed::Delete(slot) => self.delete(slot, Cause::Own),
            Deed::DeleteEnvironment => self.delete_environment(),
            Deed::DeleteAll => self.is_clearing = true,
            Deed::DeleteNamespace => self.is_namespace_going = true,
            Deed::DeleteKind => self.is_kind_going = true,
            Deed::Recreate => {
                self.uids += 1;
                self.server.environment = Some(Arc::new(Environment::new(self.uids)));
            }
        }
    }

    /// Somebody writes a migration.
    pub fn write(&mut self, slot: usize, content: u8, reverts: bool) {
        if let Some(one) = &mut self.server.migrations[slot] {
            let one = Arc::make_mut(one);
            (one.content, one.generation) = (content, one.generation + 1);
            return;
        }
        self.uids += 1;
        self.server.migrations[slot] = Some(Arc::new(Migration {
            uid: self.uids,
            generation: 1,
            content,
            reverts,
            is_marked: false,
            deleted: None,
            status: None,
        }));
    }

    fn edit(&mut self, change: impl FnOnce(&mut Environment)) {
        if let Some(one) = &mut self.server.environment {
            let one = Arc::make_mut(one);
            change(one);
            one.generation += 1;
        }
    }

    pub fn delete_environment(&mut self) {
        let environment = &mut self.server.environment;
        if let Some(one) = environment {
            Arc::make_mut(one).is_deleted = true;
        }
        go_if(environment, |one| !one.is_held);
    }

    pub fn delete(&mut self, slot: usize, cause: Cause) {
        let place = &mut self.server.migrations[slot];
        if let Some(one) = place {
            let one = Arc::make_mut(one);
            one.deleted = one.deleted.or(Some(cause));
        }
        go_if(place, |one| !one.is_marked);
    }
}
