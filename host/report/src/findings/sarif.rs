//! Findings as SARIF 2.1.0, as code hosts read it.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};
use whimbrel_core::digest::Digest;
use whimbrel_core::finding::Finding;

/// Where a finding is that has no place of its own: code hosts take no result without one.
const PROJECT: &str = "whimbrel.yaml";

const SCHEMA: &str = "https://json.schemastore.org/sarif-2.1.0.json";

/// For code hosts. Paths are relative to the project's root; `version` is the program's.
#[must_use]
pub fn sarif(version: &str, findings: &[Finding]) -> String {
    let mut rules: BTreeMap<&str, &Finding> = BTreeMap::new();
    for finding in findings {
        rules.entry(&finding.rule).or_insert(finding);
    }
    let order: Vec<&str> = rules.keys().copied().collect();
    let descriptors: Vec<Json> = rules.values().map(|finding| descriptor(finding)).collect();
    let results: Vec<Json> = findings
        .iter()
        .map(|finding| result(finding, &order))
        .collect();
    let value = json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {"name": "whimbrel", "version": version, "rules": descriptors}},
            "originalUriBaseIds": {"PROJECT": {"description": {"text": "the folder of whimbrel.yaml"}}},
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    });
    format!("{value:#}\n")
}

fn descriptor(finding: &Finding) -> Json {
    let mut rule = json!({
        "id": finding.rule,
        "shortDescription": {"text": finding.rule.replace('-', " ")},
        "defaultConfiguration": {"level": finding.severity.as_str()},
    });
    if let (Some(help), Some(fields)) = (&finding.help, rule.as_object_mut()) {
        fields.insert("help".to_owned(), json!({"text": help}));
    }
    rule
}

fn result(finding: &Finding, order: &[&str]) -> Json {
    let about = [
        finding
            .migration
            .as_ref()
            .map(|name| ("migration", name.to_string())),
        finding
            .target
            .as_ref()
            .map(|name| ("target", name.to_string())),
    ];
    let properties: BTreeMap<&str, String> = about.into_iter().flatten().collect();
    let identity = format!(
        "{}\0{}\0{}\0{}",
        finding.rule,
        properties.values().cloned().collect::<Vec<_>>().join("\0"),
        finding.path.as_deref().unwrap_or_default(),
        finding.message
    );
    json!({
        "ruleId": finding.rule,
        "ruleIndex": order.iter().position(|rule| *rule == finding.rule),
        "level": finding.severity.as_str(),
        "message": {"text": finding.message},
        "locations": [location(finding)],
        // Stays the same when lines above move, so that a code host knows the finding again.
        "partialFingerprints": {"whimbrel/v1": Digest::of(identity.as_bytes()).hex()},
        "properties": properties,
    })
}

fn location(finding: &Finding) -> Json {
    let path = finding.path.as_deref().unwrap_or(PROJECT);
    let mut physical = json!({"artifactLocation": {"uri": uri(path), "uriBaseId": "PROJECT"}});
    if let (Some(line), Some(fields)) = (finding.line, physical.as_object_mut()) {
        let region = match finding.column {
            Some(column) => json!({"startLine": line, "startColumn": column}),
            None => json!({"startLine": line}),
        };
        fields.insert("region".to_owned(), region);
    }
    json!({"physicalLocation": physical})
}

/// A path as a relative URI.
fn uri(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}
