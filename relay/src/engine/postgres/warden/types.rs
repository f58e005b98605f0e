//! What a run's client is told of the types of a result that are not PostgreSQL's own: a `RowDescription` has their numbers only.

use std::collections::{HashSet, VecDeque};

use hoop_shared::wire::run::{NamedType, TypeValues};

use crate::engine::postgres::codec::backend::Column;
use crate::inspect::catalog::{Catalog, Type, TypeKind};

/// Types that one result's columns may lead to. Past it none is told: the client has their numbers.
const MOST_TYPES: usize = 256;
/// Columns that the rows among them may have.
const MOST_COLUMNS: usize = 4096;

/// The types of columns, and those in their values, that the catalog knows and PostgreSQL does not have by itself; `None` where there
/// is none.
pub(super) fn named(catalog: &Catalog, columns: &[Column]) -> Option<Vec<NamedType>> {
    let is_ours = |oid: &u32| *oid != 0 && !Catalog::is_builtin_type(*oid);
    let mut open: VecDeque<u32> = columns.iter().map(|column| column.type_oid).filter(is_ours).collect();
    let mut seen: HashSet<u32> = open.iter().copied().collect();
    let (mut named, mut told) = (Vec::new(), 0);
    while let Some(oid) = open.pop_front() {
        let Some(ty) = catalog.type_of_oid(oid) else { continue };
        let values = values(catalog, ty);
        let inner = match &values {
            TypeValues::Text => Vec::new(),
            TypeValues::Array(element) => vec![*element],
            TypeValues::Row(columns) => columns.iter().map(|(_, oid)| *oid).collect(),
        };
        told += inner.len();
        open.extend(inner.into_iter().filter(is_ours).filter(|oid| seen.insert(*oid)));
        let name = name(catalog, ty);
        named.push(NamedType { oid, name, values });
        if named.len() > MOST_TYPES || told > MOST_COLUMNS {
            return None;
        }
    }
    (!named.is_empty()).then_some(named)
}

/// The text of names that may be anybody's.
pub(super) fn words(types: &[NamedType]) -> impl Iterator<Item = &str> {
    types.iter().flat_map(|ty| {
        let columns: &[(String, u32)] = match &ty.values {
            TypeValues::Row(columns) => columns,
            TypeValues::Text | TypeValues::Array(_) => &[],
        };
        let columns = columns.iter().map(|(name, _)| name.as_str());
        columns.chain(std::iter::once(ty.name.as_str()))
    })
}

/// Always with its schema: what it is called must not depend on anybody's search path.
fn name(catalog: &Catalog, ty: &Type) -> String {
    let element = catalog.type_of_oid(ty.base).filter(|_| ty.kind == TypeKind::Array);
    match element {
        Some(element) => format!("{}.{}[]", element.schema, element.name),
        None => format!("{}.{}", ty.schema, ty.name),
    }
}

fn values(catalog: &Catalog, ty: &Type) -> TypeValues {
    match ty.kind {
        TypeKind::Array => {
            let element = catalog.base_type(ty.base);
            let is_read = catalog.type_of_oid(element).is_none_or(|element| {
                // An extension's type may choose what stands between its elements (PostGIS does).
                element.kind != TypeKind::Base || element.text || Catalog::is_builtin_type(element.oid)
            });
            match is_read {
                true => TypeValues::Array(element),
                false => TypeValues::Text,
            }
        }
        TypeKind::Composite => match catalog.relation(ty.relation) {
            Some(relation) => {
                let columns = relation.columns.iter();
                TypeValues::Row(
                    columns
                        .map(|column| (column.name.to_string(), catalog.base_type(column.type_oid)))
                        .collect(),
                )
            }
            None => TypeValues::Text,
        },
        _ => TypeValues::Text,
    }
}
