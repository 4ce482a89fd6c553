//! Plans for people on a terminal.

use std::fmt::Write as _;

use whimbrel_core::finding::{Finding, Severity};
use whimbrel_core::gate::describe_revision;
use whimbrel_core::plan::{Change, OperationAction, PlannedOperation, TargetPlan, Work};
use whimbrel_core::statement::{Statement, StatementClass};

use super::{PlanView, remark, summary};
use crate::findings::{Notes, counted, indented, place};
use crate::quantity::{count, plural};
use crate::style::{bad, dim, good, hint, strong, warn};

/// Lines of a statement that are shown; the rest is counted.
const SHOWN_LINES: usize = 12;

// Writing to a string can't fail, so the results of `write!` are dropped all through this file.
pub(super) fn render(view: &PlanView<'_>, is_whole: bool) -> String {
    let mut out = String::new();
    let plan = view.plan;
    let _ = writeln!(
        out,
        "Plan for {} from {}",
        strong(&plan.environment),
        describe_revision(plan.revision.as_ref())
    );
    for target in &plan.targets {
        out.push('\n');
        render_target(view, target, &mut out);
    }
    for refusal in view.refusals {
        let _ = writeln!(
            out,
            "\n{} {}: {}",
            warn("would be refused:"),
            refusal.gate,
            refusal.message
        );
        let _ = writeln!(out, "  {} {}", hint("hint:"), refusal.hint);
    }
    let has_nothing = plan.is_empty() && plan.blockers().next().is_none();
    if has_nothing && is_whole {
        let _ = writeln!(out, "\n{}", good("Everything is up to date."));
    }
    if !has_nothing {
        let _ = writeln!(out, "\ndigest {}", plan.digest());
    }
    if !is_whole {
        let unknown = "Not every database could be read: what would run there isn't known.";
        let _ = writeln!(out, "\n{}", warn(unknown));
    }
    out
}

fn render_target(view: &PlanView<'_>, target: &TargetPlan, out: &mut String) {
    let _ = writeln!(
        out,
        "{} {} {}",
        strong(&target.target),
        dim(format!("({})", target.dialect)),
        summary(target)
    );
    for blocker in &target.blockers {
        let about = blocker
            .migration
            .as_ref()
            .map_or_else(String::new, |name| format!("{name}: "));
        let message = blocker.to_string().replace('\n', "\n    ");
        let _ = writeln!(out, "  {} {about}{message}", bad("blocked:"));
        if let Some(excerpt) = blocker.excerpt() {
            out.push_str(&indented(excerpt, "   "));
        }
        // Not every plugin that is refused says what would help.
        if !blocker.hint.is_empty() {
            let _ = writeln!(out, "    {} {}", hint("hint:"), blocker.hint);
        }
    }
    for work in &target.work {
        match work {
            Work::Rename { from, to } => {
                let _ = writeln!(out, "  ~ rename {from} to {}", strong(to));
            }
            Work::Apply(change) => {
                change_head(&good("+ apply"), change, out);
                operations(view, target, change, out);
            }
            Work::Revert(change) => {
                change_head(&warn("- revert"), change, out);
                operations(view, target, change, out);
            }
        }
    }
    let is_shown =
        |finding: &&Finding| view.notes == Notes::Shown || finding.severity != Severity::Note;
    for finding in target.findings.iter().filter(is_shown) {
        render_finding(finding, out);
    }
    if view.notes == Notes::Counted
        && let Some(counted) = counted(&target.findings)
    {
        let _ = writeln!(
            out,
            "  {}: {counted} (`--verbose` shows them)",
            dim("notes")
        );
    }
}

fn change_head(sign: &str, change: &Change, out: &mut String) {
    let remark = remark(change).map_or_else(String::new, |text| format!(" ({text})"));
    let _ = writeln!(out, "  {sign} {}{}", strong(&change.migration), dim(remark));
}

fn operations(view: &PlanView<'_>, target: &TargetPlan, change: &Change, out: &mut String) {
    let mut title = None;
    for planned in &change.operations {
        let operation = &planned.operation;
        if title != Some((operation.step, operation.title.as_str())) {
            title = Some((operation.step, operation.title.as_str()));
            let _ = writeln!(out, "      {}", dim(printable(&operation.title)));
        }
        match &operation.action {
            OperationAction::Statement(statement) => render_statement(planned, statement, out),
            OperationAction::Plugin { uses, effects, .. } => {
                let done = if planned.done { " (done already)" } else { "" };
                let _ = writeln!(out, "        uses {}{}", strong(uses), dim(done));
                for effect in effects {
                    let _ = writeln!(out, "          {}", printable(effect));
                }
                if let Some(rows) = view.estimate(&target.target, change, planned.position) {
                    let _ = writeln!(out, "          about {} rows", count(rows));
                }
            }
        }
    }
    if change.operations.is_empty() {
        let _ = writeln!(out, "      {}", dim("nothing to run"));
    }
}

fn render_statement(planned: &PlannedOperation, statement: &Statement, out: &mut String) {
    let lines: Vec<&str> = statement.text.lines().collect();
    for (number, line) in (1..).zip(lines.iter().take(SHOWN_LINES)) {
        let end = if number == lines.len() { ";" } else { "" };
        let _ = writeln!(out, "        {}{end}", printable(line));
    }
    if lines.len() > SHOWN_LINES {
        let more = plural(lines.len() - SHOWN_LINES, "more line");
        let _ = writeln!(out, "        {}", dim(format!("… {more}")));
    }
    if planned.done {
        let _ = writeln!(out, "          {}", dim("done already"));
        return;
    }
    for reason in &statement.destructive {
        let _ = writeln!(out, "          {} {reason}", bad("destructive:"));
    }
    for lock in &statement.locks {
        let _ = writeln!(
            out,
            "          {}",
            dim(format!("locks {} ({})", lock.relation, lock.mode))
        );
    }
    let class = match &statement.class {
        StatementClass::Transactional => return,
        StatementClass::NonTransactional(_) => "outside of a transaction",
        StatementClass::Repeatable => "outside of a transaction; run again after a crash",
    };
    let _ = writeln!(out, "          {}", dim(class));
}

fn render_finding(finding: &Finding, out: &mut String) {
    let severity = match finding.severity {
        Severity::Error => bad("error"),
        Severity::Warning => warn("warning"),
        Severity::Note => dim("note"),
    };
    let about = finding
        .migration
        .as_ref()
        .map_or_else(String::new, |name| format!("{name}: "));
    let _ = writeln!(
        out,
        "  {severity}[{}] {about}{}",
        finding.rule, finding.message
    );
    if finding.path.is_some()
        && let Some(place) = place(finding)
    {
        let _ = writeln!(out, "    at {}", strong(place));
    }
    if let Some(help) = &finding.help {
        let _ = writeln!(out, "    {} {help}", hint("help:"));
    }
}

/// Text of a definition without what could move a terminal's cursor or change its colours.
fn printable(text: &str) -> String {
    text.chars()
        .map(|character| match character {
            '\t' => ' ',
            control if control.is_control() => '\u{fffd}',
            other => other,
        })
        .collect()
}
