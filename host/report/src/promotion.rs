//! What one environment may take over from another.

use std::fmt::Write as _;

use serde::Serialize;
use serde_json::json;
use whimbrel_core::checksum::Checksum;
use whimbrel_core::name::{EnvironmentName, MigrationName};

use crate::style::{good, hint, strong, warn};
use crate::table::{Cell, render};

/// What one environment may take over from another.
#[derive(Clone, Debug)]
pub struct PromotionView {
    /// The environment before.
    pub from: EnvironmentName,
    /// The environment after.
    pub to: EnvironmentName,
    /// Who signed what the environment before has published, where that is verified.
    pub signer: Option<String>,
    /// Why nothing of it counts, where nothing does.
    pub distrusted: Option<String>,
    /// Every migration that is pending there, in order.
    pub migrations: Vec<Promotable>,
    /// Parameters that differ: name, value before, value after.
    pub parameters: Vec<(String, Option<String>, Option<String>)>,
}

/// Whether one migration may be taken over.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Promotable {
    /// The migration.
    pub migration: MigrationName,
    /// Of the definition at hand.
    pub checksum: Checksum,
    /// Why not; none when it may.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub missing: Option<String>,
    /// When the environment before had it: RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub applied_at: Option<String>,
}

impl PromotionView {
    /// Whether everything that is pending may be taken over.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.migrations.iter().all(|item| item.missing.is_none())
    }

    /// For programs.
    #[must_use]
    pub fn json(&self) -> String {
        let parameters: Vec<_> = self
            .parameters
            .iter()
            .map(|(name, from, to)| json!({"name": name, "from": from, "to": to}))
            .collect();
        let value = json!({
            "from": self.from,
            "to": self.to,
            "signer": self.signer,
            "distrusted": self.distrusted,
            "complete": self.is_complete(),
            "migrations": self.migrations,
            "parameters": parameters,
        });
        format!("{value:#}\n")
    }

    /// For people.
    #[must_use]
    pub fn text(&self) -> String {
        let mut out = String::new();
        // Writing to a string can't fail.
        let _ = writeln!(out, "{} → {}", strong(&self.from), strong(&self.to));
        if let Some(signer) = &self.signer {
            let _ = writeln!(out, "signed by {signer}");
        }
        if let Some(why) = &self.distrusted {
            let _ = writeln!(out, "{} nothing of it counts: {why}", warn("note:"));
        }
        if self.migrations.is_empty() {
            let _ = writeln!(out, "nothing is pending on `{}`", self.to);
            return out;
        }
        let rows: Vec<_> = self
            .migrations
            .iter()
            .map(|item| {
                let state = match item.missing {
                    None => Cell::styled("ready", |text| good(text)),
                    Some(_) => Cell::styled("missing", |text| warn(text)),
                };
                vec![
                    state,
                    Cell::plain(item.migration.to_string()),
                    Cell::plain(item.checksum.short()),
                    Cell::plain(item.missing.clone().unwrap_or_else(|| {
                        let at = item.applied_at.as_deref();
                        at.map_or_else(String::new, |at| {
                            format!("since {}", crate::status::moment(at))
                        })
                    })),
                ]
            })
            .collect();
        out.push_str(&render(&rows, "  "));
        for (name, from, to) in &self.parameters {
            let value =
                |value: &Option<String>| value.clone().unwrap_or_else(|| "(none)".to_owned());
            let _ = writeln!(out, "  parameter {name}: {} → {}", value(from), value(to));
        }
        if !self.is_complete() {
            let _ = writeln!(
                out,
                "\n{} apply the same revision to `{}` first",
                hint("hint:"),
                self.from
            );
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use whimbrel_core::checksum::Checksum;

    use super::{Promotable, PromotionView};
    use crate::plan::tests::plain;

    fn view() -> PromotionView {
        let item = |name: &str, missing: Option<&str>| Promotable {
            migration: name.parse().unwrap(),
            checksum: Checksum::w1(&json!(name)),
            missing: missing.map(str::to_owned),
            applied_at: missing.is_none().then(|| "2026-01-02T03:04:05Z".to_owned()),
        };
        PromotionView {
            from: "staging".parse().unwrap(),
            to: "production".parse().unwrap(),
            signer: Some("staging@example.org (SHA256:abc)".to_owned()),
            distrusted: None,
            migrations: vec![
                item("0001-a", None),
                item("0002-b", Some("not applied there")),
            ],
            parameters: vec![("currency".to_owned(), Some("EUR".to_owned()), None)],
        }
    }

    #[test]
    fn says_what_may_pass_and_what_is_missing() {
        insta::assert_snapshot!(plain(&view().text()));
        let value: serde_json::Value = serde_json::from_str(&view().json()).unwrap();
        assert_eq!(value["complete"], false);
        assert_eq!(value["migrations"][1]["missing"], "not applied there");
    }

    #[test]
    fn nothing_pending_is_complete() {
        let mut view = view();
        view.migrations.clear();
        assert!(view.is_complete());
        assert_eq!(
            plain(&view.text()),
            "staging → production\nsigned by staging@example.org (SHA256:abc)\nnothing is pending on `production`\n"
        );
    }
}
