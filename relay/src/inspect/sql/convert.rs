//! Types and conversions: input functions, domains' checks, casts of users.

use pg_raw_parse::{Node, nodes};

use super::names::UNKNOWN;
use super::reader::Reader;
use crate::inspect::catalog::{CastContext, TypeKind};
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
        let catalog = self.world.catalog;
        match names.as_slice() {
            [name] => {
                let (index, ty) = catalog.type_along(&self.world.scope.search_path, name)?;
                // A temporary table's row type may stand before it.
                let shadowed = self.temp_before(index);
                Some((ty.oid, shadowed))
            }
            [schema, name] | [_, schema, name] => Some((catalog.type_in(schema, name)?.oid, false)),
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

    /// A value becomes one of that type.
    pub fn converts(&mut self, target: u32, from: u32, context: CastContext) {
        let catalog = self.world.catalog;
        let mut calls: Vec<u32> = Vec::new();
        let mut oid = target;
        for _ in 0..64 {
            let Some(ty) = catalog.type_of_oid(oid) else { break };
            calls.extend(&ty.calls);
            match ty.kind {
                TypeKind::Domain | TypeKind::Array if ty.base != 0 => oid = ty.base,
                _ => break,
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
