//! What a document may hold, as one table per kind: the checks and the editors' schemas are both made from it.

mod approval;
mod environment;
mod git_source;
mod migration;
mod project;
mod provider;
mod reference;

use whimbrel_core::digest::Digest;
use whimbrel_core::duration::Duration;
use whimbrel_core::environment::SecretReference;
use whimbrel_core::name::{MAXIMUM_LENGTH, MigrationName, NameError};
use whimbrel_core::size::ByteSize;
use whimbrel_core::template::is_parameter_name;
use whimbrel_core::window::Window;
use whimbrel_signal::metric::check_custom;

use crate::foreign;

pub use reference::{CLUSTER_REFERENCE, FILE, REFERENCE};

use reference::OBJECT_REFERENCE;

/// The only version of the documents.
pub const API_VERSION: &str = "whimbrel.dev/v1alpha1";

/// What a document is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `whimbrel.yaml`.
    Project,
    /// A document of the folder `environments`.
    Environment,
    /// A document of the folder `migrations`.
    Migration,
    /// A document of a file that `whimbrel serve --config` names.
    GitSource,
    /// An object of a cluster that approves a plan.
    Approval,
    /// The document that `WHIMBREL_PROVIDER_PLUGINS` names.
    Provider,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Self; 6] = [
        Self::Project,
        Self::Environment,
        Self::Migration,
        Self::GitSource,
        Self::Approval,
        Self::Provider,
    ];

    /// The word in `kind:`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Project => "Project",
            Self::Environment => "Environment",
            Self::Migration => "Migration",
            Self::GitSource => "GitSource",
            Self::Approval => "Approval",
            Self::Provider => "Provider",
        }
    }

    /// Where its documents belong.
    pub(crate) const fn place(self) -> &'static str {
        match self {
            Self::Project => "the project is the file `whimbrel.yaml`",
            Self::Environment => "environments belong into the folder of the environments",
            Self::Migration => "migrations belong into the folder of the migrations",
            Self::GitSource => "sources belong into a file that `whimbrel serve --config` names",
            Self::Approval => "approvals are objects of a cluster",
            Self::Provider => "a provider is the file that `WHIMBREL_PROVIDER_PLUGINS` names",
        }
    }

    /// What its document may hold.
    pub(crate) const fn object(self) -> &'static Object {
        match self {
            Self::Project => &project::DOCUMENT,
            Self::Environment => &environment::DOCUMENT,
            Self::Migration => &migration::DOCUMENT,
            Self::GitSource => &git_source::DOCUMENT,
            Self::Approval => &approval::DOCUMENT,
            Self::Provider => &provider::DOCUMENT,
        }
    }
}

/// What a value may be.
pub enum Shape {
    /// Text of a form.
    Text(Format),
    /// A whole number.
    Integer {
        /// The smallest that is allowed.
        minimum: u64,
        /// The largest that is allowed.
        maximum: u64,
    },
    /// True or false.
    Flag,
    /// One of a few words.
    Choice(&'static [&'static str]),
    /// A list.
    List {
        /// Of what.
        item: &'static Shape,
        /// What it is, such as `a list of steps`.
        what: &'static str,
        /// The fewest items that make sense.
        minimum: usize,
    },
    /// A map whose keys the author chooses.
    Map {
        /// The form of a key.
        key: Format,
        /// To what.
        value: &'static Shape,
        /// What it is, such as `a map of databases`.
        what: &'static str,
    },
    /// A map with known keys.
    Object(&'static Object),
    /// Anything that JSON can say.
    Json,
    /// A map of anything that JSON can say.
    JsonMap,
    /// Text or a secret, as a value of an environment.
    Value {
        /// Whether the text may stand there as it is.
        literal: bool,
    },
    /// Any text, or where in a backend it is.
    Parameter,
    /// A file or a secret.
    Material,
}

/// A map with known keys.
pub struct Object {
    /// What it is, such as `a step`.
    pub what: &'static str,
    /// Its keys.
    pub fields: &'static [Field],
}

/// A key of a map.
pub struct Field {
    /// The key.
    pub name: &'static str,
    /// What its value may be.
    pub shape: Shape,
    /// Whether it must be there.
    pub required: bool,
    /// What it is for.
    pub about: &'static str,
}

/// The form of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Any text.
    Any,
    /// Any text but none.
    Filled,
    /// A name.
    Name,
    /// The name of a parameter.
    Parameter,
    /// The name of a business metric.
    Metric,
    /// A span of time.
    Duration,
    /// A weekly window.
    Window,
    /// A SHA-256 digest.
    Digest,
    /// An amount of memory.
    Memory,
    /// A path inside of the project.
    Path,
    /// A folder: inside of the project, or by its absolute path.
    Folder,
}

