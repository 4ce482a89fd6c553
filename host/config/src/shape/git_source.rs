//! What a Git source may hold.

use super::project::GRANTS;
use super::{Format, METADATA, Object, Shape, VERSION, optional, required};

/// The document of a Git source.
pub static DOCUMENT: Object = Object {
    what: "a Git source",
    fields: &[
        VERSION,
        required(
            "kind",
            Shape::Choice(&["GitSource"]),
            "What the document is about.",
        ),
        METADATA,
        required("spec", Shape::Object(&SPEC), "What the source is."),
    ],
};

static SPEC: Object = Object {
    what: "a Git source's `spec`",
    fields: &[
        optional(
            "url",
            Shape::Text(Format::Filled),
            "The repository: `https://HOST/PATH`, `ssh://USER@HOST/PATH`, `git@HOST:PATH` or `file:///PATH`.",
        ),
        optional(
            "folder",
            Shape::Text(Format::Path),
            "The project's folder in the repository; its root if absent.",
        ),
        optional(
            "path",
            Shape::Text(Format::Filled),
            "A folder of this machine, instead of `url`.",
        ),
        optional(
            "ref",
            Shape::Text(Format::Filled),
            "The branch, tag, pattern of tags or commit; what each environment follows if absent.",
        ),
        optional(
            "environments",
            NAMES,
            "The environments that are kept; all that the project defines if absent.",
        ),
        optional(
            "interval",
            Shape::Text(Format::Duration),
            "How often it is looked at when nothing rings before. Default: 60s.",
        ),
        optional(
            "auth",
            Shape::Object(&AUTH),
            "What proves who asks, read anew for every fetch.",
        ),
        optional(
            "verify",
            Shape::Object(&VERIFY),
            "Which commits must be signed, and by whom.",
        ),
        optional(
            "webhook",
            Shape::Object(&WEBHOOK),
            "How the repository's host rings.",
        ),
        optional("report", Shape::Object(&REPORT), "Where results are shown."),
        optional(
            "suspend",
            Shape::Flag,
            "For an operator: whether it isn't looked at any more. Default: false.",
        ),
    ],
};

const NAMES: Shape = Shape::List {
    item: &Shape::Text(Format::Name),
    what: "a list of environments",
    minimum: 0,
};

static AUTH: Object = Object {
    what: "`auth`",
    fields: &[
        optional("token", Shape::Material, "A token for HTTPS."),
        optional(
            "username",
            Shape::Value { literal: true },
            "The user that a password or a token belongs to.",
        ),
        optional("password", Shape::Material, "A password for HTTPS."),
        optional("sshKey", Shape::Material, "A private key for SSH."),
        optional(
            "sshKeyPassphrase",
            Shape::Material,
            "What the key is encrypted with.",
        ),
        optional(
            "knownHosts",
            Shape::Material,
            "The SSH servers that are known; the user's and the machine's if absent.",
        ),
        optional(
            "caFile",
            Shape::Material,
            "Authorities to trust instead of the system's, in PEM.",
        ),
    ],
};

static VERIFY: Object = Object {
    what: "`verify`",
    fields: &[
        optional(
            "mode",
            Shape::Choice(&["None", "Head", "EveryMigrationCommit"]),
            "Which commits must be signed. Default: None.",
        ),
        optional(
            "allowedSigners",
            Shape::Material,
            "SSH's `allowed_signers`.",
        ),
        optional(
            "openpgpKeys",
            Shape::Material,
            "Armored OpenPGP certificates.",
        ),
        optional(
            "since",
            Shape::Text(Format::Filled),
            "A revision that is trusted as it is, with all before it.",
        ),
        optional(
            "promotionSigners",
            Shape::Material,
            "Whose promotion records count, as SSH's `allowed_signers`. Default: whose commits count.",
        ),
    ],
};

static WEBHOOK: Object = Object {
    what: "a webhook",
    fields: &[
        optional(
            "plugin",
            Shape::Text(Format::Name),
            "The plugin that reads deliveries. Default: git-webhook.",
        ),
        optional("path", Shape::Text(Format::Filled), PATH),
        optional(
            "digest",
            Shape::Text(Format::Digest),
            "The digest that the component must have.",
        ),
        optional(
            "grants",
            Shape::Object(&GRANTS),
            "What the plugin may do. Nothing, unless it is said.",
        ),
        optional("with", Shape::JsonMap, "The plugin's configuration."),
        required(
            "secrets",
            Shape::List {
                item: &Shape::Material,
                what: "a list of secrets",
                minimum: 1,
            },
            "What deliveries are proved with: one, or two while one is replaced.",
        ),
        optional(
            "repository",
            Shape::Text(Format::Filled),
            "The repository that deliveries must be about, as `owner/name`; as `url` says it if absent.",
        ),
    ],
};

static REPORT: Object = Object {
    what: "a report",
    fields: &[
        optional(
            "plugin",
            Shape::Text(Format::Name),
            "The plugin that shows results. Default: git-reporter.",
        ),
        optional("path", Shape::Text(Format::Filled), PATH),
        optional(
            "digest",
            Shape::Text(Format::Digest),
            "The digest that the component must have.",
        ),
        optional(
            "grants",
            Shape::Object(&GRANTS),
            "What the plugin may do. Nothing, unless it is said.",
        ),
        optional("with", Shape::JsonMap, "The plugin's configuration."),
        optional(
            "pullRequests",
            Shape::Object(&PULL_REQUESTS),
            "Which pull requests are planned; none if absent.",
        ),
    ],
};

const PATH: &str = "The component's file on this machine; a built-in one if absent.";

static PULL_REQUESTS: Object = Object {
    what: "`pullRequests`",
    fields: &[
        optional(
            "environments",
            NAMES,
            "What they are planned against; all environments of the source if absent.",
        ),
        optional(
            "allowForks",
            Shape::Flag,
            "Whether those of other repositories are planned. Default: false.",
        ),
    ],
};
