//! What a project may hold.

use super::{Format, METADATA, Object, Shape, VERSION, optional, required};

/// The document `whimbrel.yaml`.
pub static DOCUMENT: Object = Object {
    what: "a project",
    fields: &[
        VERSION,
        required(
            "kind",
            Shape::Choice(&["Project"]),
            "What the document is about.",
        ),
        METADATA,
        optional("spec", Shape::Object(&SPEC), "What the project has."),
    ],
};

static SPEC: Object = Object {
    what: "a project's `spec`",
    fields: &[
        optional(
            "migrations",
            Shape::Text(Format::Path),
            "Folder of the migrations. Default: migrations.",
        ),
        optional(
            "environments",
            Shape::Text(Format::Path),
            "Folder of the environments. Default: environments.",
        ),
        optional(
            "controlRef",
            Shape::Text(Format::Filled),
            "The ref from which project, environments, plugins and grants are read. Default: main.",
        ),
        optional(
            "defaults",
            Shape::Object(&Object {
                what: "the defaults",
                fields: &[optional(
                    "database",
                    Shape::Text(Format::Name),
                    "The database of a migration that names none.",
                )],
            }),
            "What definitions may leave out.",
        ),
        optional(
            "lint",
            Shape::Object(&Object {
                what: "the settings of lint",
                fields: &[optional(
                    "rules",
                    Shape::Map {
                        key: Format::Filled,
                        value: &Shape::Choice(&["Off", "Note", "Warning", "Error"]),
                        what: "a map of rules",
                    },
                    "How grave what a rule finds is; rules that aren't here keep their own level.",
                )],
            }),
            "How findings are taken.",
        ),
        optional(
            "plugins",
            Shape::Map {
                key: Format::Name,
                value: &Shape::Object(&PLUGIN),
                what: "a map of plugins",
            },
            "The plugins, besides the built-in ones.",
        ),
    ],
};

static PLUGIN: Object = Object {
    what: "a plugin",
    fields: &[
        optional("path", Shape::Text(Format::Path), "The component's file."),
        optional(
            "builtin",
            Shape::Text(Format::Name),
            "The built-in component.",
        ),
        optional(
            "digest",
            Shape::Text(Format::Digest),
            "The digest that the component must have.",
        ),
        optional(
            "grants",
            Shape::Object(&GRANTS),
            "What it may do. Nothing, unless it is said.",
        ),
    ],
};

pub(super) static GRANTS: Object = Object {
    what: "grants",
    fields: &[
        optional(
            "http",
            Shape::List {
                item: &Shape::Object(&HTTP),
                what: "a list of places",
                minimum: 0,
            },
            "Where it may send HTTP requests.",
        ),
        optional(
            "environment",
            TEXTS,
            "Environment variables that it may read.",
        ),
        optional(
            "files",
            Shape::List {
                item: &Shape::Text(Format::Folder),
                what: "a list of folders",
                minimum: 0,
            },
            "Folders that it may read.",
        ),
        optional("clock", Shape::Flag, "Whether it may ask what time it is."),
        optional(
            "random",
            Shape::Flag,
            "Whether it may ask for random bytes.",
        ),
        optional("metrics", Shape::Flag, "Whether it may report metrics."),
        optional(
            "memory",
            Shape::Text(Format::Memory),
            "How much memory one call may use.",
        ),
    ],
};

const TEXTS: Shape = Shape::List {
    item: &Shape::Text(Format::Filled),
    what: "a list of names",
    minimum: 0,
};

static HTTP: Object = Object {
    what: "a place",
    fields: &[
        required(
            "to",
            Shape::Text(Format::Filled),
            "`https://host:port/path*`, or `config:/pointer` into `with:`.",
        ),
        optional(
            "ca",
            Shape::Material,
            "Certificates to trust instead of the system's.",
        ),
        optional("certificate", Shape::Material, "Client certificate."),
        optional("key", Shape::Material, "Key of the client certificate."),
        optional(
            "bearer",
            Shape::Material,
            "Token for `Authorization: Bearer`.",
        ),
        optional(
            "basic",
            Shape::Object(&BASIC),
            "For `Authorization: Basic`.",
        ),
    ],
};

static BASIC: Object = Object {
    what: "basic authentication",
    fields: &[
        required("username", Shape::Material, "The username."),
        required("password", Shape::Material, "The password."),
    ],
};
