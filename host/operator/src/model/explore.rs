//! Breadth-first exploration of everything that can happen, and of what becomes of it once nothing more goes wrong.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use super::rules::{self, Broken};
use super::world::{Notes, Transition, World};

/// What was explored.
#[derive(Debug)]
pub struct Explored {
    pub states: usize,
    pub transitions: usize,
    /// States in which nothing is left to be done.
    pub rests: usize,
    /// The most steps from any state to rest.
    pub farthest: usize,
}

impl fmt::Display for Explored {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "{} states, {} transitions, {} states of rest, at most {} steps to one",
            self.states, self.transitions, self.rests, self.farthest
        )
    }
}

/// A rule that was broken, and the shortest way there.
#[derive(Debug)]
pub struct Counterexample {
    pub broken: Broken,
    pub trace: Vec<String>,
}

/// What is kept of a state. States themselves are made anew from their way: they would not fit.
struct Node {
    from: Option<(u32, Transition)>,
    /// Where it goes when events arrive, work goes on and nothing more goes wrong.
    fair: Option<u32>,
}

/// More states than any scenario has: what comes here was not meant to be explored.
const BOUND: usize = 2_000_000;

/// Explores everything from a state on.
///
/// # Errors
/// A rule is broken.
pub fn explore(first: &World) -> Result<Explored, Box<Counterexample>> {
    let mut nodes = vec![Node {
        from: None,
        fair: None,
    }];
    let mut known = HashMap::from([(hash(first), 0_u32)]);
    let mut next = VecDeque::from([(0_u32, first.clone())]);
    let mut transitions = 0;
    while let Some((at, world)) = next.pop_front() {
        let fair = world.fair();
        let mut all = world.transitions();
        all.extend(fair.filter(|fair| !all.contains(fair)));
        for transition in all {
            transitions += 1;
            let mut after = world.clone();
            if let Err(broken) = after.apply(transition, &mut Notes::none()) {
                return Err(told(first, &nodes, at, &[transition], broken));
            }
            let found = *known.entry(hash(&after)).or_insert_with(|| {
                let new = u32::try_from(nodes.len()).unwrap_or(u32::MAX);
                nodes.push(Node {
                    from: Some((at, transition)),
                    fair: None,
                });
                next.push_back((new, after));
                new
            });
            if fair == Some(transition)
                && let Some(node) = nodes.get_mut(at as usize)
            {
                node.fair = Some(found);
            }
        }
        if fair.is_none()
            && let Err(broken) = rules::at_rest(&world)
        {
            return Err(told(first, &nodes, at, &[], broken));
        }
        assert!(nodes.len() < BOUND, "the scenario is too large");
    }
    let farthest = comes_to_rest(first, &nodes)?;
    Ok(Explored {
        states: nodes.len(),
        transitions,
        rests: nodes.iter().filter(|node| node.fair.is_none()).count(),
        farthest,
    })
}

/// That every state comes to rest; the most steps that one needs.
fn comes_to_rest(first: &World, nodes: &[Node]) -> Result<usize, Box<Counterexample>> {
    let mut steps: Vec<Option<usize>> = vec![None; nodes.len()];
    let mut on_way = vec![false; nodes.len()];
    for start in 0..nodes.len() {
        let (mut way, mut at) = (Vec::new(), start);
        let rest = loop {
            if let Some(known) = steps[at] {
                break known;
            }
            if on_way[at] {
                let at = u32::try_from(start).unwrap_or(u32::MAX);
                let broken = Broken("it goes on for ever although nothing more happens".to_owned());
                let cycle = fairly(first, nodes, at);
                return Err(told(first, nodes, at, &cycle, broken));
            }
            on_way[at] = true;
            way.push(at);
            match nodes[at].fair {
                Some(next) => at = next as usize,
                None => {
                    steps[at] = Some(0);
                    way.pop();
                    break 0;
                }
            }
        };
        for (distance, at) in way.into_iter().rev().enumerate() {
            steps[at] = Some(rest + distance + 1);
        }
    }
    Ok(steps.into_iter().flatten().max().unwrap_or_default())
}

/// The first steps that a state takes by itself, enough to see what repeats.
fn fairly(first: &World, nodes: &[Node], at: u32) -> Vec<Transition> {
    let mut world = first.clone();
    for transition in way(nodes, at) {
        // It was taken before.
        let _ = world.apply(transition, &mut Notes::none());
    }
    let mut taken = Vec::new();
    while let Some(transition) = world.fair()
        && taken.len() < 24
    {
        let _ = world.apply(transition, &mut Notes::none());
        taken.push(transition);
    }
    taken
}

fn way(nodes: &[Node], mut at: u32) -> Vec<Transition> {
    let mut way = Vec::new();
    while let Some((before, transition)) = nodes.get(at as usize).and_then(|node| node.from) {
        way.push(transition);
        at = before;
    }
    way.reverse();
    way
}

fn told(
    first: &World,
    nodes: &[Node],
    at: u32,
    more: &[Transition],
    broken: Broken,
) -> Box<Counterexample> {
    let mut world = first.clone();
    let mut notes = Notes::some();
    for transition in way(nodes, at).iter().chain(more) {
        if world.apply(*transition, &mut notes).is_err() {
            break;
        }
    }
    Box::new(Counterexample {
        broken,
        trace: notes.into_lines(),
    })
}

fn hash(world: &World) -> u64 {
    let mut hasher = DefaultHasher::new();
    world.hash(&mut hasher);
    hasher.finish()
}
