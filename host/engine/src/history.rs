//! What happened to the targets of an environment.

use whimbrel_database::history::read_events;
use whimbrel_project::ProjectError;
use whimbrel_report::{HistoryView, TargetEvents};

use crate::error::EngineError;
use crate::opened::Opened;

/// The newest events of every target, so many of each at most.
///
/// # Errors
/// A target can't be read.
pub async fn history(opened: &Opened, limit: u32) -> Result<HistoryView, EngineError> {
    let mut view = HistoryView {
        environment: opened.environment().name.clone(),
        targets: Vec::new(),
    };
    for target in opened.names() {
        let mut session = opened.read_only(&target).await?;
        let events = read_events(session.as_mut(), limit).await;
        let events = events.map_err(|source| ProjectError::unreadable(&target, source))?;
        view.targets.push(TargetEvents { target, events });
    }
    Ok(view)
}
