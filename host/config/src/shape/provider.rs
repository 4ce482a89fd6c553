//! What a provider may hold.

use super::{Format, METADATA, Object, Shape, VERSION, required};

/// The document of a provider.
pub static DOCUMENT: Object = Object {
    what: "a provider",
    fields: &[
        VERSION,
        required(
            "kind",
            Shape::Choice(&["Provider"]),
            "What the document is about.",
        ),
        METADATA,
        required("spec", Shape::Object(&SPEC), "What the provider has."),
    ],
};

static SPEC: Object = Object {
    what: "a provider's `spec`",
    fields: &[required(
        "plugins",
        Shape::Map {
            key: Format::Name,
            value: &Shape::Object(&PLUGIN),
            what: "a map of plugins",
        },
        "The plugins whose resources it has, besides the built-in one's.",
    )],
};

static PLUGIN: Object = Object {
    what: "a plugin",
    fields: &[
        required(
            "path",
            Shape::Text(Format::Filled),
            "The component's file, counted from the folder of this one.",
        ),
        required(
            "digest",
            Shape::Text(Format::Digest),
            "The digest that the component must have.",
        ),
    ],
};
