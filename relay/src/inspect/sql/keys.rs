//! Whether a WHERE limits the rows of a write: not at all (`unbounded`), or to those of a whole key (`by_key`).

use std::sync::Arc;

use pg_raw_parse::raw::{A_Expr_Kind, BoolExprType, NullTestType, SubLinkType};
use pg_raw_parse::{ConstValue, Node, nodes};

use super::names::{UNKNOWN, names};
use super::reader::Reader;
use super::scope::{Env, Frame, Source};
use crate::inspect::catalog::{Catalog, Relation, RelationKind};

/// Deeper conditions count as not limiting.
const MAX_DEPTH: usize = 100;

/// There is no WHERE, or it is true for every row: constants, `x = x`, IS NOT NULL of a column that cannot be NULL.
pub(super) fn unbounded(condition: Node<'_>, target: &Source) -> bool {
    matches!(condition, Node::None) || always(condition, target, true, 0)
}

/// The condition is surely `wanted` for every row, or says nothing about rows.
fn always(node: Node<'_>, target: &Source, wanted: bool, depth: usize) -> bool {
    if depth > MAX_DEPTH {
        return true;
    }
    match node {
        Node::BoolExpr(expr) => {
            let mut args = expr.args().iter();
            match (expr.boolop, wanted) {
                (BoolExprType::NOT_EXPR, _) => args.all(|arg| always(arg, target, !wanted, depth + 1)),
                (BoolExprType::AND_EXPR, true) | (BoolExprType::OR_EXPR, false) => {
                    args.all(|arg| always(arg, target, wanted, depth + 1))
                }
                _ => args.any(|arg| always(arg, target, wanted, depth + 1)),
            }
        }
        Node::A_Const(constant) => match constant.val() {
            Some(ConstValue::Boolean(value)) => value == wanted,
            _ => true,
        },
        Node::NullTest(test) => {
            let never_null = match test.arg() {
                Node::ColumnRef(reference) => names(reference)
                    .and_then(|names| names.last().copied().map(str::to_owned))
                    .and_then(|name| {
                        target
                            .relation
                            .as_ref()?
                            .column_named(&name)
                            .map(|column| column.not_null)
                    })
                    .unwrap_or(false),
                other => no_columns(other),
            };
            never_null && (test.nulltesttype == NullTestType::IS_NOT_NULL) == wanted
        }
        Node::BooleanTest(test) => no_columns(test.arg()),
        Node::A_Expr(expr) => {
            if no_columns(expr.lexpr()) && no_columns(expr.rexpr()) {
                return true;
            }
            let operator = expr
                .name()
                .iter()
                .filter_map(Node::as_str)
                .next_back()
                .unwrap_or_default();
            let same = same(expr.lexpr(), expr.rexpr(), target)
                || matches!(expr.rexpr(), Node::NodeList(list) if list.iter().any(|item| same(expr.lexpr(), item, target)));
            match expr.kind {
                A_Expr_Kind::AEXPR_LIKE | A_Expr_Kind::AEXPR_ILIKE => {
                    let everything = matches!(expr.rexpr(), Node::A_Const(pattern)
                        if pattern.val().is_some_and(|value| value.string_value().is_some_and(|text| !text.is_empty() && text.bytes().all(|byte| byte == b'%'))));
                    everything && operator.starts_with('!') != wanted
                }
                A_Expr_Kind::AEXPR_NOT_DISTINCT => same && wanted,
                A_Expr_Kind::AEXPR_DISTINCT => same && !wanted,
                _ => {
                    same && if wanted {
                        matches!(operator, "=" | "<=" | ">=" | "BETWEEN" | "~" | "@>" | "<@")
                    } else {
                        matches!(operator, "<>" | "<" | ">" | "NOT BETWEEN")
                    }
                }
            }
        }
        // Whether an uncorrelated sub-query has rows is the same for every row.
        Node::SubLink(link) if link.sub_link_type == SubLinkType::EXISTS_SUBLINK => no_columns(link.subselect()),
        Node::TypeCast(cast) => always(cast.arg(), target, wanted, depth + 1),
        other => no_columns(other),
    }
}

/// Both are the same column. A column without a table's name is the target's, or the server calls it ambiguous.
fn same(left: Node<'_>, right: Node<'_>, target: &Source) -> bool {
    let (Node::ColumnRef(left), Node::ColumnRef(right)) = (left, right) else {
        return false;
    };
    let (Some(left), Some(right)) = (names(left), names(right)) else {
        return false;
    };
    let table = |names: &[&str]| match names {
        [.., table, _] => Some((*table).to_owned()),
        _ => target.name.as_deref().map(str::to_owned),
    };
    left.last() == right.last() && table(&left) == table(&right)
}

