//! Functions in FROM: which columns they give.

use std::sync::Arc;

use pg_raw_parse::{Node, nodes};

use super::Origin;
use super::expression::Role;
use super::from::{mixed, named};
use super::reader::Reader;
use super::scope::{Column, Env, Shape, Source};

impl Reader<'_> {
    pub fn range_function(&mut self, range: &nodes::RangeFunction, env: &Env<'_>) -> Source {
        let mut columns = Vec::new();
        let mut open: Option<Origin> = None;
        let functions: Vec<Node<'_>> = range.functions().iter().collect();
        let several = functions.len() > 1;
        let mut scalar_name = None;
        for item in functions {
            // ROWS FROM: (function, column definitions) each.
            let Node::NodeList(pair) = item else {
                self.unknown();
                continue;
            };
            let node = pair.get(0).unwrap_or(Node::None);
            let definitions = match pair.get(1) {
                Some(Node::NodeList(list)) => Some(list),
                _ => None,
            };
            let origin = self.expression(node, env, Role::Value);
            // How many rows there are shows what the arguments are.
            self.decides(&origin);
            let mut derived = Origin::default();
            derived.derive(&origin);
            let origin = Arc::new(derived);
            let mut push = |name: &str| {
                columns.push(Column {
                    name: Arc::from(name),
                    origin: origin.clone(),
                    base: None,
                    ty: 0,
                });
            };
            let mut defined: Vec<&nodes::ColumnDef> = range.coldeflist().iter().collect();
            if let Some(list) = definitions {
                defined = list
                    .iter()
                    .filter_map(|node| {
                        if let Node::ColumnDef(def) = node {
                            Some(def)
                        } else {
                            None
                        }
                    })
                    .collect();
            }
            if !defined.is_empty() {
                for definition in defined {
                    push(definition.colname().unwrap_or_default());
                    if let Some(ty) = definition.type_name() {
                        self.cast(ty, 0);
                    }
                }
                continue;
            }
            match self.function_outputs(node, env) {
                Outputs::Scalar(name) => {
                    push(&name);
                    scalar_name = Some(name);
                }
                Outputs::Columns(names) => names.iter().for_each(|name| push(name)),
                Outputs::Unknown => {
                    let mut all = open.take().unwrap_or_default();
                    all.derive(&origin);
                    open = Some(all);
                }
            }
        }
        if range.ordinality {
            columns.push(Column {
                name: Arc::from("ordinality"),
                ..Column::default()
            });
        }
        let shape = Shape {
            columns,
            open: open.map(Arc::new),
        };
        let mut source = named(shape, range.alias());
        if let (Some(alias), Some(scalar), false) = (range.alias(), &scalar_name, several) {
            // `generate_series(1, 3) AS n`: the column takes the alias.
            if alias.colnames().is_empty()
                && let Some(column) = source.shape.columns.iter_mut().find(|column| &*column.name == scalar)
            {
                column.name = Arc::from(alias.aliasname().unwrap_or_default());
            }
        }
        if source.name.is_none() {
            source.name = scalar_name.map(Arc::from);
        }
        source
    }

    pub fn function_outputs(&self, node: Node<'_>, env: &Env<'_>) -> Outputs {
        /// `tsvector`.
        const TSVECTOR: u32 = 3614;
        let call = match node {
            Node::FuncCall(call) => call,
            Node::SQLValueFunction(_) | Node::TypeCast(_) | Node::CoalesceExpr(_) => return Outputs::Unknown,
            _ => return Outputs::Unknown,
        };
        let names: Vec<&str> = call.funcname().iter().filter_map(Node::as_str).collect();
        let Some(name) = names.last().copied() else {
            return Outputs::Unknown;
        };
        let catalog = self.world.catalog;
        if name == "unnest" && call.args().len() != 1 {
            return Outputs::Columns(vec![name.to_owned(); call.args().len()]);
        }
        let users = catalog.functions_named(name);
        let builtin = catalog.builtin_outputs(name);
        if !users.is_empty() {
            // Only where all of that name agree is it known.
            return match users {
                [one] if builtin.is_empty() && !catalog.has_builtin_function(name) => {
                    if !one.outputs.is_empty() {
                        Outputs::Columns(one.outputs.clone())
                    } else {
                        self.row_type(one.returns, name)
                    }
                }
                _ => Outputs::Unknown,
            };
        }
        match builtin {
            [] if is_row_builtin(name) => Outputs::Unknown,
            [] => Outputs::Scalar(name.to_owned()),
            // One of tsvectors gives three columns; taken for one, their number will not agree and no row passes.
            _ if name == "unnest" => match call.args().iter().next().map_or(0, |arg| self.type_of(arg, env)) {
                TSVECTOR => Outputs::Columns(["lexeme", "positions", "weights"].map(str::to_owned).to_vec()),
                _ => Outputs::Scalar(name.to_owned()),
            },
            [first, rest @ ..] if rest.iter().all(|other| other == first) => match first.as_ref() {
                // One OUT argument is a scalar of that name.
                [one] => Outputs::Scalar(one.clone()),
                many => Outputs::Columns(many.to_vec()),
            },
            _ => Outputs::Unknown,
        }
    }

    pub fn row_type(&self, ty: u32, name: &str) -> Outputs {
        /// `record`.
        const RECORD: u32 = 2249;
        match self.world.catalog.type_of_oid(ty) {
            Some(found) if found.relation != 0 => self
                .world
                .catalog
                .relation(found.relation)
                .map_or(Outputs::Unknown, |relation| {
                    Outputs::Columns(relation.columns.iter().map(|column| column.name.to_string()).collect())
                }),
            Some(found) if found.oid != RECORD => Outputs::Scalar(name.to_owned()),
            _ => Outputs::Unknown,
        }
    }

    pub fn xml_table(&mut self, range: &nodes::RangeTableFunc, env: &Env<'_>) -> Source {
        let mut origin = self.expression(range.docexpr(), env, Role::Decides);
        let mut rows = self.expression(range.rowexpr(), env, Role::Decides);
        for namespace in range.namespaces() {
            rows.derive(&self.expression(namespace, env, Role::Decides));
        }
        let mut all = Origin::default();
        all.derive(&origin);
        all.derive(&rows);
        let mut columns = Vec::new();
        for column in range.columns() {
            origin = self.expression(column.colexpr(), env, Role::Decides);
            all.derive(&origin);
            origin = self.expression(column.coldefexpr(), env, Role::Decides);
            all.derive(&origin);
            if let Some(ty) = column.type_name() {
                self.cast(ty, 0);
            }
            columns.push(Arc::<str>::from(column.colname().unwrap_or_default()));
        }
        mixed(columns, all, range.alias(), "xmltable")
    }
}

/// What a function in FROM gives.
pub(super) enum Outputs {
    /// One column of that name.
    Scalar(String),
    /// These columns.
    Columns(Vec<String>),
    /// Not known.
    Unknown,
}

/// Built-in functions whose columns depend on their arguments' row type.
pub(super) fn is_row_builtin(name: &str) -> bool {
    matches!(
        name,
        "json_populate_record"
            | "json_populate_recordset"
            | "jsonb_populate_record"
            | "jsonb_populate_recordset"
            | "unnest"
            | "json_to_record"
            | "json_to_recordset"
            | "jsonb_to_record"
            | "jsonb_to_recordset"
    ) && name != "unnest"
}
