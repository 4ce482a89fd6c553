//! Plans for pull requests: short at a glance, everything behind a fold.

use std::fmt::Write as _;

use whimbrel_core::gate::describe_revision;
use whimbrel_core::plan::{Change, OperationAction, TargetPlan, Work};

use super::{PlanView, remark, summary};
use crate::quantity::count;

// Writing to a string can't fail, so the results of `write!` are dropped all through this file.
pub(super) fn render(view: &PlanView<'_>) -> String {
    let mut out = String::new();
    let plan = view.plan;
    let _ = writeln!(
        out,
        "### Whimbrel plan for `{}` from `{}`\n",
        plan.environment,
        describe_revision(plan.revision.as_ref())
    );
    for refusal in view.refusals {
        let _ = writeln!(
            out,
            "> **Would be refused** by `{}`: {}\n>\n> {}\n",
            refusal.gate,
            escape(&refusal.message),
            escape(&refusal.hint)
        );
    }
    for (target, blocker) in plan.blockers() {
        let about = blocker
            .migration
            .as_ref()
            .map_or_else(String::new, |name| format!(" `{name}`:"));
        let hint = match escape(&blocker.hint) {
            hint if hint.is_empty() => hint,
            hint => format!(">\n> {hint}\n"),
        };
        let _ = writeln!(
            out,
            "> **Blocked** on `{target}`:{about} {}\n{hint}",
            escape(&blocker.to_string())
        );
    }
    let _ = writeln!(out, "| database | dialect | what |\n|---|---|---|");
    for target in &plan.targets {
        let _ = writeln!(
            out,
            "| `{}` | {} | {} |",
            target.target,
            target.dialect,
            summary(target)
        );
    }
    for target in plan.targets.iter().filter(|target| !target.work.is_empty()) {
        let _ = writeln!(out, "\n#### `{}`\n", target.target);
        for work in &target.work {
            render_work(view, target, work, &mut out);
        }
    }
    render_findings(view, &mut out);
    if plan.is_empty() {
        let _ = writeln!(out, "\nNothing to do.");
    } else {
        let _ = writeln!(out, "\nDigest: `{}`", plan.digest());
    }
    out
}

fn render_work(view: &PlanView<'_>, target: &TargetPlan, work: &Work, out: &mut String) {
    let (verb, change) = match work {
        Work::Rename { from, to } => {
            let _ = writeln!(out, "- rename `{from}` to `{to}`\n");
            return;
        }
        Work::Apply(change) => ("apply", change),
        Work::Revert(change) => ("revert", change),
    };
    let mut head = format!("{verb} <code>{}</code>", change.migration);
    if let Some(remark) = remark(change) {
        let _ = write!(head, " ({remark})");
    }
    let losses: Vec<&str> = change.destructive().collect();
    if !losses.is_empty() {
        let _ = write!(head, " — <strong>destructive</strong>");
    }
    let _ = writeln!(out, "<details><summary>{head}</summary>\n");
    for loss in losses {
        let _ = writeln!(out, "- **destructive**: {}", escape(loss));
    }
    body(view, target, change, out);
    let _ = writeln!(out, "</details>\n");
}

fn body(view: &PlanView<'_>, target: &TargetPlan, change: &Change, out: &mut String) {
    let mut open = false;
    let mut locks = Vec::new();
    for planned in &change.operations {
        match &planned.operation.action {
            OperationAction::Statement(statement) => {
                if !open {
                    let _ = writeln!(out, "{}sql", fence(change));
                    open = true;
                }
                let done = if planned.done { " -- done already" } else { "" };
                let _ = writeln!(out, "{};{done}", statement.text);
                for lock in &statement.locks {
                    let lock = format!("`{}` ({})", lock.relation, lock.mode);
                    if !locks.contains(&lock) {
                        locks.push(lock);
                    }
                }
            }
            OperationAction::Plugin { uses, effects, .. } => {
                if open {
                    let _ = writeln!(out, "{}\n", fence(change));
                    open = false;
                }
                let rows = view
                    .estimate(&target.target, change, planned.position)
                    .map_or_else(String::new, |rows| format!(", about {} rows", count(rows)));
                let _ = writeln!(
                    out,
                    "- {}: uses `{uses}`{rows}",
                    escape(&planned.operation.title)
                );
                for effect in effects {
                    let _ = writeln!(out, "  - {}", escape(effect));
                }
                out.push('\n');
            }
        }
    }
    if open {
        let _ = writeln!(out, "{}\n", fence(change));
    }
    if !locks.is_empty() {
        let _ = writeln!(out, "Locks: {}\n", locks.join(", "));
    }
}

fn render_findings(view: &PlanView<'_>, out: &mut String) {
    let findings = view.findings();
    if findings.is_empty() {
        return;
    }
    let _ = writeln!(
        out,
        "\n#### Findings\n\n| severity | rule | where | what |\n|---|---|---|---|"
    );
    for finding in findings {
        let place = finding.path.clone().map_or_else(String::new, |path| {
            let line = finding
                .line
                .map_or_else(String::new, |line| format!(":{line}"));
            format!("`{path}{line}`")
        });
        let _ = writeln!(
            out,
            "| {} | `{}` | {place} | {} |",
            finding.severity.as_str(),
            finding.rule,
            escape(&finding.message)
        );
    }
}

/// A fence that no statement of the change can close.
fn fence(change: &Change) -> String {
    let mut longest = 2;
    for planned in &change.operations {
        if let OperationAction::Statement(statement) = &planned.operation.action {
            let runs = statement.text.split(|character| character != '`');
            longest = longest.max(runs.map(str::len).max().unwrap_or_default());
        }
    }
    "`".repeat(longest + 1)
}

/// Text that breaks neither a table nor a quotation, and is no markup.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\n' | '\r' => out.push(' '),
            '<' => out.push_str("&lt;"),
            '|' | '*' | '_' | '[' | ']' => {
                out.push('\\');
                out.push(character);
            }
            other => out.push(other),
        }
    }
    out
}
