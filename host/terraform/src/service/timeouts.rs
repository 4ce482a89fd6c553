//! The block `timeouts` of a resource: for how long each of its operations may take.

use std::future::Future;
use std::time::Duration;

use whimbrel_core::duration::Duration as Written;

use crate::cancel::CancelReason;
use crate::diagnostic::Diagnostic;
use crate::provider::Call;
use crate::schema::{Block, Nesting};
use crate::value::Value;

const NAME: &str = "timeouts";

/// What may have a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operation {
    Create,
    Read,
    Update,
    Delete,
}

const OPERATIONS: [Operation; 4] = [
    Operation::Create,
    Operation::Read,
    Operation::Update,
    Operation::Delete,
];

impl Operation {
    const fn name(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Read => "read",
            Self::Update => "update",
            Self::Delete => "delete",
        }
    }
}

fn written<'a>(operation: Operation, value: &'a Value, block: &Block) -> Option<&'a str> {
    let nested = block.blocks.get(NAME)?;
    if nested.nesting != Nesting::Single {
        return None;
    }
    value.get(NAME)?.get(operation.name())?.as_str()
}

/// The time of an operation, as a configuration or a state says it.
pub(super) fn limit(operation: Operation, value: &Value, block: &Block) -> Option<Duration> {
    // What is no duration was refused when the configuration was validated.
    let limit: Written = written(operation, value, block)?.parse().ok()?;
    Some(limit.to_std())
}

/// What is wrong with the block in a configuration.
pub(super) fn validate(config: &Value, block: &Block) -> Vec<Diagnostic> {
    let wrong = |operation: &Operation| {
        let text = written(*operation, config, block)?;
        let error = text.parse::<Written>().err()?;
        let pointer = format!("/{NAME}/{}", operation.name());
        Some(Diagnostic::error("A timeout is no duration", format!("{error}.")).at(pointer))
    };
    OPERATIONS.iter().filter_map(wrong).collect()
}

/// Does work, and asks it to end when its time is up.
pub(super) async fn within<T>(
    limit: Option<Duration>,
    call: &Call,
    work: impl Future<Output = T>,
) -> T {
    let Some(limit) = limit else {
        return work.await;
    };
    let mut work = std::pin::pin!(work);
    tokio::select! {
        done = work.as_mut() => done,
        () = tokio::time::sleep(limit) => {
            call.cancel.request(CancelReason::Deadline);
            work.await
        }
    }
}
