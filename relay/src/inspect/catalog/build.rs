//! Putting a snapshot together.

use std::collections::HashMap;
use std::sync::Arc;

use super::{Cast, Catalog, FIRST_USER_OID, ForeignKey, Function, Operator, Relation, Type};

/// The pieces of a snapshot, as they are read from a target or written by a test.
#[derive(Clone, Debug, Default)]
pub struct Parts {
    /// `server_version_num`.
    pub server_version: u32,
    /// Every schema's name.
    pub schemas: Vec<String>,
    /// Every relation, those of `pg_catalog` too.
    pub relations: Vec<Relation>,
    /// Foreign keys.
    pub foreign_keys: Vec<ForeignKey>,
    /// (view, relation that its query uses).
    pub view_uses: Vec<(u32, u32)>,
    /// Functions, procedures and aggregates of users.
    pub functions: Vec<Function>,
    /// Names of the server's own functions.
    pub builtin_functions: Vec<String>,
    /// Output columns of the server's own functions that have several.
    pub builtin_outputs: Vec<(String, Vec<String>)>,
    /// Operators of users.
    pub operators: Vec<Operator>,
    /// The server's own operators: name, left type (0: prefix), right type.
    pub builtin_operators: Vec<(String, u32, u32)>,
    /// Types.
    pub types: Vec<Type>,
    /// Casts of users.
    pub casts: Vec<Cast>,
    /// A digest of everything above.
    pub digest: u64,
}

impl Parts {
    /// Builds the indexes. The generation is 0 until whoever keeps snapshots sets it.
    pub fn build(self) -> Catalog {
        let mut catalog = Catalog {
            server_version: self.server_version,
            schemas: self.schemas.into_iter().map(Arc::from).collect(),
            builtin_functions: self.builtin_functions.into_iter().map(Arc::from).collect(),
            casts: self.casts.into_iter().map(Arc::new).collect(),
            digest: self.digest,
            ..Catalog::default()
        };
        for relation in self.relations {
            for parent in &relation.parents {
                push(&mut catalog.children, *parent, relation.oid);
            }
            push(&mut catalog.relation_names, relation.name.clone(), relation.oid);
            catalog.relations.insert(relation.oid, Arc::new(relation));
        }
        for key in self.foreign_keys {
            push(&mut catalog.referencing, key.to, Arc::new(key));
        }
        for (view, used) in self.view_uses {
            push(&mut catalog.dependents, used, view);
        }
        for function in self.functions {
            let function = Arc::new(function);
            catalog.function_oids.insert(function.oid, function.clone());
            push(&mut catalog.functions, function.name.clone(), function);
        }
        for (name, outputs) in self.builtin_outputs {
            push(&mut catalog.builtin_outputs, Arc::from(name), Arc::from(outputs));
        }
        for operator in self.operators {
            push(&mut catalog.operators, operator.name.clone(), Arc::new(operator));
        }
        for (name, left, right) in self.builtin_operators {
            catalog
                .builtin_operators
                .entry(Arc::from(name))
                .or_default()
                .insert((left, right));
        }
        for ty in self.types {
            // An array type of the server's own is never written by its own name.
            if ty.oid >= FIRST_USER_OID || !ty.name.starts_with('_') {
                push(&mut catalog.types, ty.name.clone(), ty.oid);
            }
            catalog.type_oids.insert(ty.oid, Arc::new(ty));
        }
        catalog
    }
}

fn push<K: std::hash::Hash + Eq, V>(map: &mut HashMap<K, Vec<V>>, key: K, value: V) {
    map.entry(key).or_default().push(value);
}
