//! Maps that refer to something else: a secret, a file, another object.

use whimbrel_core::environment::CLUSTER_BACKEND;

use super::{Format, Object, Shape, optional, required};

/// The keys of `{ secret: … }`.
pub static REFERENCE: Object = Object {
    what: "a secret reference",
    fields: &[
        required(
            "secret",
            Shape::Text(Format::Filled),
            "The backend: one of the environment's `secrets`, or `env` or `file`.",
        ),
        required(
            "path",
            Shape::Text(Format::Filled),
            "What the backend calls it: a path, a variable's name, a file.",
        ),
        optional(
            "key",
            Shape::Text(Format::Filled),
            "The part of a secret that has several.",
        ),
        optional(
            "version",
            Shape::Text(Format::Filled),
            "A fixed version; the newest if absent.",
        ),
        optional(
            "options",
            Shape::JsonMap,
            "What else the backend's plugin wants to know.",
        ),
    ],
};

/// The keys of `{ secretKeyRef: … }`.
pub static CLUSTER_REFERENCE: Object = Object {
    what: "a secret reference",
    fields: &[required(
        CLUSTER_BACKEND,
        Shape::Object(&SECRET_KEY_SELECTOR),
        "A key of a `Secret` in the namespace of the operator's object; only an operator can read it.",
    )],
};

static SECRET_KEY_SELECTOR: Object = Object {
    what: "a `secretKeyRef`",
    fields: &[
        required("name", Shape::Text(Format::Filled), "The `Secret`'s name."),
        required("key", Shape::Text(Format::Filled), "The key in it."),
    ],
};

/// The keys of `{ name: … }`, by which one object of a namespace names another.
pub static OBJECT_REFERENCE: Object = Object {
    what: "a reference to an object",
    fields: &[required(
        "name",
        Shape::Text(Format::Name),
        "The object's name, in the same namespace.",
    )],
};

/// The keys of `{ file: … }`.
pub static FILE: Object = Object {
    what: "a file",
    fields: &[required(
        "file",
        Shape::Text(Format::Filled),
        "The file's path on the host.",
    )],
};
