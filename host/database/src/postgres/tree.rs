//! What squawk's syntax tree of one statement tells: what it destroys and what it locks.
//!
//! A statement that the parser knows only in part still gives the part that it knows.

use std::panic::{AssertUnwindSafe, catch_unwind};

use squawk_syntax::ast::{self, AstNode};
use squawk_syntax::{SourceFile, SyntaxNode};
use whimbrel_core::statement::{Dialect, Lock};

use super::locks;
use crate::dialect::pieces::{Piece, pieces};
use crate::dialect::token::{Kind, Token};

/// Deeper nesting than this isn't given to the parser, which recurses.
const MAXIMUM_NESTING: usize = 256;

/// What the tree told.
#[derive(Default)]
pub(crate) struct Known {
    pub(crate) destructive: Vec<String>,
    pub(crate) locks: Vec<Lock>,
}

/// Examines one statement, and for `DO` the statements of its body.
pub(crate) fn examine(piece: &Piece<'_>) -> Known {
    let mut known = examine_text(piece.text, &piece.tokens);
    if piece.begins(&["do"]) {
        for body in piece
            .tokens
            .iter()
            .filter(|token| token.kind == Kind::DollarText)
        {
            examine_body(body.text, &mut known);
        }
    }
    known
}

fn examine_body(quoted: &str, known: &mut Known) {
    const STARTS: [&str; 7] = [
        "drop", "truncate", "delete", "update", "alter", "create", "lock",
    ];
    let tag = quoted
        .get(1..)
        .and_then(|rest| rest.find('$'))
        .map_or(0, |end| end + 2);
    let body = quoted
        .get(tag..quoted.len().saturating_sub(tag))
        .unwrap_or_default();
    for piece in pieces(Dialect::Postgres, body).unwrap_or_default() {
        let start = piece
            .tokens
            .iter()
            .find(|token| STARTS.iter().any(|word| token.is(word)));
        let Some(text) =
            start.and_then(|token| body.get(token.start..piece.start + piece.text.len()))
        else {
            continue;
        };
        let found = examine_text(text, &piece.tokens);
        known.destructive.extend(found.destructive);
        known.locks.extend(found.locks);
    }
}

fn examine_text(text: &str, tokens: &[Token<'_>]) -> Known {
    if nesting(tokens) > MAXIMUM_NESTING {
        return Known::default();
    }
    // A parser's bug must not take a plan down.
    catch_unwind(AssertUnwindSafe(|| {
        let file = SourceFile::parse(text).tree();
        Known {
            destructive: destructive(file.syntax()),
            locks: locks::of(&file),
        }
    }))
    .unwrap_or_default()
}

pub(crate) fn nesting(tokens: &[Token<'_>]) -> usize {
    let mut depth = 0_usize;
    let mut deepest = 0;
    for token in tokens {
        match token.kind {
            Kind::Punctuation('(' | '[') => depth += 1,
            Kind::Punctuation(')' | ']') => depth = depth.saturating_sub(1),
            Kind::Word if token.is("case") => depth += 1,
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    deepest
}

/// The text of a name, as it is written.
pub(crate) fn text(node: &impl AstNode) -> String {
    node.syntax().text().to_string().trim().to_owned()
}

fn named<T: AstNode>(node: Option<T>) -> String {
    node.map(|node| text(&node)).unwrap_or_default()
}

fn destructive(root: &SyntaxNode) -> Vec<String> {
    let mut reasons = Vec::new();
    for node in root.descendants() {
        reason(&node, &mut reasons);
    }
    reasons
}

fn reason(node: &SyntaxNode, reasons: &mut Vec<String>) {
    if let Some(drop) = ast::DropTable::cast(node.clone()) {
        reasons.extend(
            drop.table_name_refs()
                .map(|name| format!("drops table {}", text(&name))),
        );
    } else if let Some(drop) = ast::DropMaterializedView::cast(node.clone()) {
        reasons.extend(
            drop.view_refs()
                .map(|name| format!("drops materialized view {}", text(&name))),
        );
    } else if let Some(drop) = ast::DropSchema::cast(node.clone()) {
        reasons.extend(
            drop.schema_refs()
                .map(|name| format!("drops schema {}", text(&name))),
        );
    } else if let Some(drop) = ast::DropDatabase::cast(node.clone()) {
        reasons.push(format!("drops database {}", named(drop.database_ref())));
    } else if let Some(drop) = ast::DropType::cast(node.clone()) {
        reasons.extend(
            drop.type_name_refs()
                .map(|name| format!("drops type {}", text(&name))),
        );
    } else if let Some(drop) = ast::DropDomain::cast(node.clone()) {
        reasons.extend(
            drop.domain_refs()
                .map(|name| format!("drops domain {}", text(&name))),
        );
    } else if let Some(drop) = ast::DropSequence::cast(node.clone()) {
        reasons.extend(
            drop.sequence_refs()
                .map(|name| format!("drops sequence {}", text(&name))),
        );
    } else if let Some(drop) = ast::DropExtension::cast(node.clone()) {
        reasons.extend(
            drop.extension_refs()
                .map(|name| format!("drops extension {}", text(&name))),
        );
    } else if let Some(drop) = ast::DropOwned::cast(node.clone()) {
        reasons.push(format!(
            "drops everything owned by {}",
            named(drop.role_ref_list())
        ));
    } else if let Some(drop) = ast::DropAttribute::cast(node.clone()) {
        reasons.push(format!(
            "drops attribute {}",
            named(drop.composite_field_ref())
        ));
    } else if let Some(truncate) = ast::Truncate::cast(node.clone()) {
        reasons.push(format!("empties table {}", named(truncate.table_list())));
    } else if let Some(alter) = ast::AlterTable::cast(node.clone()) {
        of_alter_table(&alter, reasons);
    } else {
        reason_of_rows(node, reasons);
    }
}

fn of_alter_table(alter: &ast::AlterTable, reasons: &mut Vec<String>) {
    let table = named(
        alter
            .table_relation_name()
            .and_then(|name| name.table_name_ref()),
    );
    for action in alter.actions() {
        match action {
            ast::AlterTableAction::DropColumn(drop) => {
                reasons.push(format!(
                    "drops column {} of {table}",
                    named(drop.column_name_ref())
                ));
            }
            ast::AlterTableAction::AlterColumn(column) => {
                if let Some(ast::AlterColumnOption::SetType(_)) = column.option() {
                    let name = named(column.column_name_ref());
                    reasons.push(format!("changes the type of column {name} of {table}"));
                }
            }
            _ => {}
        }
    }
}

fn reason_of_rows(node: &SyntaxNode, reasons: &mut Vec<String>) {
    if let Some(delete) = ast::Delete::cast(node.clone()) {
        if delete.where_clause_or_current_of().is_none() && delete.using_clause().is_none() {
            reasons.push(format!(
                "deletes all rows of {}",
                named(delete.relation_name())
            ));
        }
    } else if let Some(update) = ast::Update::cast(node.clone())
        && update.where_clause_or_current_of().is_none()
        && update.from_clause().is_none()
        && update.set_clause().is_some()
    {
        reasons.push(format!(
            "overwrites all rows of {}",
            named(update.relation_name())
        ));
    }
}
