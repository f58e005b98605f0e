//! Expressions: every node of every clause, with a work list, since expressions nest as deep as their text is long.

use std::sync::Arc;

use pg_raw_parse::raw::{A_Expr_Kind as Kind, CoercionForm, SubLinkType};
use pg_raw_parse::{ConstValue, Node, nodes};

use super::Origin;
use super::reader::Reader;
use super::scope::{Column, Env, Named, Shape, Source};
use crate::policy::CallKind;

/// What becomes of an expression's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// It is part of the result.
    Value,
    /// It decides what the result is, or goes where it can be read without its mask.
    Decides,
}

/// Types of constants, from `pg_type.dat`.
pub(super) const UNKNOWN: u32 = 705;
const BOOL: u32 = 16;
const INT4: u32 = 23;
const INT8: u32 = 20;
const NUMERIC: u32 = 1700;
const BIT: u32 = 1560;

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
    fn node<'n>(
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
                work.push((expr.lexpr(), role));
                work.push((expr.rexpr(), role));
                None
            }
            Node::BoolExpr(expr) => {
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
                work.push((cast.arg(), role));
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
            Node::SubLink(link) => Some(self.sub_link(link, env, role, work)),
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
                work.push((indices.lidx(), role));
                work.push((indices.uidx(), role));
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
                work.extend(expr.named_args().iter().map(|arg| (arg, role)));
                work.extend(expr.args().iter().map(|arg| (arg, role)));
                None
            }
            Node::XmlSerialize(expr) => {
                if let Some(name) = expr.type_name() {
                    self.cast(name, 0);
                }
                work.push((expr.expr(), role));
                None
            }
            Node::SortBy(sort) => {
                self.sort_operator(sort);
                work.push((sort.node(), role));
                None
            }
            // The cursor's row is one that this session has read; by_key does not hold for it.
            Node::CurrentOfExpr(_) => None,
            other => self.json(other, role, work),
        }
    }

    /// A row constructor or argument may hold `t.*`.
    fn star_or<'n>(&mut self, node: Node<'n>, env: &Env<'_>, role: Role, work: &mut Vec<(Node<'n>, Role)>) -> Origin {
        if let Node::ColumnRef(column) = node
            && matches!(column.fields().iter().next_back(), Some(Node::A_Star(_)))
        {
            return self.star(column, env).everything();
        }
        work.push((node, role));
        Origin::default()
    }

    /// A column by name, with the effect of reading it; `None` where it is not a plain column.
    pub fn column(&mut self, reference: &nodes::ColumnRef, env: &Env<'_>) -> Option<Column> {
        let names = names(reference)?;
        let found = match names.as_slice() {
            [name] => match env.column(name) {
                Named::Column(column) => Some(column),
                Named::Row(_) | Named::Nothing => None,
            },
            [source, name] => env.source(None, source)?.column(name),
            [schema, source, name] => env.source(Some(schema), source)?.column(name),
            [_, schema, source, name] => env.source(Some(schema), source)?.column(name),
            _ => None,
        }?;
        if let Some(base) = &found.base {
            self.read_column(base);
        }
        Some(found)
    }

    /// A reference that need not be a plain column: a whole row, `t.f` as a call of `f(t)`, or nothing known.
    fn column_or_row(&mut self, reference: &nodes::ColumnRef, env: &Env<'_>) -> Option<Origin> {
        if let Some(found) = self.column(reference, env) {
            return Some((*found.origin).clone());
        }
        let Some(names) = names(reference) else {
            if matches!(reference.fields().iter().next_back(), Some(Node::A_Star(_))) {
                return Some(self.star(reference, env).everything());
            }
            self.unknown();
            return Some(Origin::unknown());
        };
        if let [name] = names.as_slice()
            && let Named::Row(source) = env.column(name)
        {
            return Some(self.whole_row(&source));
        }
        let (source, function) = match names.as_slice() {
            [source, function] => (env.source(None, source), *function),
            [schema, source, function] => (env.source(Some(schema), source), *function),
            _ => (None, ""),
        };
        if let Some(source) = source {
            let source = source.clone();
            self.function_by_name(None, function, 1, &[0], CallKind::Function);
            let row = self.whole_row(&source);
            self.decides(&row);
            return Some(row);
        }
        self.not_found(names.join("."));
        Some(Origin::unknown())
    }

    /// Reads every column of a source.
    pub fn whole_row(&mut self, source: &Source) -> Origin {
        for column in &source.shape.columns {
            if let Some(base) = &column.base {
                self.read_column(base);
            }
        }
        source.shape.everything()
    }

    /// `*`, `t.*`: the columns it stands for.
    pub fn star(&mut self, reference: &nodes::ColumnRef, env: &Env<'_>) -> Shape {
        let names: Vec<&str> = reference.fields().iter().filter_map(Node::as_str).collect();
        let shape = match names.as_slice() {
            [] => Some(env.frame.visible.clone()),
            [source] => env.source(None, source).map(|source| source.shape.clone()),
            [schema, source] | [_, schema, source] => {
                env.source(Some(schema), source).map(|source| source.shape.clone())
            }
            _ => None,
        };
        let Some(shape) = shape else {
            // `(column).*` of a composite value, or a name that is not there.
            if let [name] = names.as_slice()
                && let Named::Column(column) = env.column(name)
            {
                if let Some(base) = &column.base {
                    self.read_column(base);
                }
                return self.fields_of(&column);
            }
            self.not_found(names.join("."));
            return Shape::unknown();
        };
        for column in &shape.columns {
            if let Some(base) = &column.base {
                self.read_column(base);
            }
        }
        let mut shape = shape;
        for column in &mut shape.columns {
            column.base = None;
        }
        shape
    }

    /// The fields of a composite value: how many there are is not known here.
    pub fn fields_of(&mut self, column: &Column) -> Shape {
        let mut origin = Origin::default();
        origin.derive(&column.origin);
        Shape {
            columns: Vec::new(),
            open: Some(Arc::new(origin)),
        }
    }

    /// `(t).column` of a relation's row is the column itself.
    fn row_field(&mut self, expr: &nodes::A_Indirection, env: &Env<'_>) -> Option<Column> {
        let Node::ColumnRef(reference) = expr.arg() else {
            return None;
        };
        let row = names(reference)?;
        let indirection = expr.indirection();
        if indirection.len() != 1 {
            return None;
        }
        let field = indirection.first()?.as_str()?;
        let source = match row.as_slice() {
            [name] => match env.column(name) {
                Named::Row(source) => source,
                _ => return None,
            },
            _ => return None,
        };
        let found = source.column(field)?;
        if let Some(base) = &found.base {
            self.read_column(base);
        }
        Some(found)
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

    fn sub_link<'n>(
        &mut self,
        link: &'n nodes::SubLink,
        env: &Env<'_>,
        role: Role,
        work: &mut Vec<(Node<'n>, Role)>,
    ) -> Origin {
        let shape = self.query(link.subselect(), Some(env), env.ctes);
        let mut origin = shape.everything();
        match link.sub_link_type {
            // Only whether there is a row shows; what decides that is inside.
            SubLinkType::EXISTS_SUBLINK => origin = Origin::default(),
            SubLinkType::ALL_SUBLINK | SubLinkType::ANY_SUBLINK | SubLinkType::ROWCOMPARE_SUBLINK => {
                let right = shape.columns.first().map_or(0, |column| column.ty);
                let left = self.type_of(link.testexpr(), env);
                let names: Vec<&str> = link.oper_name().iter().filter_map(Node::as_str).collect();
                match names.as_slice() {
                    [] => self.named_operator(None, "=", left, right),
                    [name] => self.named_operator(None, name, left, right),
                    [schema, name] => self.named_operator(Some(schema), name, left, right),
                    _ => self.unknown(),
                }
                work.push((link.testexpr(), role));
            }
            SubLinkType::EXPR_SUBLINK | SubLinkType::ARRAY_SUBLINK | SubLinkType::MULTIEXPR_SUBLINK => {}
            _ => self.unknown(),
        }
        origin
    }

    /// The type of an expression, where it shows without resolving functions; 0 else.
    pub fn type_of(&self, node: Node<'_>, env: &Env<'_>) -> u32 {
        let mut node = node;
        loop {
            match node {
                Node::CollateClause(clause) => node = clause.arg(),
                Node::A_Const(constant) => {
                    return match constant.val() {
                        None | Some(ConstValue::String(_)) => UNKNOWN,
                        Some(ConstValue::Integer(_)) => INT4,
                        Some(ConstValue::Float(digits)) => {
                            if digits.parse::<i64>().is_ok() {
                                INT8
                            } else {
                                NUMERIC
                            }
                        }
                        Some(ConstValue::Boolean(_)) => BOOL,
                        Some(ConstValue::BitString(_)) => BIT,
                        Some(_) => 0,
                    };
                }
                Node::ParamRef(param) => {
                    let index = usize::try_from(param.number)
                        .ok()
                        .and_then(|number| number.checked_sub(1));
                    let ty = index
                        .and_then(|index| self.world.parameter_types.get(index))
                        .copied()
                        .unwrap_or(0);
                    return if ty == 0 { UNKNOWN } else { ty };
                }
                Node::TypeCast(cast) => return cast.type_name().map_or(0, |name| self.type_oid(name)),
                Node::ColumnRef(reference) => {
                    let Some(names) = names(reference) else { return 0 };
                    let column = match names.as_slice() {
                        [name] => match env.column(name) {
                            Named::Column(column) => Some(column),
                            _ => None,
                        },
                        [source, name] => env.source(None, source).and_then(|source| source.column(name)),
                        [schema, source, name] => {
                            env.source(Some(schema), source).and_then(|source| source.column(name))
                        }
                        _ => None,
                    };
                    return column.map_or(0, |column| self.world.catalog.base_type(column.ty));
                }
                Node::BoolExpr(_) | Node::NullTest(_) | Node::BooleanTest(_) => return BOOL,
                _ => return 0,
            }
        }
    }

    fn operator_expression(&mut self, expr: &nodes::A_Expr, env: &Env<'_>) {
        let left = match expr.lexpr() {
            // A prefix operator.
            Node::None => 0,
            left => match self.type_of(left, env) {
                0 => u32::MAX,
                ty => ty,
            },
        };
        let right = match (expr.kind, expr.rexpr()) {
            (Kind::AEXPR_OP_ANY | Kind::AEXPR_OP_ALL, _) => u32::MAX,
            // Every element has a type of its own; they agree where all are constants.
            (Kind::AEXPR_IN, Node::NodeList(list)) => {
                let mut types = list.iter().map(|item| self.type_of(item, env));
                let first = types.next().unwrap_or(0);
                if first != 0 && types.all(|ty| ty == first) {
                    first
                } else {
                    u32::MAX
                }
            }
            (_, right) => match self.type_of(right, env) {
                0 => u32::MAX,
                ty => ty,
            },
        };
        let left_of = |ty: u32| if ty == u32::MAX { None } else { Some(ty) };
        let names: Vec<&str> = expr.name().iter().filter_map(Node::as_str).collect();
        let (schema, name) = match names.as_slice() {
            [name] => (None, *name),
            [schema, name] => (Some(*schema), *name),
            _ => {
                self.unknown();
                return;
            }
        };
        match expr.kind {
            Kind::AEXPR_OP
            | Kind::AEXPR_OP_ANY
            | Kind::AEXPR_OP_ALL
            | Kind::AEXPR_DISTINCT
            | Kind::AEXPR_NOT_DISTINCT
            | Kind::AEXPR_NULLIF
            | Kind::AEXPR_IN
            | Kind::AEXPR_LIKE
            | Kind::AEXPR_ILIKE
            | Kind::AEXPR_SIMILAR => self.operator(schema, name, left_of(left), left_of(right)),
            Kind::AEXPR_BETWEEN | Kind::AEXPR_NOT_BETWEEN | Kind::AEXPR_BETWEEN_SYM | Kind::AEXPR_NOT_BETWEEN_SYM => {
                for name in ["<=", ">=", "<", ">"] {
                    self.operator(None, name, left_of(left), None);
                }
            }
            _ => self.unknown(),
        }
    }

    /// `0` types are not known.
    pub fn named_operator(&mut self, schema: Option<&str>, name: &str, left: u32, right: u32) {
        let known = |ty: u32| (ty != 0).then_some(ty);
        self.operator(schema, name, known(left), known(right));
    }

    pub fn sort_operator(&mut self, sort: &nodes::SortBy) {
        let names: Vec<&str> = sort.use_op().iter().filter_map(Node::as_str).collect();
        match names.as_slice() {
            [] => {}
            [name] => self.operator(None, name, None, None),
            [schema, name] => self.operator(Some(schema), name, None, None),
            _ => self.unknown(),
        }
    }

    /// SQL/JSON: built in from 16 and 17 on; before, the same words are a user's functions.
    fn json<'n>(&mut self, node: Node<'n>, role: Role, work: &mut Vec<(Node<'n>, Role)>) -> Option<Origin> {
        let since = match node {
            Node::JsonObjectConstructor(_)
            | Node::JsonArrayConstructor(_)
            | Node::JsonArrayQueryConstructor(_)
            | Node::JsonObjectAgg(_)
            | Node::JsonArrayAgg(_)
            | Node::JsonIsPredicate(_) => 160_000,
            _ => 170_000,
        };
        let value = |value: Option<&'n nodes::JsonValueExpr>, work: &mut Vec<(Node<'n>, Role)>| {
            if let Some(value) = value {
                work.push((value.raw_expr(), role));
            }
        };
        if self.world.catalog.server_version < since {
            self.unknown();
            return Some(Origin::unknown());
        }
        match node {
            Node::JsonIsPredicate(expr) => work.push((expr.expr(), role)),
            Node::JsonObjectConstructor(expr) => {
                for pair in expr.exprs() {
                    work.push((pair.key(), role));
                    value(pair.value(), work);
                }
            }
            Node::JsonArrayConstructor(expr) => {
                for item in expr.exprs() {
                    value(Some(item), work);
                }
            }
            Node::JsonParseExpr(expr) => value(expr.expr(), work),
            Node::JsonScalarExpr(expr) => work.push((expr.expr(), role)),
            Node::JsonSerializeExpr(expr) => value(expr.expr(), work),
            Node::MergeSupportFunc(_) => {}
            // json_value and kin take paths, defaults, RETURNING types; aggregates take windows: not followed.
            _ => {
                self.unknown();
                return Some(Origin::unknown());
            }
        }
        None
    }

    /// A call of a function written as one.
    fn function_call<'n>(
        &mut self,
        call: &'n nodes::FuncCall,
        env: &Env<'_>,
        role: Role,
        work: &mut Vec<(Node<'n>, Role)>,
    ) -> Option<Origin> {
        let names: Vec<&str> = call.funcname().iter().filter_map(Node::as_str).collect();
        let (schema, name) = match names.as_slice() {
            [name] => (None, *name),
            [schema, name] | [_, schema, name] => (Some(*schema), *name),
            _ => {
                self.unknown();
                return Some(Origin::unknown());
            }
        };
        if name == "system_user"
            && call.funcformat == CoercionForm::COERCE_SQL_SYNTAX
            && self.world.catalog.server_version < 160_000
        {
            // There it is a column of that name.
            self.unknown();
            return Some(Origin::unknown());
        }
        let args: Vec<Node<'n>> = call.args().iter().collect();
        // `ssn(c)` is `c.ssn` where no such function is there.
        if let ([Node::ColumnRef(reference)], None) = (args.as_slice(), schema)
            && let Some([row]) = self::names(reference).as_deref()
            && let Named::Row(source) = env.column(row)
            && self.no_such_function(name)
            && let Some(column) = source.column(name)
        {
            if let Some(base) = &column.base {
                self.read_column(base);
            }
            return Some((*column.origin).clone());
        }
        let types: Vec<u32> = args.iter().map(|arg| self.type_of(*arg, env)).collect();
        let found = self.function(schema, name, call, &types, env);
        let mut own = Origin::default();
        if call.agg_distinct || found.decides {
            for arg in &args {
                work.push((*arg, Role::Decides));
            }
        } else if found.counts {
            // Of a counted value only the NULLs show; its sub-expressions are read all the same.
            for arg in &args {
                if let Node::ColumnRef(reference) = arg
                    && self
                        .column(reference, env)
                        .is_some_and(|column| column.origin.is_copy())
                {
                    continue;
                }
                work.push((*arg, role));
            }
        } else {
            for arg in &args {
                own.derive(&self.star_or(*arg, env, role, work));
            }
        }
        own.unknown |= found.unknown;
        for sort in call.agg_order() {
            self.sort_operator(sort);
            // The order of an aggregate's rows decides; in WITHIN GROUP it is the aggregate's value.
            work.push((sort.node(), if call.agg_within_group { role } else { Role::Decides }));
        }
        work.push((call.agg_filter(), Role::Decides));
        if let Some(window) = call.over() {
            self.window(window, work);
        }
        Some(own)
    }

    /// A window definition: all of it decides.
    pub fn window<'n>(&mut self, window: &'n nodes::WindowDef, work: &mut Vec<(Node<'n>, Role)>) {
        work.extend(window.partition_clause().iter().map(|node| (node, Role::Decides)));
        for sort in window.order_clause() {
            self.sort_operator(sort);
            work.push((sort.node(), Role::Decides));
        }
        work.push((window.start_offset(), Role::Decides));
        work.push((window.end_offset(), Role::Decides));
    }
}

/// The names of a reference; `None` where it ends in `*`.
pub(super) fn names(reference: &nodes::ColumnRef) -> Option<Vec<&str>> {
    reference.fields().iter().map(Node::as_str).collect()
}
