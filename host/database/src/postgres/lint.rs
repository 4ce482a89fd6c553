//! Squawk's rules, without those that Whimbrel answers itself, and what its parser doesn't understand.

use std::panic::{AssertUnwindSafe, catch_unwind};

use squawk_linter::{Linter, Rule, Violation};
use squawk_syntax::SourceFile;
use whimbrel_core::finding::Severity;
use whimbrel_core::statement::Dialect;

use super::{syntax, tree};
use crate::dialect::LintFinding;
use crate::dialect::token::tokens;

/// Every statement runs in Whimbrel's transaction with Whimbrel's timeouts, is never run twice, and destructive ones
/// meet `policy.destructive`.
const ANSWERED: [Rule; 17] = [
    Rule::TransactionNesting,
    Rule::BanUncommittedTransaction,
    Rule::BanConcurrentIndexCreationInTransaction,
    Rule::PreferRobustStmts,
    Rule::RequireTimeoutSettings,
    Rule::RequireLockTimeout,
    Rule::RequireStatementTimeout,
    Rule::BanDropTable,
    Rule::BanDropColumn,
    Rule::BanDropDatabase,
    Rule::BanDropSchema,
    Rule::BanDropType,
    Rule::BanDropSequence,
    Rule::BanDropDomain,
    Rule::BanDropExtension,
    Rule::BanDropView,
    Rule::BanDropFunction,
];

/// Rules whose breach stops the application or loses data, rather than being a matter of taste.
const ERRORS: [Rule; 4] = [
    Rule::AddingRequiredField,
    Rule::BanTruncateCascade,
    Rule::BanDuplicateColumnAssignments,
    Rule::IdentifierTooLong,
];

/// Rules about taste.
const NOTES: [Rule; 8] = [
    Rule::PreferBigintOverInt,
    Rule::PreferBigintOverSmallint,
    Rule::PreferIdentity,
    Rule::PreferTextField,
    Rule::PreferTimestampTz,
    Rule::PreferRepack,
    Rule::BanCharField,
    Rule::RequireEnumValueOrdering,
];

/// The names of the rules for PostgreSQL.
pub(crate) fn rules() -> Vec<String> {
    let linter = Linter::with_rules(&[], &ANSWERED);
    linter.rules.iter().map(ToString::to_string).collect()
}

/// What squawk says of a whole text.
pub(crate) fn lint(text: &str) -> Vec<LintFinding> {
    let Ok(tokens) = tokens(Dialect::Postgres, text) else {
        return Vec::new();
    };
    if tree::nesting(&tokens) > 256 {
        return Vec::new();
    }
    let found = catch_unwind(AssertUnwindSafe(|| {
        let file = SourceFile::parse(text);
        let errors = if file.errors().is_empty() {
            Vec::new()
        } else {
            syntax::errors(text)
        };
        (errors, Linter::with_rules(&[], &ANSWERED).lint(&file, text))
    }));
    let (mut findings, violations) = found.unwrap_or_default();
    findings.extend(violations.into_iter().map(finding));
    findings.dedup();
    findings
}

fn finding(violation: Violation) -> LintFinding {
    let severity = if ERRORS.contains(&violation.code) {
        Severity::Error
    } else if NOTES.contains(&violation.code) {
        Severity::Note
    } else {
        Severity::Warning
    };
    LintFinding {
        rule: violation.code.to_string(),
        severity,
        message: violation.message,
        help: violation.help,
        offset: usize::from(violation.text_range.start()),
    }
}
