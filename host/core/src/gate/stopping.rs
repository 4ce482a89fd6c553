//! Which refusals are the plan's own: what it is, not when or by whose leave it runs.

use super::{Gate, Refusal};
use crate::policy::{DestructiveRule, Policy};

impl Refusal {
    /// Whether something in the plan, or the policy, has to change before it may run. Otherwise the very same plan runs once
    /// somebody says yes, the window opens, the environment before has applied it or its commit is on the branch.
    #[must_use]
    pub fn stops(&self, policy: &Policy) -> bool {
        match self.gate {
            Gate::Lint | Gate::OutOfOrder | Gate::Revert => true,
            Gate::Destructive => policy.destructive == DestructiveRule::Forbid,
            Gate::Branch | Gate::Window | Gate::Promotion | Gate::Approval => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::gate::{Gate, Refusal};
    use crate::policy::{DestructiveRule, Policy};

    #[test]
    fn what_only_waits_stops_no_plan() {
        let stopping = |destructive| {
            let policy = Policy {
                destructive,
                ..Policy::default()
            };
            let refusal = |gate| Refusal {
                gate,
                message: "no".to_owned(),
                hint: "otherwise".to_owned(),
            };
            let stops = move |gate: &Gate| refusal(*gate).stops(&policy);
            Gate::ALL.into_iter().filter(stops).collect::<Vec<_>>()
        };
        let always = [Gate::OutOfOrder, Gate::Revert, Gate::Lint];
        assert_eq!(stopping(DestructiveRule::Confirm), always);
        assert!(stopping(DestructiveRule::Forbid).contains(&Gate::Destructive));
    }
}
