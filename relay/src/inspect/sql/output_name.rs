//! The names of a result's columns.

use pg_raw_parse::{Node, nodes};

/// The name that the server gives a column without an alias.
pub(super) fn figure_name(node: Node<'_>) -> String {
    let mut node = node;
    let mut fallback = None;
    loop {
        let name = match node {
            Node::ColumnRef(reference) => reference.fields().iter().filter_map(Node::as_str).next_back(),
            Node::A_Indirection(expr) => match expr.indirection().iter().filter_map(Node::as_str).next_back() {
                Some(name) => Some(name),
                None => {
                    node = expr.arg();
                    continue;
                }
            },
            Node::FuncCall(call) => call.funcname().iter().filter_map(Node::as_str).next_back(),
            Node::TypeCast(cast) => {
                if fallback.is_none() {
                    fallback = cast
                        .type_name()
                        .and_then(|name| name.names().iter().filter_map(nodes::String::sval).next_back());
                }
                node = cast.arg();
                continue;
            }
            Node::CollateClause(clause) => {
                node = clause.arg();
                continue;
            }
            Node::GroupingFunc(_) => Some("grouping"),
            Node::SubLink(link) => match (link.sub_link_type, link.subselect()) {
                (pg_raw_parse::raw::SubLinkType::EXISTS_SUBLINK, _) => Some("exists"),
                (pg_raw_parse::raw::SubLinkType::ARRAY_SUBLINK, _) => Some("array"),
                (pg_raw_parse::raw::SubLinkType::EXPR_SUBLINK, Node::SelectStmt(select)) => {
                    let mut first = select;
                    while let Some(left) = first.larg() {
                        first = left;
                    }
                    match first.target_list().first() {
                        Some(target) => match target.name() {
                            Some(name) => Some(name),
                            None => {
                                node = target.val();
                                continue;
                            }
                        },
                        None => None,
                    }
                }
                _ => None,
            },
            Node::CaseExpr(case) => {
                if fallback.is_none() {
                    fallback = Some("case");
                }
                node = case.defresult();
                continue;
            }
            Node::A_ArrayExpr(_) => Some("array"),
            Node::RowExpr(_) => Some("row"),
            Node::CoalesceExpr(_) => Some("coalesce"),
            Node::MinMaxExpr(expr) => Some(if expr.op == pg_raw_parse::raw::MinMaxOp::IS_GREATEST {
                "greatest"
            } else {
                "least"
            }),
            Node::A_Expr(expr) if expr.kind == pg_raw_parse::raw::A_Expr_Kind::AEXPR_NULLIF => Some("nullif"),
            Node::XmlSerialize(_) => Some("xmlserialize"),
            _ => None,
        };
        return name.or(fallback).unwrap_or("?column?").to_owned();
    }
}
