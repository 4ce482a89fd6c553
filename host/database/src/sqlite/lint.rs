//! Rules for SQLite over sqlparser's tree. Of a statement that sqlparser doesn't know, only SQLite's own grammar tells.

use sqlparser::ast::{
    AlterTableOperation, ColumnOption, DataType, Expr, Statement as Tree, TableConstraint,
};
use sqlparser::dialect::SQLiteDialect;
use sqlparser::parser::Parser;
use whimbrel_core::finding::Severity;
use whimbrel_core::statement::Dialect;

use super::syntax::Grammar;
use crate::dialect::LintFinding;
use crate::dialect::pieces::{Piece, pieces};

/// The names of the rules for SQLite.
pub(crate) const RULES: [&str; 6] = [
    "adding-required-field",
    "column-without-type",
    "foreign-keys-off",
    "renaming-column",
    "renaming-table",
    "table-without-primary-key",
];

/// What the rules say of a whole text.
pub(crate) fn lint(text: &str) -> Vec<LintFinding> {
    let mut findings = Vec::new();
    let grammar = Grammar::open();
    for piece in pieces(Dialect::Sqlite, text).unwrap_or_default() {
        let examined = grammar.as_ref().map(|grammar| grammar.examine(piece.text));
        if let Some(broken) = examined.flatten() {
            findings.push(LintFinding {
                rule: "syntax-error".to_owned(),
                severity: Severity::Error,
                message: broken.message,
                help: None,
                offset: piece.start + broken.offset,
            });
        }
        let mut add = |rule: &str, severity, message: String, help: &str| {
            let help = Some(help.to_owned());
            findings.push(LintFinding {
                rule: rule.to_owned(),
                severity,
                message,
                help,
                offset: piece.start,
            });
        };
        foreign_keys_inside(&piece, &mut add);
        let parsed = Parser::new(&SQLiteDialect {})
            .with_recursion_limit(100)
            .try_with_sql(piece.text);
        let Ok(statements) = parsed.and_then(|mut parser| parser.parse_statements()) else {
            continue;
        };
        for statement in &statements {
            rules(statement, &mut add);
        }
    }
    findings
}

type Add<'a> = dyn FnMut(&str, Severity, String, &str) + 'a;

fn foreign_keys_inside(piece: &Piece<'_>, add: &mut Add<'_>) {
    if super::foreign_keys_pragma(piece.text) == Some(false) {
        add(
            "foreign-keys-off",
            Severity::Note,
            "foreign keys are off while this migration runs".to_owned(),
            "Whimbrel hoists this before its transaction and runs foreign_key_check before the COMMIT",
        );
    }
}

fn rules(statement: &Tree, add: &mut Add<'_>) {
    match statement {
        Tree::AlterTable(alter) => {
            for operation in &alter.operations {
                of_alteration(&alter.name.to_string(), operation, add);
            }
        }
        Tree::CreateTable(create) if create.query.is_none() => of_new_table(create, add),
        _ => {}
    }
}

fn of_alteration(table: &str, operation: &AlterTableOperation, add: &mut Add<'_>) {
    match operation {
        AlterTableOperation::AddColumn { column_def, .. } => {
            let required = column_def
                .options
                .iter()
                .any(|option| matches!(option.option, ColumnOption::NotNull));
            let default = column_def
                .options
                .iter()
                .find_map(|option| match &option.option {
                    ColumnOption::Default(value) => Some(value),
                    _ => None,
                });
            let null = default.is_none_or(
                |value| matches!(value, Expr::Value(value) if value.to_string() == "NULL"),
            );
            if required && null {
                add(
                    "adding-required-field",
                    Severity::Error,
                    format!(
                        "column {} of {table} is NOT NULL without a default: SQLite refuses it",
                        column_def.name
                    ),
                    "give it a default, or rebuild the table",
                );
            }
        }
        AlterTableOperation::RenameColumn {
            old_column_name, ..
        } => add(
            "renaming-column",
            Severity::Warning,
            format!(
                "renaming column {old_column_name} of {table} breaks clients that still use the old name"
            ),
            "add a new column and move clients over",
        ),
        AlterTableOperation::RenameTable { .. } => add(
            "renaming-table",
            Severity::Warning,
            format!("renaming table {table} breaks clients that still use the old name"),
            "leave a view with the old name",
        ),
        _ => {}
    }
}

fn of_new_table(create: &sqlparser::ast::CreateTable, add: &mut Add<'_>) {
    let by_column = create.columns.iter().any(|column| {
        column
            .options
            .iter()
            .any(|option| matches!(option.option, ColumnOption::PrimaryKey(_)))
    });
    let by_table = create
        .constraints
        .iter()
        .any(|constraint| matches!(constraint, TableConstraint::PrimaryKey(_)));
    if !by_column && !by_table {
        add(
            "table-without-primary-key",
            Severity::Warning,
            format!("table {} has no primary key", create.name),
            "name one: batched steps walk along it",
        );
    }
    if !create.strict {
        for column in create
            .columns
            .iter()
            .filter(|column| matches!(column.data_type, DataType::Unspecified))
        {
            add(
                "column-without-type",
                Severity::Note,
                format!("column {} of {} has no type", column.name, create.name),
                "give it one, or make the table STRICT",
            );
        }
    }
}
