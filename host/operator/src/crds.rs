//! The `CustomResourceDefinition`s: the schemas are the tables that `config` checks documents by, and what is added here
//! belongs to objects of a cluster: rules, columns, names, status.

mod artefact;
mod status;

use serde_json::{Value as Json, json};
use whimbrel_config::{Kind, structural};

use crate::api::resource;

/// A rule of the API server, in CEL: where in the schema of `spec`, what must hold, and what is said where it doesn't.
struct Rule(&'static str, &'static str, &'static str);

/// A kind that is an object.
struct Resource {
    kind: Kind,
    short: &'static str,
    about: &'static str,
    rules: &'static [Rule],
    /// Name, type, path and what it is, besides the age.
    columns: &'static [(&'static str, &'static str, &'static str)],
}

const RESOURCES: [Resource; 4] = [
    Resource {
        kind: Kind::GitSource,
        short: "wsrc",
        about: "A Git repository that defines environments and migrations.",
        rules: &[
            Rule(
                "",
                "has(self.url) != has(self.path)",
                "exactly one of `url` and `path` says where it is",
            ),
            Rule(
                "",
                "!has(self.path)",
                "`path` is a folder of one machine, and the operator has none: say `url`",
            ),
            Rule(
                "",
                "!has(self.webhook) && !has(self.report)",
                "webhooks and reports are `whimbrel serve`'s; the operator looks at `interval` and at the annotation `whimbrel.dev/requestedAt`",
            ),
            Rule(
                "/properties/url",
                "!self.matches('://[^/?#@]*:[^/?#]*@|[Hh][Tt][Tt][Pp][Ss]?://[^/?#]*@|://[^?#]*[?#]')",
                "no credential belongs into the address of a repository, which is shown everywhere: refer to a secret in `auth`",
            ),
            Rule(
                "/properties/url",
                "self == oldSelf",
                "the repository is what its environments were applied from: make another `GitSource` instead",
            ),
        ],
        columns: &[
            (
                "Ready",
                "string",
                ".status.conditions[?(@.type==\"Ready\")].status",
            ),
            (
                "Reason",
                "string",
                ".status.conditions[?(@.type==\"Ready\")].reason",
            ),
            ("Revision", "string", ".status.revision"),
        ],
    },
    Resource {
        kind: Kind::Environment,
        short: "wenv",
        about: "Databases that are kept at what a Git source, or the migrations of the namespace, say.",
        rules: &[
            Rule(
                "",
                "has(self.sourceRef) != (has(self.databases) || has(self.extends) || (has(self.abstract) && self.abstract))",
                "exactly one of `sourceRef` and a definition (`databases`, `extends` or `abstract: true`) says what it is",
            ),
            Rule(
                "",
                "!has(self.sourceRef) || !(has(self.branch) || has(self.after) || has(self.parameters) || has(self.secrets) || has(self.policy))",
                "what `sourceRef` defines is not defined here as well",
            ),
            Rule(
                "",
                "has(self.sourceRef) == has(oldSelf.sourceRef)",
                "where an environment is defined can't change: make another one instead",
            ),
            Rule(
                "/properties/sourceRef",
                "self == oldSelf",
                "where an environment is defined can't change: make another one instead",
            ),
        ],
        columns: &[
            (
                "Ready",
                "string",
                ".status.conditions[?(@.type==\"Ready\")].status",
            ),
            (
                "Reason",
                "string",
                ".status.conditions[?(@.type==\"Ready\")].reason",
            ),
            ("Revision", "string", ".status.revision"),
            ("Applied", "integer", ".status.applied"),
            ("Pending", "integer", ".status.pending"),
            ("Plan", "string", ".status.plan"),
        ],
    },
    Resource {
        kind: Kind::Migration,
        short: "wmig",
        about: "One named change of one database.",
        rules: &[
            Rule(
                "",
                "has(self.steps) != has(self.artefact)",
                "`steps` says what a migration does; only what a `GitSource` defines, and is too large for an object, has `artefact` instead",
            ),
            Rule(
                "/properties/steps/items",
                "[has(self.sql), has(self.sqlFile), has(self.uses)].filter(is, is).size() == 1",
                "exactly one of `sql`, `sqlFile` and `uses` says what a step does",
            ),
            Rule(
                "/properties/steps/items",
                "!has(self.sqlFile) && !has(self.revertFile)",
                "an object has no files beside it: write the statements into `sql` and `revert`",
            ),
            Rule(
                "/properties/database",
                "self == oldSelf",
                "the database of a migration can't change: make another one instead",
            ),
            Rule(
                "/properties/environmentRef",
                "self == oldSelf",
                "the environment of a migration can't change: make another one instead",
            ),
            Rule(
                "",
                "has(self.environmentRef) == has(oldSelf.environmentRef) && has(self.database) == has(oldSelf.database)",
                "where a migration belongs can't change: make another one instead",
            ),
        ],
        columns: &[
            (
                "Succeeded",
                "string",
                ".status.conditions[?(@.type==\"Succeeded\")].status",
            ),
            (
                "Reason",
                "string",
                ".status.conditions[?(@.type==\"Succeeded\")].reason",
            ),
            ("Environment", "string", ".spec.environmentRef.name"),
            ("Applied", "string", ".status.appliedAt"),
        ],
    },
    Resource {
        kind: Kind::Approval,
        short: "wapp",
        about: "Somebody's yes to one plan of one environment.",
        rules: &[Rule(
            "",
            "self == oldSelf",
            "an approval can't change: make another one instead",
        )],
        columns: &[
            (
                "Succeeded",
                "string",
                ".status.conditions[?(@.type==\"Succeeded\")].status",
            ),
            (
                "Reason",
                "string",
                ".status.conditions[?(@.type==\"Succeeded\")].reason",
            ),
            ("Environment", "string", ".spec.environmentRef.name"),
            ("Approver", "string", ".spec.approver"),
        ],
    },
];

