//! Which file a session has open.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

/// A file, whatever its name is. As long as somebody has it open, no other gets its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    device: u64,
    number: u64,
}

impl Identity {
    /// The file at a path; none if there is none.
    pub(super) fn of(path: &Path) -> Option<Self> {
        let metadata = std::fs::metadata(path).ok()?;
        Some(Self {
            device: metadata.dev(),
            number: metadata.ino(),
        })
    }
}
