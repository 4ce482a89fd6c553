//! What is kept of a resource, on both sides of the border.

use crate::bindings::provider::exports::whimbrel::resources::provider as wit;

/// What is kept of a resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// What users see: JSON text.
    pub state: String,
    /// Bytes of the plugin's own.
    pub private: Vec<u8>,
}

/// What a resource will be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Planned {
    /// The state as far as it is known.
    pub stored: Stored,
    /// JSON pointers of the attributes whose change needs a new resource.
    pub replace: Vec<String>,
    /// Each with the JSON pointer that it is about, or an empty one.
    pub warnings: Vec<(String, String)>,
}

impl From<Stored> for wit::Stored {
    fn from(stored: Stored) -> Self {
        Self {
            state: stored.state,
            private: stored.private,
        }
    }
}

impl From<wit::Stored> for Stored {
    fn from(stored: wit::Stored) -> Self {
        Self {
            state: stored.state,
            private: stored.private,
        }
    }
}

impl From<wit::Planned> for Planned {
    fn from(planned: wit::Planned) -> Self {
        Self {
            stored: Stored {
                state: planned.state,
                private: planned.private,
            },
            replace: planned.replace,
            warnings: planned.warnings,
        }
    }
}
