//! What an environment may hold.

use super::{Format, METADATA, OBJECT_REFERENCE, Object, Shape, VERSION, optional, required};

/// An environment's document. What must be there is asked once it is merged with what it extends.
pub static DOCUMENT: Object = Object {
    what: "an environment",
    fields: &[
        VERSION,
        required(
            "kind",
            Shape::Choice(&["Environment"]),
            "What the document is about.",
        ),
        METADATA,
        required("spec", Shape::Object(&SPEC), "What the environment has."),
    ],
};

static SPEC: Object = Object {
    what: "an environment's `spec`",
    fields: &[
        optional(
            "extends",
            Shape::Text(Format::Name),
            "The environment to begin with: maps are merged, lists and values replaced, `null` takes away.",
        ),
        optional("abstract", Shape::Flag, "Whether others only extend it."),
        optional(
            "branch",
            Shape::Text(Format::Filled),
            "The ref, or pattern of tags, that drives it.",
        ),
        optional(
            "after",
            Shape::Text(Format::Name),
            "Only what that environment has applied may be applied here.",
        ),
        optional(
            "parameters",
            Shape::Map {
                key: Format::Parameter,
                value: &Shape::Parameter,
                what: "a map of parameters",
            },
            "Values of `${NAME}` in SQL, quoted for the place where they stand, or references to what is no secret.",
        ),
        optional(
            "databases",
            Shape::Map {
                key: Format::Name,
                value: &Shape::Object(&DATABASE),
                what: "a map of databases",
            },
            "The logical databases.",
        ),
        optional(
            "secrets",
            Shape::Map {
                key: Format::Name,
                value: &Shape::Object(&BACKEND),
                what: "a map of secret backends",
            },
            "Secret backends, besides `env` and `file`.",
        ),
        optional("policy", Shape::Object(&POLICY), "What is allowed."),
        optional(
            "sourceRef",
            Shape::Object(&OBJECT_REFERENCE),
            "For an operator: the `GitSource` that defines the environment of this name, instead of this document.",
        ),
        optional(
            "suspend",
            Shape::Flag,
            "For an operator: whether nothing new is begun. Default: false.",
        ),
    ],
};

static DATABASE: Object = Object {
    what: "a database",
    fields: &[
        required(
            "url",
            Shape::Value { literal: true },
            "Where it is: `sqlite:FILE` or `postgres://HOST:PORT/DATABASE`.",
        ),
        optional(
            "username",
            Shape::Value { literal: true },
            "Who to connect as.",
        ),
        optional(
            "password",
            Shape::Value { literal: false },
            "A secret reference.",
        ),
        optional(
            "role",
            Shape::Text(Format::Filled),
            "The role to take on after connecting.",
        ),
        optional(
            "forEach",
            Shape::Object(&FOR_EACH),
            "Makes it many databases: one for each row of a query.",
        ),
    ],
};

static FOR_EACH: Object = Object {
    what: "a `forEach`",
    fields: &[
        required(
            "query",
            Shape::Text(Format::Filled),
            "A query whose rows are the targets and whose columns are `${NAME}` of the URL.",
        ),
        required(
            "of",
            Shape::Text(Format::Name),
            "The database of the same environment to ask.",
        ),
    ],
};

static BACKEND: Object = Object {
    what: "a secret backend",
    fields: &[
        required(
            "plugin",
            Shape::Text(Format::Name),
            "The plugin that speaks to it.",
        ),
        optional("with", Shape::JsonMap, "The plugin's configuration."),
    ],
};

static POLICY: Object = Object {
    what: "a policy",
    fields: &[
        optional(
            "apply",
            Shape::Choice(&["Approve", "Auto"]),
            "Whether a plan may run without approval. Default: Approve.",
        ),
        optional(
            "approvers",
            Shape::List {
                item: &Shape::Text(Format::Filled),
                what: "a list of people and groups",
                minimum: 0,
            },
            "Who may approve, such as `group:dba`.",
        ),
        optional(
            "approvalTTL",
            Shape::Text(Format::Duration),
            "How long an approval holds. Default: 24h.",
        ),
        optional(
            "concurrency",
            COUNT,
            "The most databases worked on at once. Default: 8.",
        ),
        optional(
            "perServer",
            COUNT,
            "The most databases of one server worked on at once.",
        ),
        optional(
            "lockWait",
            Shape::Text(Format::Duration),
            "How long to wait for Whimbrel's own lock. Default: 30s.",
        ),
        optional(
            "lockTimeout",
            Shape::Text(Format::Duration),
            "The database's lock timeout for each statement. Default: 5s.",
        ),
        optional(
            "statementTimeout",
            Shape::Text(Format::Duration),
            "The database's timeout for each statement. Default: 5m.",
        ),
        optional(
            "destructive",
            Shape::Choice(&["Forbid", "Confirm", "Allow"]),
            "Whether statements that lose data may run. Default: Forbid.",
        ),
        optional(
            "outOfOrder",
            Shape::Choice(&["Forbid", "Allow"]),
            "Whether a migration may be applied after one that comes later. Default: Forbid.",
        ),
        optional(
            "onRevert",
            Shape::Choice(&["Approve", "Auto", "Refuse"]),
            "What a `git revert` does. Default: Approve.",
        ),
        optional(
            "maxReverts",
            Shape::Integer {
                minimum: 0,
                maximum: 10_000,
            },
            "More reverts than this in one plan need approval. Default: 1.",
        ),
        optional(
            "window",
            Shape::Text(Format::Window),
            "When changes may be made.",
        ),
    ],
};

const COUNT: Shape = Shape::Integer {
    minimum: 1,
    maximum: 10_000,
};
