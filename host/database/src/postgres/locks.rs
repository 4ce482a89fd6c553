//! The table locks that a statement takes, after PostgreSQL's manual ("Explicit Locking" and each command's page).

use squawk_syntax::ast::{self, AlterTableAction as Action, AstNode};
use whimbrel_core::statement::Lock;

use super::tree::text;

const ACCESS_EXCLUSIVE: &str = "ACCESS EXCLUSIVE";
const EXCLUSIVE: &str = "EXCLUSIVE";
const SHARE_ROW_EXCLUSIVE: &str = "SHARE ROW EXCLUSIVE";
const SHARE: &str = "SHARE";
const SHARE_UPDATE_EXCLUSIVE: &str = "SHARE UPDATE EXCLUSIVE";
const ROW_EXCLUSIVE: &str = "ROW EXCLUSIVE";

/// From weak to strong.
const ORDER: [&str; 6] = [
    ROW_EXCLUSIVE,
    SHARE_UPDATE_EXCLUSIVE,
    SHARE,
    SHARE_ROW_EXCLUSIVE,
    EXCLUSIVE,
    ACCESS_EXCLUSIVE,
];

/// The locks of all statements of a file; the strongest of each relation.
pub(crate) fn of(file: &ast::SourceFile) -> Vec<Lock> {
    let mut locks: Vec<Lock> = Vec::new();
    for statement in file.stmts() {
        of_statement(&statement, &mut |relation, mode| {
            add(&mut locks, relation, mode);
        });
    }
    locks
}

fn add(locks: &mut Vec<Lock>, relation: Option<String>, mode: &str) {
    let Some(relation) = relation.filter(|relation| !relation.is_empty()) else {
        return;
    };
    match locks.iter_mut().find(|lock| lock.relation == relation) {
        Some(lock) if strength(&lock.mode) < strength(mode) => mode.clone_into(&mut lock.mode),
        Some(_) => {}
        None => locks.push(Lock {
            relation,
            mode: mode.to_owned(),
        }),
    }
}

fn strength(mode: &str) -> usize {
    ORDER.iter().position(|known| *known == mode).unwrap_or(0)
}

fn name<T: AstNode>(node: Option<T>) -> Option<String> {
    node.map(|node| text(&node))
}

type Add<'a> = dyn FnMut(Option<String>, &str) + 'a;

fn of_statement(statement: &ast::Stmt, add: &mut Add<'_>) {
    match statement {
        ast::Stmt::AlterTable(alter) => of_alter_table(alter, add),
        ast::Stmt::CreateIndex(index) => {
            let mode = if index.concurrently_token().is_some() {
                SHARE_UPDATE_EXCLUSIVE
            } else {
                SHARE
            };
            add(
                name(
                    index
                        .table_relation_name()
                        .and_then(|table| table.table_name_ref()),
                ),
                mode,
            );
        }
        ast::Stmt::DropIndex(drop) => {
            let mode = if drop.concurrently_token().is_some() {
                SHARE_UPDATE_EXCLUSIVE
            } else {
                ACCESS_EXCLUSIVE
            };
            drop.index_refs()
                .for_each(|index| add(Some(text(&index)), mode));
        }
        ast::Stmt::DropTable(drop) => {
            drop.table_name_refs()
                .for_each(|table| add(Some(text(&table)), ACCESS_EXCLUSIVE));
        }
        ast::Stmt::DropView(drop) => drop
            .view_refs()
            .for_each(|view| add(Some(text(&view)), ACCESS_EXCLUSIVE)),
        ast::Stmt::DropMaterializedView(drop) => {
            drop.view_refs()
                .for_each(|view| add(Some(text(&view)), ACCESS_EXCLUSIVE));
        }
        ast::Stmt::Truncate(truncate) => every_table(truncate, ACCESS_EXCLUSIVE, add),
        ast::Stmt::CreateTrigger(trigger) => {
            add(
                name(trigger.on_relation().and_then(|on| on.relation_name_ref())),
                SHARE_ROW_EXCLUSIVE,
            );
        }
        ast::Stmt::CreatePolicy(policy) => {
            add(
                name(policy.on_table().and_then(|on| on.table_name_ref())),
                ACCESS_EXCLUSIVE,
            );
        }
        ast::Stmt::CreateTable(create) => references(create, add),
        ast::Stmt::Refresh(refresh) => {
            let mode = if refresh.concurrently_token().is_some() {
                EXCLUSIVE
            } else {
                ACCESS_EXCLUSIVE
            };
            add(name(refresh.view_ref()), mode);
        }
        ast::Stmt::Cluster(cluster) => add(name(cluster.table_name_ref()), ACCESS_EXCLUSIVE),
        ast::Stmt::Vacuum(vacuum) => {
            let options = name(vacuum.vacuum_option_list())
                .unwrap_or_default()
                .to_lowercase();
            let full = vacuum.full_token().is_some() || options.contains("full");
            every_table(
                vacuum,
                if full {
                    ACCESS_EXCLUSIVE
                } else {
                    SHARE_UPDATE_EXCLUSIVE
                },
                add,
            );
        }
        ast::Stmt::Analyze(analyze) => every_table(analyze, SHARE_UPDATE_EXCLUSIVE, add),
        ast::Stmt::Reindex(reindex) => {
            let concurrently = text(reindex).to_lowercase().contains("concurrently");
            every_table(
                reindex,
                if concurrently {
                    SHARE_UPDATE_EXCLUSIVE
                } else {
                    SHARE
                },
                add,
            );
        }
        ast::Stmt::Lock(lock) => {
            let mode = name(lock.lock_mode_clause())
                .unwrap_or_default()
                .to_uppercase();
            let mode = ORDER
                .iter()
                .rev()
                .find(|known| mode.contains(&format!("IN {known} MODE")));
            let relations = lock
                .syntax()
                .descendants()
                .filter_map(ast::RelationNameRef::cast);
            relations.for_each(|relation| {
                add(
                    Some(text(&relation)),
                    mode.copied().unwrap_or(ACCESS_EXCLUSIVE),
                );
            });
        }
        ast::Stmt::Insert(insert) => add(name(insert.relation_name_ref()), ROW_EXCLUSIVE),
        ast::Stmt::Update(update) => {
            add(
                name(
                    update
                        .relation_name()
                        .and_then(|table| table.relation_name_ref()),
                ),
                ROW_EXCLUSIVE,
            );
        }
        ast::Stmt::Delete(delete) => {
            add(
                name(
                    delete
                        .relation_name()
                        .and_then(|table| table.relation_name_ref()),
                ),
                ROW_EXCLUSIVE,
            );
        }
        ast::Stmt::Merge(merge) => {
            add(
                name(
                    merge
                        .table_relation_name()
                        .and_then(|table| table.table_name_ref()),
                ),
                ROW_EXCLUSIVE,
            );
        }
        _ => {}
    }
}

