//! Projects that are linted, and what was found.

use whimbrel_core::finding::{Finding, Severity};
use whimbrel_project::{LintOptions, lint};

use super::{DEV, Shop, plugins};

pub async fn findings(shop: &Shop, options: &LintOptions) -> Vec<Finding> {
    let project = shop.open();
    lint(&project, plugins(&project), options).await.unwrap()
}

pub fn rules(findings: &[Finding]) -> Vec<(&str, Severity)> {
    findings
        .iter()
        .map(|finding| (finding.rule.as_str(), finding.severity))
        .collect()
}

pub fn of<'a>(findings: &'a [Finding], rule: &str) -> &'a Finding {
    findings
        .iter()
        .find(|finding| finding.rule == rule)
        .unwrap_or_else(|| panic!("no `{rule}` among {:?}", rules(findings)))
}

/// An environment whose policy lets data be lost.
pub fn careless() -> Shop {
    let shop = Shop::new();
    shop.write("environments/dev.yaml", &lenient(DEV));
    shop
}

pub fn lenient(environment: &str) -> String {
    environment.replace("apply: Auto", "apply: Auto, destructive: Allow")
}
