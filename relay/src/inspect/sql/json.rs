//! SQL/JSON. The grammar knows all of it; a server before 16 or 17 takes the same words for a user's functions, and has no way to
//! read the rest.

use std::sync::Arc;

use pg_raw_parse::raw::{JsonExprOp, JsonQuotes, JsonTableColumnType, JsonWrapper};
use pg_raw_parse::{Node, nodes};

use super::Origin;
use super::expression::Role;
use super::from::{mixed, named};
use super::reader::Reader;
use super::scope::{Env, Shape, Source};
use crate::policy::CallKind;

/// `server_version_num` of the first server with constructors, aggregates and IS JSON.
const CONSTRUCTORS: u32 = 160_000;
/// That of the first with query functions, JSON_TABLE and MERGE … RETURNING.
const QUERIES: u32 = 170_000;

impl Reader<'_> {
    /// A node of SQL/JSON; whatever else is not known.
    pub fn json<'n>(
        &mut self,
        node: Node<'n>,
        env: &Env<'_>,
        role: Role,
        work: &mut Vec<(Node<'n>, Role)>,
    ) -> Option<Origin> {
        let since = match node {
            Node::JsonObjectConstructor(_)
            | Node::JsonArrayConstructor(_)
            | Node::JsonArrayQueryConstructor(_)
            | Node::JsonObjectAgg(_)
            | Node::JsonArrayAgg(_)
            | Node::JsonIsPredicate(_) => CONSTRUCTORS,
            _ => QUERIES,
        };
        if self.world.catalog.server_version < since {
            return self.json_as_call(node, env, role, work);
        }
        let value = |value: Option<&'n nodes::JsonValueExpr>, work: &mut Vec<(Node<'n>, Role)>| {
            work.extend(value.map(|value| (value.raw_expr(), role)));
        };
        match node {
            Node::JsonIsPredicate(expr) => work.push((expr.expr(), role)),
            Node::JsonObjectConstructor(expr) => {
                for pair in expr.exprs() {
                    work.push((pair.key(), role));
                    value(pair.value(), work);
                }
                self.json_output(expr.output());
            }
            Node::JsonArrayConstructor(expr) => {
                for item in expr.exprs() {
                    value(Some(item), work);
                }
                self.json_output(expr.output());
            }
            Node::JsonArrayQueryConstructor(expr) => {
                self.json_output(expr.output());
                return Some(self.query(expr.query(), Some(env), env.ctes).everything());
            }
            Node::JsonParseExpr(expr) => {
                value(expr.expr(), work);
                self.json_output(expr.output());
            }
            Node::JsonScalarExpr(expr) => {
                work.push((expr.expr(), role));
                self.json_output(expr.output());
            }
            Node::JsonSerializeExpr(expr) => {
                value(expr.expr(), work);
                self.json_output(expr.output());
            }
            Node::JsonObjectAgg(expr) => {
                if let Some(pair) = expr.arg() {
                    work.push((pair.key(), role));
                    value(pair.value(), work);
                }
                self.json_aggregate(expr.constructor(), work);
            }
            Node::JsonArrayAgg(expr) => {
                value(expr.arg(), work);
                self.json_aggregate(expr.constructor(), work);
            }
            Node::JsonFuncExpr(expr) => {
                value(expr.context_item(), work);
                work.push((expr.pathspec(), role));
                self.json_passing(expr.passing(), role, work);
                self.json_output(expr.output());
                for behaviour in [expr.on_empty(), expr.on_error()].into_iter().flatten() {
                    work.push((behaviour.expr(), role));
                }
            }
            Node::MergeSupportFunc(_) => {}
            _ => {
                self.unknown();
                return Some(Origin::unknown());
            }
        }
        None
    }

    /// What an older server takes for a call. What no call can be written as is an error there.
    fn json_as_call<'n>(
        &mut self,
        node: Node<'n>,
        env: &Env<'_>,
        role: Role,
        work: &mut Vec<(Node<'n>, Role)>,
    ) -> Option<Origin> {
        let plain = |value: &'n nodes::JsonValueExpr| (value.format().is_none_or(is_default)).then(|| value.raw_expr());
        let call: Option<(&str, Vec<Node<'n>>)> = match node {
            Node::JsonFuncExpr(expr)
                if expr.output().is_none()
                    && expr.passing().is_empty()
                    && expr.on_empty().is_none()
                    && expr.on_error().is_none()
                    && expr.wrapper == JsonWrapper::JSW_UNSPEC
                    && expr.quotes == JsonQuotes::JS_QUOTES_UNSPEC =>
            {
                let name = match expr.op {
                    JsonExprOp::JSON_EXISTS_OP => Some("json_exists"),
                    JsonExprOp::JSON_QUERY_OP => Some("json_query"),
                    JsonExprOp::JSON_VALUE_OP => Some("json_value"),
                    _ => None,
                };
                let item = expr.context_item().and_then(plain);
                name.zip(item).map(|(name, item)| (name, vec![item, expr.pathspec()]))
            }
            // `absent_on_null` is what the clause's absence means too: with it written the server says a syntax error.
            Node::JsonArrayConstructor(expr) if expr.output().is_none() => {
                let items: Option<Vec<_>> = expr.exprs().iter().map(plain).collect();
                items.map(|items| ("json_array", items))
            }
            Node::JsonParseExpr(expr) if expr.output().is_none() => {
                expr.expr().and_then(plain).map(|item| ("json", vec![item]))
            }
            Node::JsonScalarExpr(expr) if expr.output().is_none() => Some(("json_scalar", vec![expr.expr()])),
            Node::JsonSerializeExpr(expr) if expr.output().is_none() => {
                expr.expr().and_then(plain).map(|item| ("json_serialize", vec![item]))
            }
            Node::MergeSupportFunc(_) => Some(("merge_action", Vec::new())),
            _ => None,
        };
        let Some((name, args)) = call else {
            self.unknown();
            return Some(Origin::unknown());
        };
        let types: Vec<u32> = args.iter().map(|arg| self.type_of(*arg, env)).collect();
        if let [from] = types.as_slice()
            && self.cast_by_name(None, name, *from)
        {
            work.extend(args.into_iter().map(|arg| (arg, role)));
            return None;
        }
        let called = self.function_by_name(None, name, types.len(), &types, CallKind::Function);
        let role = if called.decides { Role::Decides } else { role };
        work.extend(args.into_iter().map(|arg| (arg, role)));
        Some(Origin {
            unknown: called.unknown,
            ..Origin::default()
        })
    }

    fn json_output(&mut self, output: Option<&nodes::JsonOutput>) {
        if let Some(name) = output.and_then(nodes::JsonOutput::type_name) {
            self.cast(name, 0);
        }
    }

    fn json_passing<'n>(
        &mut self,
        passing: &'n pg_raw_parse::list::NodeList,
        role: Role,
        work: &mut Vec<(Node<'n>, Role)>,
    ) {
        for argument in passing {
            match argument {
                Node::JsonArgument(argument) => work.extend(argument.val().map(|value| (value.raw_expr(), role))),
                _ => self.unknown(),
            }
        }
    }

    fn json_aggregate<'n>(
        &mut self,
        aggregate: Option<&'n nodes::JsonAggConstructor>,
        work: &mut Vec<(Node<'n>, Role)>,
    ) {
        let Some(aggregate) = aggregate else { return };
        self.json_output(aggregate.output());
        work.push((aggregate.agg_filter(), Role::Decides));
        for sort in aggregate.agg_order() {
            // A SortBy reads its operator too.
            work.push((sort, Role::Decides));
        }
        if let Some(window) = aggregate.over() {
            self.window(window, work);
        }
    }

    /// JSON_TABLE: every column comes from the whole of its document.
    pub fn json_table(&mut self, table: &nodes::JsonTable, env: &Env<'_>) -> Source {
        if self.world.catalog.server_version < QUERIES {
            self.unknown();
            return named(Shape::unknown(), table.alias());
        }
        let mut all = Origin::default();
        let item = table.context_item().map_or(Node::None, nodes::JsonValueExpr::raw_expr);
        all.derive(&self.expression(item, env, Role::Decides));
        let mut passed = Vec::new();
        self.json_passing(table.passing(), Role::Decides, &mut passed);
        for (value, role) in passed {
            all.derive(&self.expression(value, env, role));
        }
        let mut names = Vec::new();
        let mut levels: Vec<Vec<&nodes::JsonTableColumn>> = vec![table.columns().iter().collect()];
        // A level's own columns come first, then those of what is nested in it.
        while let Some(level) = levels.pop() {
            let mut nested = Vec::new();
            for column in level {
                if !self.spend() {
                    self.unknown();
                    return named(Shape::unknown(), table.alias());
                }
                if column.coltype == JsonTableColumnType::JTC_NESTED {
                    let inner = column.columns().iter().map(|node| match node {
                        Node::JsonTableColumn(inner) => Some(inner),
                        _ => None,
                    });
                    match inner.collect::<Option<Vec<_>>>() {
                        Some(inner) => nested.push(inner),
                        None => self.unknown(),
                    }
                    continue;
                }
                names.push(Arc::<str>::from(column.name().unwrap_or_default()));
                if let Some(name) = column.type_name() {
                    self.cast(name, 0);
                }
                for behaviour in [column.on_empty(), column.on_error()].into_iter().flatten() {
                    all.derive(&self.expression(behaviour.expr(), env, Role::Decides));
                }
            }
            levels.extend(nested.into_iter().rev());
        }
        mixed(names, all, table.alias(), "json_table")
    }
}

/// FORMAT JSON is not written.
fn is_default(format: &nodes::JsonFormat) -> bool {
    format.format_type == pg_raw_parse::raw::JsonFormatType::JS_FORMAT_DEFAULT
}
