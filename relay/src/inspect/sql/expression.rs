//! Expressions: every node of every clause, with a work list, since expressions nest as deep as their text is long.

use pg_raw_parse::{Node, nodes};

use super::Origin;
use super::reader::Reader;
use super::scope::Env;
use crate::policy::CallKind;

/// What becomes of an expression's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// It is part of the result.
    Value,
    /// It decides what the result is, or goes where it can be read without its mask.
    Decides,
}

impl Reader<'_> {
    /// Reads an expression; gives where its value comes from.
    pub fn expression(&mut self, node: Node<'_>, env: &Env<'_>, role: Role) -> Origin {
        // A plain column is a copy; everything else is computed.
        if let Node::ColumnRef(column) = node
            && let Some(found) = self.column(column, env)
        {
            if role == Role::Decides {
                self.decides(&found.origin);
            }
            return (*found.origin).clone();
        }
        if let Node::A_Indirection(field) = node
            && let Some(found) = self.row_field(field, env)
        {
            if role == Role::Decides {
                self.decides(&found.origin);
            }
            return (*found.origin).clone();
        }
        let mut total = Origin::default();
        let mut work = vec![(node, role)];
        while let Some((node, role)) = work.pop() {
            if !self.spend() {
                self.unknown();
                total.unknown = true;
                return total;
            }
            let own = self.node(node, env, role, &mut work);
            if let Some(own) = own {
                if role == Role::Decides {
                    self.decides(&own);
                }
                total.derive(&own);
            }
        }
        total
    }

    /// One node: its children go to `work`, what it reads by itself is returned.
    pub fn node<'n>(
        &mut self,
        node: Node<'n>,
        env: &Env<'_>,
        role: Role,
        work: &mut Vec<(Node<'n>, Role)>,
    ) -> Option<Origin> {
        match node {
            Node::None
            | Node::A_Const(_)
            | Node::ParamRef(_)
            | Node::SetToDefault(_)
            | Node::SQLValueFunction(_)
            | Node::Integer(_)
            | Node::Float(_)
            | Node::Boolean(_)
            | Node::String(_)
            | Node::BitString(_) => None,
            Node::NodeList(list) => {
                work.extend(list.iter().map(|item| (item, role)));
                None
            }
            Node::ColumnRef(column) => self.column_or_row(column, env),
            Node::A_Expr(expr) => {
                self.operator_expression(expr, env);
                let (left, right) = self.operands(expr, env, role);
                work.push((expr.lexpr(), left));
                work.push((expr.rexpr(), right));
                None
            }
            Node::BoolExpr(expr) => {
                // Whether the next operand is looked at depends on the one before.
                let role = if expr.args().len() > 1 { Role::Decides } else { role };
                work.extend(expr.args().iter().map(|arg| (arg, role)));
                None
            }
            Node::NullTest(test) => {
                // Whether a value is there shows through every mask but `null`; see the docs on inference.
                if let Node::ColumnRef(column) = test.arg()
                    && let Some(found) = self.column(column, env)
                    && found.origin.is_copy()
                {
                    return None;
                }
                work.push((test.arg(), role));
                None
            }
            Node::BooleanTest(test) => {
                work.push((test.arg(), role));
                None
            }
            Node::TypeCast(cast) => {
                match cast.type_name() {
                    Some(name) => self.cast(name, self.type_of(cast.arg(), env)),
                    None => self.unknown(),
                }
                work.push((cast.arg(), self.casts(cast, env, role)));
                None
            }
            Node::CollateClause(clause) => {
                work.push((clause.arg(), role));
                None
            }
            Node::FuncCall(call) => self.function_call(call, env, role, work),
            Node::NamedArgExpr(arg) => {
                work.push((arg.arg(), role));
                None
            }
            Node::SubLink(link) => Some(self.sub_link(link, env, work)),
            Node::CaseExpr(case) => {
                for when in case.args() {
                    if let Node::CaseWhen(when) = when {
                        work.push((when.expr(), Role::Decides));
                        work.push((when.result(), role));
                        if !matches!(case.arg(), Node::None) {
                            self.named_operator(
                                None,
                                "=",
                                self.type_of(case.arg(), env),
                                self.type_of(when.expr(), env),
                            );
                        }
                    } else {
                        self.unknown();
                    }
                }
                work.push((case.arg(), Role::Decides));
                work.push((case.defresult(), role));
                None
            }
            Node::CoalesceExpr(expr) => {
                work.extend(expr.args().iter().map(|arg| (arg, role)));
                None
            }
            Node::MinMaxExpr(expr) => {
                work.extend(expr.args().iter().map(|arg| (arg, role)));
                None
            }
            Node::A_ArrayExpr(expr) => {
                work.extend(expr.elements().iter().map(|arg| (arg, role)));
                None
            }
            Node::RowExpr(expr) => {
                let mut own = Origin::default();
                for arg in expr.args() {
                    own.derive(&self.star_or(arg, env, role, work));
                }
                Some(own)
            }
            Node::A_Indirection(expr) => self.indirection(expr, env, role, work),
            Node::A_Indices(indices) => {
                work.push((indices.lidx(), Role::Decides));
                work.push((indices.uidx(), Role::Decides));
                None
            }
            Node::GroupingFunc(function) => {
                work.extend(function.args().iter().map(|arg| (arg, role)));
                None
            }
            Node::MultiAssignRef(assign) => {
                work.push((assign.source(), role));
                None
            }
            Node::ResTarget(target) => {
                work.extend(target.indirection().iter().map(|item| (item, role)));
                work.push((target.val(), role));
                None
            }
            Node::XmlExpr(expr) => {
                let role = Self::in_xml(expr, role);
                work.extend(expr.named_args().iter().map(|arg| (arg, role)));
                work.extend(expr.args().iter().map(|arg| (arg, role)));
                None
            }
            Node::XmlSerialize(expr) => {
                if let Some(name) = expr.type_name() {
                    self.cast(name, 0);
                }
                work.push((expr.expr(), Role::Decides));
                None
            }
            Node::SortBy(sort) => {
                self.sort_operator(sort);
                work.push((sort.node(), role));
                None
            }
            // The cursor's row is one that this session has read; by_key does not hold for it.
            Node::CurrentOfExpr(_) => None,
            other => self.json(other, env, role, work),
        }
    }

    /// A row constructor or argument may hold `t.*`.
    pub fn star_or<'n>(
        &mut self,
        node: Node<'n>,
        env: &Env<'_>,
        role: Role,
        work: &mut Vec<(Node<'n>, Role)>,
    ) -> Origin {
        if let Node::ColumnRef(column) = node
            && matches!(column.fields().iter().next_back(), Some(Node::A_Star(_)))
        {
            return self.star(column, env).everything();
        }
        work.push((node, role));
        Origin::default()
    }

    fn indirection<'n>(
        &mut self,
        expr: &'n nodes::A_Indirection,
        env: &Env<'_>,
        role: Role,
        work: &mut Vec<(Node<'n>, Role)>,
    ) -> Option<Origin> {
        if let Some(found) = self.row_field(expr, env) {
            return Some((*found.origin).clone());
        }
        for item in expr.indirection() {
            match item {
                Node::A_Indices(_) => work.push((item, role)),
                Node::A_Star(_) => {}
                Node::String(field) => {
                    // `(x).f` is a field, or a call of `f(x)`.
                    if let Some(name) = field.sval()
                        && (self.world.catalog.has_builtin_function(name)
                            || !self.world.catalog.functions_named(name).is_empty())
                    {
                        self.function_by_name(None, name, 1, &[0], CallKind::Function);
                    }
                }
                _ => self.unknown(),
            }
        }
        work.push((expr.arg(), role));
        None
    }
}
