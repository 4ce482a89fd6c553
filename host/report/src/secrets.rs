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
        let value = json!({
            "environment": self.environment,
            "references": self.references,
        });
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
    use super::{SecretLine, SecretsView};
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
        };
        insta::assert_snapshot!(plain(&view.text()));
        let value: serde_json::Value = serde_json::from_str(&view.json()).unwrap();
        assert_eq!(value["references"][0]["lentForMilliseconds"], 3_600_000);
        assert_eq!(value["references"][1]["hint"], "did you mean `password`?");
    }
}
