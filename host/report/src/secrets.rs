//! Where the secrets of an environment are and of which shape; never what they are.

use std::fmt::Write as _;

use serde::Serialize;
use serde_json::json;
use whimbrel_core::name::EnvironmentName;

use crate::style::{bad, good, hint, strong, warn};
use crate::table::{Cell, render};
use crate::{duration, plural};

/// The secrets of an environment.
#[derive(Clone, Debug)]
pub struct SecretsView {
    /// The environment.
    pub environment: EnvironmentName,
    /// Each reference.
    pub references: Vec<SecretLine>,
    /// How each backend that was asked is doing.
    pub backends: Vec<BackendLine>,
    /// How long the plan is expected to take, where that was asked for.
    pub plan: Option<PlanTime>,
}

/// How a backend is doing.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BackendLine {
    /// What the environment calls it.
    pub name: String,
    /// `healthy`, `refusing` or `unavailable`.
    pub health: &'static str,
    /// What it last said, unless it is healthy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// How long a plan is expected to take, which is what leases are compared with.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PlanTime {
    /// In milliseconds, as far as is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub milliseconds: Option<u64>,
    /// Migrations of which nothing tells how long they take.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub without_ground: Vec<String>,
    /// Why nothing is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

impl PlanTime {
    /// The span in words, as in "the plan takes …"; none when nothing is known.
    #[must_use]
    pub fn words(&self) -> Option<String> {
        let span = duration(self.milliseconds?);
        Some(if self.without_ground.is_empty() {
            format!("about {span}")
        } else {
            format!("at least {span}")
        })
    }

    fn text(&self) -> String {
        let unknown = (!self.without_ground.is_empty()).then(|| {
            format!(
                "nothing tells how long this takes: {}",
                self.without_ground.join(", ")
            )
        });
        match (self.words(), unknown, &self.error) {
            (Some(words), Some(unknown), _) => {
                format!("the plan takes {words}, by earlier runs; {unknown}")
            }
            (Some(words), None, _) => format!("the plan takes {words}, by earlier runs"),
            (None, Some(unknown), _) => format!("the plan's time can't be estimated: {unknown}"),
            (None, None, Some(error)) => format!("the plan's time can't be estimated: {error}"),
            (None, None, None) => "nothing is pending".to_owned(),
        }
    }
}

/// One reference.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SecretLine {
    /// Where the environment refers to it.
    pub place: String,
    /// The reference.
    pub reference: String,
    /// What its backend is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backend: Option<String>,
    /// The names of its fields, where they are known.
    pub fields: Vec<String>,
    /// Its version, where there are versions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// For how long it is lent, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lent_for_milliseconds: Option<u64>,
    /// When it changes next: RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_rotation: Option<String>,
    /// What to know about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub notice: Option<String>,
    /// Why it can't be had.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

impl SecretsView {
    /// For programs.
    #[must_use]
    pub fn json(&self) -> String {
        let mut value = json!({
            "environment": self.environment,
            "references": self.references,
            "backends": self.backends,
        });
        if let (Some(plan), Some(fields)) = (&self.plan, value.as_object_mut()) {
            fields.insert("plan".to_owned(), json!(plan));
        }
        format!("{value:#}\n")
    }

    /// For people.
    #[must_use]
    pub fn text(&self) -> String {
        let mut out = String::new();
        // Writing to a string can't fail.
        let _ = writeln!(
            out,
            "{}: {}",
            strong(&self.environment),
            plural(self.references.len(), "secret reference")
        );
        let rows: Vec<_> = self.references.iter().map(row).collect();
        out.push_str(&render(&rows, "  "));
        for backend in &self.backends {
            let Some(message) = &backend.message else {
                continue;
            };
            let (name, health) = (&backend.name, backend.health);
            let _ = writeln!(
                out,
                "\n{} `{name}` is {health}: {message}",
                warn("backend:")
            );
        }
        if let Some(plan) = &self.plan {
            let _ = writeln!(out, "\n{} {}", hint("plan:"), plan.text());
        }
        for line in &self.references {
            if let Some(notice) = &line.notice {
                let _ = writeln!(out, "\n{} {}: {notice}", warn("note:"), line.place);
            }
            if let Some(error) = &line.error {
                let _ = writeln!(out, "\n{} {}: {error}", bad("error:"), line.place);
                if let Some(words) = &line.hint {
                    let _ = writeln!(out, "{} {words}", hint("hint:"));
                }
            }
        }
        out
    }
}

