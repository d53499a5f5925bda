//! Parses SQL and checks that every use of a tenant's table is bound by `tenant_id = ?1`.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use clawless_testkit::SqliteDatabase;
use sqlparser::ast::{
    BinaryOperator, ConflictTarget, Expr, FromTable, Insert, OnConflictAction, OnInsert, Query,
    Select, SetExpr, Statement, TableFactor, Visit, Visitor,
};
use sqlparser::dialect::SQLiteDialect;
use sqlparser::parser::Parser;

/// The tables with tenants' rows, from the migrations. The key of `tenants` itself is `id`.
pub(crate) fn tenant_tables() -> BTreeSet<String> {
    let rows = SqliteDatabase::new().rows(
        "SELECT t.name FROM sqlite_master t JOIN pragma_table_info(t.name) c ON c.name = 'tenant_id'
         WHERE t.type = 'table'
         UNION SELECT 'tenants'",
    );
    rows.iter()
        .map(|row| row["name"].as_str().expect("a name").to_owned())
        .collect()
}

/// The violations of a statement.
pub(crate) fn faults(sql: &str) -> Vec<String> {
    let parsed = match Parser::parse_sql(&SQLiteDialect {}, sql) {
        Ok(parsed) => parsed,
        Err(error) => return vec![error.to_string()],
    };
    let mut guard = Guard {
        tables: tenant_tables(),
        faults: Vec::new(),
    };
    assert_eq!(parsed.len(), 1, "one statement each: {sql}");
    let _ = parsed.visit(&mut guard);
    guard.faults
}

/// Collects uses of tables that are not bound to the tenant.
struct Guard {
    tables: BTreeSet<String>,
    faults: Vec<String>,
}

impl Visitor for Guard {
    type Break = ();

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        match query.body.as_ref() {
            SetExpr::Select(select) => self.check_select(select),
            SetExpr::Values(_) => {}
            other => self.faults.push(format!("unsupported: {other}")),
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_statement(&mut self, statement: &Statement) -> ControlFlow<()> {
        match statement {
            Statement::Query(_) => {}
            Statement::Update(update) => {
                self.check_factor(&update.table.relation, update.selection.as_ref());
            }
            Statement::Delete(delete) => {
                let FromTable::WithFromKeyword(from) = &delete.from else {
                    self.faults.push("DELETE without FROM".to_owned());
                    return ControlFlow::Continue(());
                };
                for table in from {
                    self.check_factor(&table.relation, delete.selection.as_ref());
                }
            }
            Statement::Insert(insert) => self.check_insert(insert),
            other => self.faults.push(format!("unsupported: {other}")),
        }
        ControlFlow::Continue(())
    }
}

impl Guard {
    /// Checks that the new row, and one that it may conflict with, belong to the tenant.
    fn check_insert(&mut self, insert: &Insert) {
        let table = insert.table.to_string();
        let column = key_column(&table);
        let columns: Vec<String> = insert.columns.iter().map(ToString::to_string).collect();
        if self.tables.contains(&table) && columns.first().is_none_or(|first| first != column) {
            self.faults
                .push(format!("{table}: INSERT must begin with {column}"));
        }
        let owners = insert
            .source
            .as_deref()
            .map(first_values)
            .unwrap_or_default();
        if owners.is_empty() || owners.iter().any(|value| value != "?1") {
            self.faults
                .push(format!("{table}: INSERT of another tenant's row"));
        }
        if insert.or.is_some() || insert.replace_into {
            self.faults
                .push(format!("{table}: may replace another tenant's row"));
        }
        if let Some(OnInsert::OnConflict(conflict)) = &insert.on
            && matches!(conflict.action, OnConflictAction::DoUpdate(_))
        {
            let conflicts_with_own = matches!(&conflict.conflict_target,
                Some(ConflictTarget::Columns(columns)) if columns.iter().any(|name| name.value == column));
            if !conflicts_with_own {
                self.faults
                    .push(format!("{table}: may change another tenant's row"));
            }
        }
    }

    fn check_select(&mut self, select: &Select) {
        for from in &select.from {
            self.check_factor(&from.relation, select.selection.as_ref());
            for join in &from.joins {
                self.check_factor(&join.relation, select.selection.as_ref());
            }
        }
    }

    /// Checks that a table is bound by a condition of its own. Subqueries are checked separately.
    fn check_factor(&mut self, factor: &TableFactor, condition: Option<&Expr>) {
        match factor {
            TableFactor::Table { name, alias, .. } => {
                let name = name.to_string();
                let alias = alias.as_ref().map(|alias| alias.name.to_string());
                let column = key_column(&name);
                let accepted = [
                    Some(format!("{column} = ?1")).filter(|_| alias.is_none()),
                    Some(format!(
                        "{}.{column} = ?1",
                        alias.as_deref().unwrap_or(&name)
                    )),
                ];
                let mut terms = Vec::new();
                condition.inspect(|condition| conjuncts(condition, &mut terms));
                let bound = terms
                    .iter()
                    .any(|term| accepted.contains(&Some(term.clone())));
                if self.tables.contains(&name) && !bound {
                    self.faults
                        .push(format!("{name} is not bound to the tenant"));
                }
            }
            TableFactor::Derived { .. } => {}
            other => self.faults.push(format!("unsupported: {other}")),
        }
    }
}

/// The column with the tenant's id.
fn key_column(table: &str) -> &'static str {
    if table == "tenants" {
        "id"
    } else {
        "tenant_id"
    }
}

/// Splits a condition into its conjuncts.
fn conjuncts(condition: &Expr, terms: &mut Vec<String>) {
    match condition {
        Expr::BinaryOp {
            left,
            op: BinaryOperator::And,
            right,
        } => {
            conjuncts(left, terms);
            conjuncts(right, terms);
        }
        Expr::Nested(inner) => conjuncts(inner, terms),
        other => terms.push(other.to_string()),
    }
}

/// The first value of every row that an INSERT writes.
fn first_values(source: &Query) -> Vec<String> {
    match source.body.as_ref() {
        SetExpr::Values(values) => values
            .rows
            .iter()
            .map(|row| {
                row.content
                    .first()
                    .map(ToString::to_string)
                    .unwrap_or_default()
            })
            .collect(),
        SetExpr::Select(select) => vec![
            select
                .projection
                .first()
                .map(ToString::to_string)
                .unwrap_or_default(),
        ],
        _ => Vec::new(),
    }
}
