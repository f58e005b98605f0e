//! Putting a snapshot together.

use std::collections::HashMap;
use std::sync::Arc;

use super::{Cast, Catalog, ForeignKey, Function, Operator, Relation, Type};

/// The pieces of a snapshot, as they are read from a target or written by a test.
#[derive(Clone, Debug, Default)]
pub struct Parts {
    /// `server_version_num`.
    pub server_version: u32,
    /// Every schema's name.
    pub schemas: Vec<String>,
    /// (schema, who may use it).
    pub searched: Vec<(String, String)>,
    /// Every relation, those of `pg_catalog` too.
    pub relations: Vec<Relation>,
    /// Foreign keys.
    pub foreign_keys: Vec<ForeignKey>,
    /// (view, relation that its query uses).
    pub view_uses: Vec<(u32, u32)>,
    /// (relation, sequence that a default of it uses).
    pub default_uses: Vec<(u32, u32)>,
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
            digest: self.digest,
            ..Catalog::default()
        };
        catalog.add(self);
        catalog
    }
}

impl Catalog {
    /// The same with a session's temporary objects, which stand in the schema [`TEMPORARY`].
    pub fn with_temporary(&self, parts: Parts) -> Self {
        let mut catalog = self.clone();
        catalog.add(parts);
        catalog.temporary = true;
        catalog
    }

    /// Makes a change that a statement would make: a relation, key, type, function, schema more.
    pub fn amend(&mut self, parts: Parts) {
        self.provisional += 1;
        for relation in &parts.relations {
            self.forget(relation.oid);
        }
        self.add(parts);
    }

    /// Takes a relation out, as a statement would.
    pub fn forget(&mut self, oid: u32) {
        self.provisional += 1;
        if let Some(relation) = self.relations.remove(&oid)
            && let Some(named) = self.relation_names.get_mut(&relation.name)
        {
            named.retain(|other| *other != oid);
        }
        for children in self.children.values_mut() {
            children.retain(|child| *child != oid);
        }
    }

    fn add(&mut self, parts: Parts) {
        self.schemas.extend(parts.schemas.into_iter().map(Arc::from));
        self.searched.extend(parts.searched);
        self.builtin_functions
            .extend(parts.builtin_functions.into_iter().map(Arc::from));
        self.casts.extend(parts.casts.into_iter().map(Arc::new));
        for relation in parts.relations {
            for parent in &relation.parents {
                push(&mut self.children, *parent, relation.oid);
            }
            push(&mut self.relation_names, relation.name.clone(), relation.oid);
            self.relations.insert(relation.oid, Arc::new(relation));
        }
        for key in parts.foreign_keys {
            push(&mut self.referencing, key.to, Arc::new(key));
        }
        for (view, used) in parts.view_uses {
            push(&mut self.dependents, used, view);
        }
        for (relation, sequence) in parts.default_uses {
            push(&mut self.default_users, sequence, relation);
        }
        for function in parts.functions {
            let function = Arc::new(function);
            self.function_oids.insert(function.oid, function.clone());
            push(&mut self.functions, function.name.clone(), function);
        }
        for (name, outputs) in parts.builtin_outputs {
            push(&mut self.builtin_outputs, Arc::from(name), Arc::from(outputs));
        }
        for operator in parts.operators {
            push(&mut self.operators, operator.name.clone(), Arc::new(operator));
        }
        for (name, left, right) in parts.builtin_operators {
            self.builtin_operators
                .entry(Arc::from(name))
                .or_default()
                .insert((left, right));
        }
        for ty in parts.types {
            push(&mut self.types, ty.name.clone(), ty.oid);
            self.type_oids.insert(ty.oid, Arc::new(ty));
        }
    }
}

fn push<K: std::hash::Hash + Eq, V>(map: &mut HashMap<K, Vec<V>>, key: K, value: V) {
    map.entry(key).or_default().push(value);
}