fn row(line: &SecretLine) -> Vec<Cell> {
    let state = match line.error {
        None => Cell::styled("found", |text| good(text)),
        Some(_) => Cell::styled("failed", |text| bad(text)),
    };
    let some = |label: &str, text: Option<String>| {
        Cell::plain(
            text.map(|text| format!("{label} {text}"))
                .unwrap_or_default(),
        )
    };
    let fields = (!line.fields.is_empty()).then(|| line.fields.join(", "));
    vec![
        state,
        Cell::plain(&line.place),
        Cell::plain(&line.reference),
        Cell::plain(line.backend.clone().unwrap_or_default()),
        some("fields", fields),
        some("version", line.version.clone()),
        some("lent for", line.lent_for_milliseconds.map(duration)),
        some(
            "changes",
            line.next_rotation.as_deref().map(crate::status::moment),
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::{BackendLine, PlanTime, SecretLine, SecretsView};
    use crate::plan::tests::plain;

    #[test]
    fn says_where_secrets_are_and_what_is_missing() {
        let line = |key: &str| SecretLine {
            place: format!("databases.shop.{key}"),
            reference: format!("secret://vault/creds#{key}"),
            backend: Some("Vault at https://vault:8200".to_owned()),
            ..SecretLine::default()
        };
        let view = SecretsView {
            environment: "production".parse().unwrap(),
            references: vec![
                SecretLine {
                    fields: vec!["username".to_owned(), "password".to_owned()],
                    version: Some("7".to_owned()),
                    lent_for_milliseconds: Some(3_600_000),
                    next_rotation: Some("2026-01-02T03:04:05Z".to_owned()),
                    notice: Some("renewed on the way".to_owned()),
                    ..line("username")
                },
                SecretLine {
                    error: Some("there is no field `pass`".to_owned()),
                    hint: Some("did you mean `password`?".to_owned()),
                    ..line("password")
                },
            ],
            backends: vec![
                BackendLine {
                    name: "env".to_owned(),
                    health: "healthy",
                    message: None,
                },
                BackendLine {
                    name: "vault".to_owned(),
                    health: "unavailable",
                    message: Some("it is sealed (vault.sealed), 3 times in a row".to_owned()),
                },
            ],
            plan: Some(PlanTime {
                milliseconds: Some(480_000),
                without_ground: vec!["0001-people (shop)".to_owned()],
                error: None,
            }),
        };
        insta::assert_snapshot!(plain(&view.text()));
        let value: serde_json::Value = serde_json::from_str(&view.json()).unwrap();
        assert_eq!(value["references"][0]["lentForMilliseconds"], 3_600_000);
        assert_eq!(value["references"][1]["hint"], "did you mean `password`?");
        assert_eq!(value["plan"]["milliseconds"], 480_000);
        assert_eq!(value["backends"][0]["health"], "healthy");
        assert_eq!(value["plan"]["withoutGround"][0], "0001-people (shop)");
    }

    #[test]
    fn says_what_it_does_not_know() {
        let plan = |milliseconds, unknown: &[&str], error: Option<&str>| PlanTime {
            milliseconds,
            without_ground: unknown.iter().map(|&name| name.to_owned()).collect(),
            error: error.map(str::to_owned),
        };
        for (plan, text) in [
            (
                plan(Some(90_000), &[], None),
                "the plan takes about 1 min 30 s, by earlier runs",
            ),
            (
                plan(None, &["0001-people (shop)"], None),
                "the plan's time can't be estimated: nothing tells how long this takes: 0001-people (shop)",
            ),
            (
                plan(None, &[], Some("no route")),
                "the plan's time can't be estimated: no route",
            ),
            (plan(None, &[], None), "nothing is pending"),
        ] {
            assert_eq!(plan.text(), text);
        }
    }
}
