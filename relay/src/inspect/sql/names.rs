//! References in expressions: columns, whole rows, `*`, and the types that show without resolving functions.

use std::sync::Arc;

use pg_raw_parse::{ConstValue, Node, nodes};

use super::Origin;
use super::reader::Reader;
use super::scope::{Column, Env, Named, Shape, Source};
use crate::policy::CallKind;

/// Types of constants, from `pg_type.dat`.
pub(super) const UNKNOWN: u32 = 705;
const BOOL: u32 = 16;
const INT4: u32 = 23;
const INT8: u32 = 20;
const NUMERIC: u32 = 1700;
const BIT: u32 = 1560;

impl Reader<'_> {
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
    pub fn column_or_row(&mut self, reference: &nodes::ColumnRef, env: &Env<'_>) -> Option<Origin> {
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
    pub fn row_field(&mut self, expr: &nodes::A_Indirection, env: &Env<'_>) -> Option<Column> {
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
}

/// The names of a reference; `None` where it ends in `*`.
pub(super) fn names(reference: &nodes::ColumnRef) -> Option<Vec<&str>> {
    reference.fields().iter().map(Node::as_str).collect()
}
