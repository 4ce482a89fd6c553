//! Groups a migration's operations by the protocol that runs each exactly once.

use whimbrel_core::plan::{OperationAction, PlannedOperation};
use whimbrel_core::statement::{Probe, StatementClass};

/// Operations that are run by one protocol.
#[derive(Debug, PartialEq)]
pub(crate) enum Segment<'a> {
    /// Transactional statements that commit together.
    Transaction(Vec<&'a PlannedOperation>),
    /// A statement that can't run in a transaction; the probe tells after a crash whether it happened.
    Outside(&'a PlannedOperation, &'a Probe),
    /// A statement that can't run in a transaction and does no harm when it is run again.
    Repeatable(&'a PlannedOperation),
    /// A plugin's step.
    Plugin(&'a PlannedOperation),
}

/// The segments of what is still to be done.
pub(crate) fn segments(operations: &[PlannedOperation]) -> Vec<Segment<'_>> {
    let mut segments: Vec<Segment<'_>> = Vec::new();
    for operation in operations.iter().filter(|operation| !operation.done) {
        let segment = match &operation.operation.action {
            OperationAction::Plugin { .. } => Segment::Plugin(operation),
            OperationAction::Statement(statement) => match &statement.class {
                StatementClass::Transactional => {
                    if let Some(Segment::Transaction(together)) = segments.last_mut() {
                        together.push(operation);
                        continue;
                    }
                    Segment::Transaction(vec![operation])
                }
                StatementClass::NonTransactional(probe) => Segment::Outside(operation, probe),
                StatementClass::Repeatable => Segment::Repeatable(operation),
            },
        };
        segments.push(segment);
    }
    segments
}

#[cfg(test)]
mod tests {
    use super::{Segment, segments};
    use serde_json::json;
    use whimbrel_core::digest::Digest;
    use whimbrel_core::plan::{Operation, OperationAction, PlannedOperation};
    use whimbrel_core::statement::{Probe, Statement, StatementClass};

    fn planned(position: u32, class: Option<StatementClass>, done: bool) -> PlannedOperation {
        let action = match class {
            None => OperationAction::Plugin {
                uses: "backfill".parse().unwrap(),
                with: json!({}),
                reads: Vec::new(),
                effects: Vec::new(),
            },
            Some(class) => OperationAction::Statement(Statement {
                text: "SELECT 1".to_owned(),
                line: 1,
                class,
                destructive: Vec::new(),
                locks: Vec::new(),
            }),
        };
        let operation = Operation {
            step: 0,
            title: String::new(),
            hash: Digest::of(b""),
            timeout: None,
            action,
        };
        PlannedOperation {
            position,
            done,
            operation,
        }
    }

    #[test]
    fn transactional_neighbours_commit_together_and_done_ones_are_left_out() {
        use StatementClass::{NonTransactional, Repeatable, Transactional};
        let all = [
            planned(0, Some(Transactional), true),
            planned(1, Some(Transactional), false),
            planned(2, Some(Transactional), false),
            planned(3, Some(NonTransactional(Probe::None)), false),
            planned(4, None, false),
            planned(5, Some(Repeatable), false),
            planned(6, Some(Transactional), false),
        ];
        let shapes: Vec<_> = segments(&all)
            .into_iter()
            .map(|segment| match segment {
                Segment::Transaction(together) => format!("transaction of {}", together.len()),
                Segment::Outside(..) => "outside".to_owned(),
                Segment::Repeatable(_) => "repeatable".to_owned(),
                Segment::Plugin(_) => "plugin".to_owned(),
            })
            .collect();
        assert_eq!(
            shapes,
            [
                "transaction of 2",
                "outside",
                "plugin",
                "repeatable",
                "transaction of 1"
            ]
        );
    }
}