impl Format {
    /// What is expected, if the text isn't of the form.
    pub fn refuse(self, text: &str) -> Option<Refusal> {
        let parsed = match self {
            Self::Any => return None,
            Self::Filled => {
                return text.trim().is_empty().then(|| Refusal {
                    what: "is empty".to_owned(),
                    expected: "text".to_owned(),
                });
            }
            Self::Name => text
                .parse::<MigrationName>()
                .map(drop)
                .map_err(|error| match error {
                    NameError::TooLong(_) => format!("at most {MAXIMUM_LENGTH} characters"),
                    _ => "letters, digits, `-`, `_` and `.`, beginning with a letter or a digit"
                        .to_owned(),
                }),
            Self::Parameter => is_parameter_name(text)
                .then_some(())
                .ok_or_else(|| "a letter or `_`, then letters, digits, `_` and `-`".to_owned()),
            Self::Metric => check_custom(text, &[]).map_err(|_| {
                "lower case letters, digits and `_`, a letter first, none of the endings of a histogram"
                    .to_owned()
            }),
            Self::Duration => text
                .parse::<Duration>()
                .map(drop)
                .map_err(|e| e.to_string()),
            Self::Window => text.parse::<Window>().map(drop).map_err(|e| e.to_string()),
            Self::Digest => text.parse::<Digest>().map(drop).map_err(|e| e.to_string()),
            Self::Memory => text
                .parse::<ByteSize>()
                .map(drop)
                .map_err(|e| e.to_string()),
            Self::Path => crate::tree::check_path(text)
                .is_ok_and(|()| !text.is_empty())
                .then_some(())
                .ok_or_else(|| "a relative path with `/`, without `.` and `..`".to_owned()),
            Self::Folder => {
                let inner = text.strip_prefix('/').unwrap_or(text);
                (!inner.is_empty() && crate::tree::check_path(inner).is_ok())
                    .then_some(())
                    .ok_or_else(|| "a path with `/`, without `.` and `..`".to_owned())
            }
        };
        let expected = parsed.err()?;
        let what = match self {
            Self::Name => "is no name",
            Self::Parameter => "is no name of a parameter",
            Self::Metric => "is no name of a metric",
            Self::Duration => "is no duration",
            Self::Window => "is no window",
            Self::Digest => "is no digest",
            Self::Memory => "is no amount of memory",
            Self::Folder => "is no folder",
            _ => "is no path inside of the project",
        };
        Some(match expected.split_once("; expected ") {
            Some((reason, expected)) => Refusal {
                what: format!("{what}: {reason}"),
                expected: expected.to_owned(),
            },
            None => Refusal {
                what: what.to_owned(),
                expected: expected
                    .strip_prefix("expected ")
                    .unwrap_or(&expected)
                    .to_owned(),
            },
        })
    }

    /// What it is, in words.
    pub const fn what(self) -> &'static str {
        match self {
            Self::Any | Self::Filled => "text",
            Self::Name => "a name",
            Self::Parameter => "the name of a parameter",
            Self::Metric => "the name of a metric such as `orders_left`",
            Self::Duration => "a duration such as `30s`",
            Self::Window => "a window such as `Mon-Thu 08:00-16:00 Europe/Berlin`",
            Self::Digest => "a digest such as `sha256:…`",
            Self::Memory => "an amount of memory such as `64MiB`",
            Self::Path => "a path",
            Self::Folder => "a folder",
        }
    }
}

/// Why a text isn't of a form.
pub struct Refusal {
    /// What it is, or isn't.
    pub what: String,
    /// What was expected.
    pub expected: String,
}

/// Whether a text is meant as a secret reference, ours or another tool's; an error says that it is a broken one.
pub fn secret(text: &str) -> Option<Result<(), Refusal>> {
    if text.starts_with(foreign::BEGINNING) {
        return Some(foreign::refuse(text).map_or(Ok(()), Err));
    }
    text.starts_with("secret://").then(|| {
        let parsed = text.parse::<SecretReference>();
        parsed.map(drop).map_err(|_| Refusal {
            what: "is no secret reference".to_owned(),
            expected: "`secret://BACKEND/PATH`, with `?version=V` and `#KEY` where they are needed"
                .to_owned(),
        })
    })
}

const fn required(name: &'static str, shape: Shape, about: &'static str) -> Field {
    Field {
        name,
        shape,
        required: true,
        about,
    }
}

const fn optional(name: &'static str, shape: Shape, about: &'static str) -> Field {
    Field {
        name,
        shape,
        required: false,
        about,
    }
}

/// `apiVersion`, of every document.
const VERSION: Field = required(
    "apiVersion",
    Shape::Choice(&[API_VERSION]),
    "The version of the documents.",
);

/// `metadata`, of every document.
const METADATA: Field = required(
    "metadata",
    Shape::Object(&Object {
        what: "metadata",
        fields: &[
            required(
                "name",
                Shape::Text(Format::Name),
                "The name; a file is called like it.",
            ),
            optional("labels", LABELS, "Labels, as Kubernetes has them."),
            optional(
                "annotations",
                LABELS,
                "Annotations, as Kubernetes has them.",
            ),
            optional(
                "namespace",
                Shape::Text(Format::Filled),
                "The cluster's namespace, for `kubectl apply`; nothing else looks at it.",
            ),
        ],
    }),
    "What the document is called.",
);

const LABELS: Shape = Shape::Map {
    key: Format::Filled,
    value: &Shape::Text(Format::Any),
    what: "a map of text",
};