fn every_table(node: &impl AstNode, mode: &str, add: &mut Add<'_>) {
    let tables = node
        .syntax()
        .descendants()
        .filter_map(ast::TableNameRef::cast);
    tables.for_each(|table| add(Some(text(&table)), mode));
}

/// A new foreign key locks the table that it refers to.
fn references(node: &impl AstNode, add: &mut Add<'_>) {
    for child in node.syntax().descendants() {
        if let Some(constraint) = ast::ReferencesConstraint::cast(child.clone()) {
            add(name(constraint.table()), SHARE_ROW_EXCLUSIVE);
        } else if let Some(constraint) = ast::ForeignKeyConstraint::cast(child) {
            add(name(constraint.table_name_ref()), SHARE_ROW_EXCLUSIVE);
        }
    }
}

fn of_alter_table(alter: &ast::AlterTable, add: &mut Add<'_>) {
    let table = name(
        alter
            .table_relation_name()
            .and_then(|table| table.table_name_ref()),
    );
    for action in alter.actions() {
        add(table.clone(), mode_of(&action));
        match action {
            Action::AttachPartition(attach) => add(name(attach.table_name_ref()), ACCESS_EXCLUSIVE),
            Action::DetachPartition(detach) => {
                let mode = mode_of(&Action::DetachPartition(detach.clone()));
                add(name(detach.table_name_ref()), mode);
            }
            _ => {}
        }
    }
    references(alter, add);
}

fn mode_of(action: &Action) -> &'static str {
    match action {
        Action::ValidateConstraint(_) | Action::AttachPartition(_) | Action::ClusterOn(_) => {
            SHARE_UPDATE_EXCLUSIVE
        }
        Action::SetWithoutCluster(_) => SHARE_UPDATE_EXCLUSIVE,
        Action::DetachPartition(detach) => {
            let option = detach
                .detach_partition_option()
                .map(|option| text(&option).to_lowercase());
            if option.is_some_and(|option| option.contains("concurrently")) {
                SHARE_UPDATE_EXCLUSIVE
            } else {
                ACCESS_EXCLUSIVE
            }
        }
        Action::AddConstraint(add) => match add.constraint() {
            Some(ast::Constraint::ForeignKeyConstraint(_)) => SHARE_ROW_EXCLUSIVE,
            _ => ACCESS_EXCLUSIVE,
        },
        Action::AlterColumn(column) => match column.option() {
            Some(
                ast::AlterColumnOption::SetStatistics(_) | ast::AlterColumnOption::SetOptions(_),
            ) => SHARE_UPDATE_EXCLUSIVE,
            _ => ACCESS_EXCLUSIVE,
        },
        Action::EnableTrigger(_)
        | Action::DisableTrigger(_)
        | Action::EnableAlwaysTrigger(_)
        | Action::EnableReplicaTrigger(_) => SHARE_ROW_EXCLUSIVE,
        _ => ACCESS_EXCLUSIVE,
    }
}