/// Every definition, in the order in which they may be applied.
#[must_use]
pub fn crds() -> Vec<Json> {
    RESOURCES.iter().map(crd).collect()
}

fn crd(of: &Resource) -> Json {
    let named = resource(of.kind);
    let mut spec = structural(of.kind);
    if of.kind == Kind::Migration {
        artefact::allow(&mut spec);
    }
    for rule in of.rules {
        add(&mut spec, rule);
    }
    let columns: Vec<Json> = of
        .columns
        .iter()
        .map(|(name, r#type, path)| json!({ "name": name, "type": r#type, "jsonPath": path }))
        .chain([
            json!({ "name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp" }),
        ])
        .collect();
    json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {
            "name": format!("{}.{}", named.plural, named.group),
            "labels": { "app.kubernetes.io/name": "whimbrel" },
        },
        "spec": {
            "group": named.group,
            "scope": "Namespaced",
            "names": {
                "kind": named.kind,
                "listKind": format!("{}List", named.kind),
                "plural": named.plural,
                "singular": named.kind.to_lowercase(),
                "shortNames": [of.short],
                "categories": ["whimbrel"],
            },
            "versions": [{
                "name": named.version,
                "served": true,
                "storage": true,
                "subresources": { "status": {} },
                "additionalPrinterColumns": columns,
                "schema": { "openAPIV3Schema": {
                    "type": "object",
                    "description": of.about,
                    "required": ["spec"],
                    "properties": {
                        "apiVersion": { "type": "string" },
                        "kind": { "type": "string" },
                        "metadata": { "type": "object" },
                        "spec": spec,
                        "status": status::schema(of.kind),
                    },
                }},
            }],
        },
    })
}

/// Adds a rule where it belongs. A test holds every pointer to the schema.
fn add(spec: &mut Json, Rule(pointer, rule, message): &Rule) {
    let Some(place) = spec.pointer_mut(pointer).and_then(Json::as_object_mut) else {
        return;
    };
    let rules = place
        .entry("x-kubernetes-validations")
        .or_insert_with(|| json!([]));
    if let Some(rules) = rules.as_array_mut() {
        rules.push(json!({ "rule": rule, "message": message }));
    }
}

#[cfg(test)]
mod tests {
    use whimbrel_config::structural;

    use super::{RESOURCES, crds};

    #[test]
    fn every_rule_has_its_place() {
        for of in &RESOURCES {
            for rule in of.rules {
                assert!(structural(of.kind).pointer(rule.0).is_some(), "{}", rule.0);
            }
        }
        let rules: usize = RESOURCES.iter().map(|of| of.rules.len()).sum();
        let text = serde_json::to_string(&crds()).unwrap();
        assert_eq!(text.matches("\"rule\"").count(), rules);
    }

    #[test]
    fn names_are_those_of_the_api() {
        let names: Vec<_> = crds()
            .iter()
            .map(|crd| crd["metadata"]["name"].as_str().unwrap().to_owned())
            .collect();
        assert_eq!(
            names,
            [
                "gitsources.whimbrel.dev",
                "environments.whimbrel.dev",
                "migrations.whimbrel.dev",
                "approvals.whimbrel.dev"
            ]
        );
    }
}