/// An expression that names no column: it does not tell rows apart. Sub-queries other than plain SELECT lists count as naming some.
fn no_columns(node: Node<'_>) -> bool {
    let mut work = vec![node];
    let mut count = 0;
    while let Some(node) = work.pop() {
        count += 1;
        if count > 10_000 {
            return true;
        }
        match node {
            Node::ColumnRef(_) => return false,
            Node::NodeList(list) => work.extend(list.iter()),
            Node::A_Expr(expr) => work.extend([expr.lexpr(), expr.rexpr()]),
            Node::BoolExpr(expr) => work.extend(expr.args().iter()),
            Node::NullTest(test) => work.push(test.arg()),
            Node::BooleanTest(test) => work.push(test.arg()),
            Node::TypeCast(cast) => work.push(cast.arg()),
            Node::CollateClause(clause) => work.push(clause.arg()),
            Node::FuncCall(call) => work.extend(call.args().iter()),
            Node::CoalesceExpr(expr) => work.extend(expr.args().iter()),
            Node::MinMaxExpr(expr) => work.extend(expr.args().iter()),
            Node::A_ArrayExpr(expr) => work.extend(expr.elements().iter()),
            Node::RowExpr(expr) => work.extend(expr.args().iter()),
            Node::CaseExpr(case) => {
                work.extend([case.arg(), case.defresult()]);
                for when in case.args() {
                    if let Node::CaseWhen(when) = when {
                        work.extend([when.expr(), when.result()]);
                    }
                }
            }
            Node::SelectStmt(select) => {
                if !select.from_clause().is_empty() || select.larg().is_some() || select.with_clause().is_some() {
                    return false;
                }
                work.push(select.where_clause());
                work.extend(select.target_list().iter().map(|target| target.val()));
            }
            Node::SubLink(link) => work.extend([link.testexpr(), link.subselect()]),
            Node::None | Node::A_Const(_) | Node::ParamRef(_) | Node::SQLValueFunction(_) => {}
            _ => return false,
        }
    }
    true
}

impl Reader<'_> {
    /// Top-level AND pins every column of a key by `=` with a constant or parameter.
    pub fn by_key(&self, condition: Node<'_>, relation: &Arc<Relation>, target: &Source, only: bool) -> bool {
        let catalog = self.world.catalog;
        match relation.kind {
            RelationKind::Partitioned => {}
            RelationKind::Table if only || catalog.children(relation.oid).is_empty() => {}
            _ => return false,
        }
        // An operator of a user's could be the one that is meant, and needs no index's sense of equality.
        let users = catalog.operators_named("=").iter().any(|operator| {
            self.world
                .scope
                .search_path
                .iter()
                .any(|schema| *schema == *operator.schema)
        });
        let frame = Frame::single(target.clone());
        let env = Env {
            frame: &frame,
            outer: None,
            ctes: None,
        };
        let mut pinned = Vec::new();
        let mut work = vec![condition];
        let mut count = 0;
        while let Some(node) = work.pop() {
            count += 1;
            if count > 1000 {
                return false;
            }
            match node {
                Node::BoolExpr(expr) if expr.boolop == BoolExprType::AND_EXPR => work.extend(expr.args().iter()),
                Node::A_Expr(expr) if expr.kind == A_Expr_Kind::AEXPR_OP && is_equality(expr) => {
                    for (column, value) in [(expr.lexpr(), expr.rexpr()), (expr.rexpr(), expr.lexpr())] {
                        let Node::ColumnRef(reference) = column else { continue };
                        if !is_constant(value) {
                            continue;
                        }
                        let Some(found) = names(reference).and_then(|names| match names.as_slice() {
                            [name] => target.column(name),
                            [source, name] if target.name.as_deref() == Some(*source) => target.column(name),
                            _ => None,
                        }) else {
                            continue;
                        };
                        let Some(base) = found.base else { continue };
                        let own = catalog.base_type(found.ty);
                        if comparable(own, self.type_of(value, &env), users) {
                            pinned.push(base.attnum);
                        }
                    }
                }
                _ => {}
            }
        }
        relation
            .keys
            .iter()
            .any(|key| key.columns.iter().all(|column| pinned.contains(column)))
    }
}

fn is_equality(expr: &nodes::A_Expr) -> bool {
    let names: Vec<&str> = expr.name().iter().filter_map(Node::as_str).collect();
    matches!(names.as_slice(), ["="] | ["pg_catalog", "="])
}

/// A constant or parameter, with casts, without COLLATE.
pub(super) fn is_constant(node: Node<'_>) -> bool {
    let mut node = node;
    loop {
        match node {
            Node::TypeCast(cast) => node = cast.arg(),
            Node::A_Const(constant) => return constant.val().is_some(),
            Node::ParamRef(_) => return true,
            _ => return false,
        }
    }
}

/// `=` between a column and a value of these types is the equality of the column's index. Measured: `bigint = float8` is not.
fn comparable(column: u32, value: u32, users: bool) -> bool {
    const INTEGERS: [u32; 3] = [21, 23, 20];
    const TEXTS: [u32; 2] = [25, 1043];
    const NUMERIC: u32 = 1700;
    if !Catalog::is_builtin_type(column) {
        // An enum takes an untyped literal, unless a user has an `=` of their own.
        return !users && value == UNKNOWN;
    }
    value == UNKNOWN
        || value == column
        || INTEGERS.contains(&column) && INTEGERS.contains(&value)
        || TEXTS.contains(&column) && TEXTS.contains(&value)
        || column == NUMERIC && INTEGERS.contains(&value) && !users
}
