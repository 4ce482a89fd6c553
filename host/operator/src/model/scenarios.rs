//! Where the worlds that are explored begin, and what can happen in each.

use super::process::Process;
use super::world::{BAD, Deed, Environment, Notes, World};
use super::{Allowed, Machine, NOTHING};

/// Two migrations that nobody has seen yet, and what is pushed meanwhile.
pub fn applying(machine: &'static Machine) -> World {
    let of = &[
        Deed::Suspend,
        Deed::Gate,
        Deed::Write(1, 2),
        Deed::Delete(1),
    ];
    let allowed = Allowed {
        deeds: 2,
        of,
        crashes: 1,
        ..NOTHING
    };
    let mut world = World::new(machine, allowed, Environment::new(1));
    world.write(0, 1, false);
    world.write(1, 1, false);
    begun(world, 1)
}

/// Requests that fail.
pub fn failing_requests(machine: &'static Machine) -> World {
    let of = &[Deed::Suspend, Deed::Request, Deed::Write(0, 2)];
    let allowed = Allowed {
        deeds: 1,
        of,
        crashes: 1,
        faults: 1,
        ..NOTHING
    };
    let mut world = World::new(machine, allowed, Environment::new(1));
    world.write(0, 1, false);
    begun(world, 1)
}

/// A migration that fails, and somebody who mends it.
pub fn failing(machine: &'static Machine) -> World {
    let of = &[
        Deed::Write(1, 1),
        Deed::Request,
        Deed::Suspend,
        Deed::Resume,
    ];
    let allowed = Allowed {
        deeds: 2,
        of,
        crashes: 1,
        ..NOTHING
    };
    let mut world = World::new(machine, allowed, Environment::new(1));
    world.write(0, 1, false);
    world.write(1, BAD, false);
    begun(world, 1)
}

/// Plans that need an approval, of which one is given.
pub fn approving(machine: &'static Machine) -> World {
    let of = &[
        Deed::Approve,
        Deed::Write(1, 1),
        Deed::Suspend,
        Deed::Resume,
    ];
    let allowed = Allowed {
        deeds: 3,
        of,
        crashes: 1,
        ..NOTHING
    };
    let gated = Environment {
        is_gated: true,
        ..Environment::new(1)
    };
    let mut world = World::new(machine, allowed, gated);
    world.write(0, 1, false);
    rested(begun(world, 1))
}

/// Migrations that are applied and would be reverted, and everything that can be deleted.
pub fn deleting(machine: &'static Machine) -> World {
    let allowed = Allowed {
        deeds: 1,
        ..DELETING
    };
    let mut world = World::new(machine, allowed, Environment::new(1));
    world.write(0, 1, true);
    world.write(1, 1, true);
    rested(begun(world, 1))
}

/// The same of one migration, with more that happens to it.
pub fn deleting_one(machine: &'static Machine) -> World {
    let mut world = World::new(machine, DELETING, Environment::new(1));
    world.write(0, 1, true);
    rested(begun(world, 1))
}

const DELETING: Allowed = Allowed {
    deeds: 2,
    of: &[
        Deed::Delete(0),
        Deed::Delete(1),
        Deed::Keep(0),
        Deed::DeleteEnvironment,
        Deed::DeleteAll,
        Deed::DeleteNamespace,
        Deed::DeleteKind,
        Deed::Suspend,
        Deed::MakeAbstract,
        Deed::Recreate,
    ],
    crashes: 1,
    overdue: 1,
    reverts: true,
    ..NOTHING
};

/// Two operators at once, as while one takes over from another. Each may go on between any two actions of the other one.
pub fn two(machine: &'static Machine) -> World {
    let allowed = Allowed {
        crashes: 1,
        switches: 2,
        ..TWO
    };
    at_two(machine, allowed)
}

/// The same of two of which each goes on when the other one has nothing to do, and of what people do meanwhile: with the other
/// it would be more than two million states.
pub fn two_by_turns(machine: &'static Machine) -> World {
    let allowed = Allowed {
        deeds: 1,
        of: &[Deed::Suspend, Deed::Write(0, 2), Deed::DeleteEnvironment],
        crashes: 1,
        ..TWO
    };
    at_two(machine, allowed)
}

/// Two of which one goes on in the middle of what the other one does, a migration that is new to both, and a request that fails.
pub fn two_failing(machine: &'static Machine) -> World {
    let world = World::new(machine, TWO, Environment::new(1));
    let mut world = rested(begun(world, 2));
    world.write(0, 1, false);
    world.publish();
    world.allowed = Allowed {
        faults: 1,
        switches: 1,
        ..TWO
    };
    world
}

const TWO: Allowed = Allowed {
    coming: 1,
    ..NOTHING
};

fn at_two(machine: &'static Machine, allowed: Allowed) -> World {
    let mut world = World::new(machine, allowed, Environment::new(1));
    world.write(0, 1, false);
    begun(world, 2)
}

fn begun(mut world: World, processes: usize) -> World {
    for _ in 0..processes {
        world.processes.push(Process::new(&world.server));
    }
    world
}

/// As it is once everything was done.
fn rested(mut world: World) -> World {
    while let Some(next) = world.fair() {
        world.apply(next, &mut Notes::none()).unwrap();
    }
    world
}
