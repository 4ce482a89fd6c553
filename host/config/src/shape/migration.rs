//! What a migration may hold.

use super::{
    Field, Format, METADATA, OBJECT_REFERENCE, Object, Shape, VERSION, optional, required,
};

/// A migration's document.
pub static DOCUMENT: Object = Object {
    what: "a migration",
    fields: &[
        VERSION,
        required(
            "kind",
            Shape::Choice(&["Migration"]),
            "What the document is about.",
        ),
        METADATA,
        required("spec", Shape::Object(&SPEC), "What the migration does."),
    ],
};

static SPEC: Object = Object {
    what: "a migration's `spec`",
    fields: &[
        optional(
            "database",
            Shape::Text(Format::Name),
            "The logical database that it changes; the project's default if absent.",
        ),
        optional(
            "dependsOn",
            NAMES,
            "Migrations that must be applied before it, besides the order of names within one database.",
        ),
        required(
            "steps",
            Shape::List {
                item: &Shape::Object(&STEP),
                what: "a list of steps",
                minimum: 1,
            },
            "What it does, in order.",
        ),
        optional(
            "checks",
            Shape::Object(&CHECKS),
            "What must be true before and after.",
        ),
        optional(
            "metrics",
            Shape::List {
                item: &Shape::Object(&METRIC),
                what: "a list of metrics",
                minimum: 0,
            },
            "Business metrics read after it.",
        ),
        optional(
            "environmentRef",
            Shape::Object(&OBJECT_REFERENCE),
            "For an operator: the `Environment` that it belongs to; the only one of its namespace if absent.",
        ),
        optional(
            "deletionPolicy",
            Shape::Choice(&["Keep", "Revert"]),
            "For an operator: what deleting the object does to the databases. Default: Keep.",
        ),
    ],
};

const NAMES: Shape = Shape::List {
    item: &Shape::Text(Format::Name),
    what: "a list of names",
    minimum: 0,
};

static STEP: Object = Object {
    what: "a step",
    fields: &[
        optional(
            "name",
            Shape::Text(Format::Filled),
            "What a person calls it.",
        ),
        optional(
            "sql",
            Shape::Text(Format::Filled),
            "The statements to apply.",
        ),
        optional(
            "sqlFile",
            Shape::Text(Format::Path),
            "The file with the statements to apply, beside the document.",
        ),
        optional(
            "uses",
            Shape::Text(Format::Name),
            "The plugin that does it.",
        ),
        optional(
            "revert",
            Shape::Text(Format::Any),
            "The statements to revert; empty if nothing needs to be undone. Without it, the step can't be reverted.",
        ),
        optional(
            "revertFile",
            Shape::Text(Format::Path),
            "The file with the statements to revert, beside the document.",
        ),
        optional("with", Shape::JsonMap, "The plugin's configuration."),
        optional(
            "reads",
            NAMES,
            "Other databases of the environment that the plugin may read.",
        ),
        optional(
            "timeout",
            Shape::Text(Format::Duration),
            "How long it may take; the policy's `statementTimeout` if absent.",
        ),
    ],
};

static CHECKS: Object = Object {
    what: "a migration's `checks`",
    fields: &[
        optional("before", CHECK_LIST, "Must hold before anything is done."),
        optional(
            "after",
            CHECK_LIST,
            "Must hold before the migration counts as applied.",
        ),
    ],
};

const CHECK_LIST: Shape = Shape::List {
    item: &Shape::Object(&CHECK),
    what: "a list of checks",
    minimum: 0,
};

static CHECK: Object = Object {
    what: "a check",
    fields: &[
        required(
            "name",
            Shape::Text(Format::Filled),
            "What a person calls it.",
        ),
        required(
            "query",
            Shape::Text(Format::Filled),
            "A query that gives one value.",
        ),
        required("equals", Shape::Json, "The value that it must give."),
    ],
};

static METRIC: Object = Object {
    what: "a metric",
    fields: &[
        required(
            "name",
            Shape::Text(Format::Metric),
            "The metric's name, without the prefix `whimbrel_custom_`.",
        ),
        required(
            "query",
            Shape::Text(Format::Filled),
            "A query that gives one number.",
        ),
        TYPE,
    ],
};

const TYPE: Field = required(
    "type",
    Shape::Choice(&["gauge", "counter"]),
    "What kind of metric it is.",
);
