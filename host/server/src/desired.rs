//! The last good revision of an environment, open.

use std::time::Instant;

use tokio::sync::mpsc;
use whimbrel_core::lineage::Revision;
use whimbrel_engine::{Closing, Opened};
use whimbrel_project::Opening;

/// What a project was read from: the same marker means the same definitions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Marker {
    revision: Revision,
    control: Option<Revision>,
}

impl Marker {
    /// None for files of a folder, which may have changed without anybody saying so.
    pub(crate) fn of(opening: &Opening) -> Option<Self> {
        let revision = opening.is_revision().then(|| opening.revision().cloned());
        Some(Self {
            revision: revision.flatten()?,
            control: opening.control_revision().cloned(),
        })
    }
}

/// Says that somebody still has something to give back. The server ends when all of these are gone.
pub(crate) type Guard = mpsc::Sender<()>;

/// An environment as the last good revision defines it. What it borrowed is given back when nobody uses it any more.
pub(crate) struct Desired {
    pub(crate) opened: Opened,
    pub(crate) marker: Option<Marker>,
    pub(crate) at: Instant,
    closing: Closing,
    guard: Option<Guard>,
}

impl Desired {
    pub(crate) fn new(opened: Opened, marker: Option<Marker>, guard: Guard) -> Self {
        Self {
            closing: opened.context.closing().clone(),
            opened,
            marker,
            at: Instant::now(),
            guard: Some(guard),
        }
    }

    /// The commit that it is from; none for files of a folder.
    pub(crate) fn revision(&self) -> Option<String> {
        let revision = self.opened.project.revision();
        revision.map(ToString::to_string)
    }
}

impl Drop for Desired {
    fn drop(&mut self) {
        let (closing, guard) = (self.closing.clone(), self.guard.take());
        // Outside a runtime the process is over, and so is what it was lent.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                closing.close().await;
                drop(guard);
            });
        }
    }
}
