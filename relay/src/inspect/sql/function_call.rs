//! What an expression calls: functions with their windows, operators, sub-queries.

use pg_raw_parse::raw::{A_Expr_Kind as Kind, CoercionForm, SubLinkType};
use pg_raw_parse::{Node, nodes};

use super::Origin;
use super::expression::Role;
use super::names::names as column_names;
use super::reader::Reader;
use super::scope::{Env, Named};
use super::total;

impl Reader<'_> {
    /// A call of a function written as one.
    pub fn function_call<'n>(
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
            return match env.column(name) {
                Named::Column(column) => {
                    if let Some(base) = &column.base {
                        self.read_column(base);
                    }
                    Some((*column.origin).clone())
                }
                Named::Row(source) => Some(self.whole_row(&source)),
                Named::Nothing => {
                    self.not_found(name.to_owned());
                    Some(Origin::unknown())
                }
            };
        }
        let args: Vec<Node<'n>> = call.args().iter().collect();
        // `ssn(c)` is `c.ssn` where no such function is there.
        if let ([Node::ColumnRef(reference)], None) = (args.as_slice(), schema)
            && let Some([row]) = column_names(reference).as_deref()
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
        if let ([arg], [from]) = (args.as_slice(), types.as_slice())
            && !call.func_variadic
            && !call.agg_star
            && !matches!(arg, Node::NamedArgExpr(_))
            && self.cast_by_name(schema, name, *from)
        {
            work.push((*arg, role));
            return None;
        }
        let found = self.function(schema, name, call, &types, env);
        if name.contains("populate_record") {
            self.populates(args.first().copied(), env);
        }
        let mut own = Origin::default();
        for (index, arg) in args.iter().enumerate() {
            // Of a counted value only the NULLs show; its sub-expressions are read all the same.
            if found.counts
                && !call.agg_distinct
                && let Node::ColumnRef(reference) = arg
                && self
                    .column(reference, env)
                    .is_some_and(|column| column.origin.is_copy())
            {
                continue;
            }
            let named = matches!(arg, Node::NamedArgExpr(_));
            let role = if call.agg_distinct || found.decides || named {
                Role::Decides
            } else {
                total::argument(name, index, &types, role)
            };
            let row = self.star_or(*arg, env, role, work);
            if role == Role::Decides {
                self.decides(&row);
            }
            own.derive(&row);
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

    pub fn sub_link<'n>(
        &mut self,
        link: &'n nodes::SubLink,
        env: &Env<'_>,
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
                // Rows are compared until one agrees: one behind it that fails tells.
                self.decides(&origin);
                work.push((link.testexpr(), Role::Decides));
            }
            SubLinkType::EXPR_SUBLINK | SubLinkType::ARRAY_SUBLINK | SubLinkType::MULTIEXPR_SUBLINK => {}
            _ => self.unknown(),
        }
        origin
    }

    pub fn operator_expression(&mut self, expr: &nodes::A_Expr, env: &Env<'_>) {
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
}
