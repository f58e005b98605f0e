//! Types and conversions: input functions, domains' checks, casts of users.

use std::collections::HashSet;

use pg_raw_parse::{Node, nodes};

use super::names::{UNKNOWN, names};
use super::reader::Reader;
use super::scope::{Env, Named};
use crate::inspect::catalog::CastContext;
use crate::policy::CallKind;

impl Reader<'_> {
    /// The type that a name means; 0 where it is not known.
    pub fn type_oid(&self, name: &nodes::TypeName) -> u32 {
        if !name.array_bounds().is_empty() || name.setof || name.pct_type {
            return 0;
        }
        self.find_type(name).map_or(0, |(oid, _)| oid)
    }

    pub fn find_type(&self, name: &nodes::TypeName) -> Option<(u32, bool)> {
        let names: Vec<&str> = name.names().iter().filter_map(nodes::String::sval).collect();
        if let Some(name) = names.last() {
            self.spells(name);
        }
        let catalog = self.world.catalog;
        match names.as_slice() {
            [name] => {
                let (index, ty) = catalog.type_along(&self.world.scope.search_path, name)?;
                // A temporary table's row type may stand before it.
                let shadowed = self.temp_before(index);
                Some((ty.oid, shadowed))
            }
            [schema, name] | [_, schema, name] => Some((catalog.type_in(self.schema(schema), name)?.oid, false)),
            _ => None,
        }
    }

    /// A conversion to a type: its input function, its domain's checks, casts of users.
    pub fn cast(&mut self, name: &nodes::TypeName, from: u32) {
        for part in name.typmods() {
            if !matches!(part, Node::A_Const(_)) {
                self.unknown();
            }
        }
        let Some((oid, shadowed)) = self.find_type(name) else {
            let names: Vec<&str> = name.names().iter().filter_map(nodes::String::sval).collect();
            self.not_found(format!("type {}", names.join(".")));
            return;
        };
        if shadowed || name.pct_type || name.setof {
            self.unknown();
        }
        self.converts(oid, from, CastContext::Explicit);
    }

    /// The values of parameters become what the client says that they are, before anything runs.
    pub fn parameters(&mut self) {
        for ty in self.world.parameter_types {
            if *ty != 0 {
                self.converts(*ty, UNKNOWN, CastContext::Explicit);
            }
        }
    }

    /// Building a row from JSON makes values of its columns' types: those of the row that is given, or of any.
    pub fn populates(&mut self, row: Option<Node<'_>>, env: &Env<'_>) {
        let given = match row {
            // The cast itself is read where it stands.
            Some(Node::TypeCast(_)) => return,
            Some(Node::ColumnRef(reference)) => names(reference).and_then(|names| match names.as_slice() {
                [name] => match env.column(name) {
                    Named::Row(source) => source.relation,
                    _ => None,
                },
                _ => None,
            }),
            _ => None,
        };
        let types: Vec<u32> = match given {
            Some(relation) => relation.columns.iter().map(|column| column.type_oid).collect(),
            None => self.world.catalog.checked_types().collect(),
        };
        for ty in types {
            self.converts(ty, UNKNOWN, CastContext::Explicit);
        }
    }

    /// `name(value)` where no function is called so: a conversion, if there is such a type. Says whether it is one.
    pub fn cast_by_name(&mut self, schema: Option<&str>, name: &str, from: u32) -> bool {
        self.spells(name);
        let catalog = self.world.catalog;
        let found = match schema {
            Some(schema) => catalog.type_in(self.schema(schema), name).map(|ty| ty.oid),
            None => match catalog.type_along(&self.world.scope.search_path, name) {
                Some((index, ty)) if !self.temp_before(index) => Some(ty.oid),
                _ => None,
            },
        };
        let functions = match schema {
            Some(schema) => {
                let schema = self.schema(schema);
                schema == "pg_catalog" && catalog.has_builtin_function(name)
                    || (catalog.functions_named(name).iter()).any(|function| *function.schema == *schema)
            }
            None => !self.no_such_function(name),
        };
        match found {
            Some(oid) if !functions => {
                self.converts(oid, from, CastContext::Explicit);
                true
            }
            _ => false,
        }
    }

    /// A value becomes one of that type.
    pub fn converts(&mut self, target: u32, from: u32, context: CastContext) {
        let catalog = self.world.catalog;
        let mut calls: Vec<u32> = Vec::new();
        // What a value is made of is made too: a domain's base, an array's elements, a range's bounds, the columns of a row.
        let mut seen = HashSet::new();
        let mut work = vec![target];
        while let Some(oid) = work.pop() {
            if !seen.insert(oid) {
                continue;
            }
            let Some(ty) = catalog.type_of_oid(oid) else { continue };
            calls.extend(&ty.calls);
            if ty.base != 0 {
                work.push(ty.base);
            }
            if let Some(row) = catalog.relation(ty.relation) {
                work.extend(row.columns.iter().map(|column| column.type_oid));
            }
        }
        let base = catalog.base_type(target);
        calls.extend(catalog.casts().iter().filter_map(|cast| {
            let applies = match context {
                CastContext::Explicit => true,
                _ => cast.context != CastContext::Explicit,
            };
            (applies
                && cast.function != 0
                && (cast.target == target || cast.target == base)
                && from != UNKNOWN
                && (from == 0 || cast.source == from))
                .then_some(cast.function)
        }));
        for function in calls {
            self.call_oid(function, CallKind::Cast);
        }
    }
}
