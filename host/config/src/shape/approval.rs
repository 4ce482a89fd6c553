//! What an approval may hold.

use super::{Format, METADATA, OBJECT_REFERENCE, Object, Shape, VERSION, optional, required};

/// The document of an approval.
pub static DOCUMENT: Object = Object {
    what: "an approval",
    fields: &[
        VERSION,
        required(
            "kind",
            Shape::Choice(&["Approval"]),
            "What the document is about.",
        ),
        METADATA,
        required("spec", Shape::Object(&SPEC), "What is approved."),
    ],
};

static SPEC: Object = Object {
    what: "an approval's `spec`",
    fields: &[
        required(
            "environmentRef",
            Shape::Object(&OBJECT_REFERENCE),
            "The `Environment` whose plan it is.",
        ),
        required(
            "plan",
            Shape::Text(Format::Digest),
            "The plan's digest, as `status.plan` of the environment shows it. Any other plan needs its own approval.",
        ),
        required(
            "approver",
            Shape::Text(Format::Filled),
            "Who approves. The policy `whimbrel-approver` of `deploy/kubernetes` holds it to the user of the request.",
        ),
        optional(
            "groups",
            Shape::List {
                item: &Shape::Text(Format::Filled),
                what: "a list of groups",
                minimum: 0,
            },
            "Groups in which they approve, for `policy.approvers` such as `group:dba`; held to the request's as well.",
        ),
        optional(
            "confirmDestructive",
            Shape::Flag,
            "Whether destructive statements were looked at, where the policy says `Confirm`. Default: false.",
        ),
    ],
};
