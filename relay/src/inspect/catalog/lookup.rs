//! Finding objects by oid, by qualified name and along a search path.

use std::sync::Arc;

use super::{Cast, CastContext, Catalog, FIRST_USER_OID, ForeignKey, Function, Operator, Relation, Type, TypeKind};

impl Catalog {
    /// The relation of that oid.
    pub fn relation(&self, oid: u32) -> Option<&Arc<Relation>> {
        self.relations.get(&oid)
    }

    /// The relation of that name in that schema.
    pub fn relation_in(&self, schema: &str, name: &str) -> Option<&Arc<Relation>> {
        self.relation_names
            .get(name)?
            .iter()
            .filter_map(|oid| self.relations.get(oid))
            .find(|relation| &*relation.schema == schema)
    }

    /// The first relation of that name along `path`, and the schemas before it that were searched in vain.
    pub fn relation_along(&self, path: &[String], name: &str) -> Option<(usize, &Arc<Relation>)> {
        path.iter()
            .enumerate()
            .find_map(|(index, schema)| Some((index, self.relation_in(schema, name)?)))
    }

    /// Every relation.
    pub fn relations(&self) -> impl Iterator<Item = &Arc<Relation>> {
        self.relations.values()
    }

    /// A session's temporary objects are here too, so that what is not here is not there.
    pub fn has_temporary(&self) -> bool {
        self.temporary
    }

    /// How many changes were made to it by statements that have not run.
    pub fn provisional(&self) -> usize {
        self.provisional
    }

    /// There is such a schema.
    pub fn has_schema(&self, name: &str) -> bool {
        self.schemas.contains(name)
    }

    /// A search path finds the same schemas in both.
    pub fn searches_as(&self, other: &Self) -> bool {
        self.searched == other.searched
    }

    /// Relations that have `oid` as parent: inheritance children and partitions.
    pub fn children(&self, oid: u32) -> &[u32] {
        self.children.get(&oid).map_or(&[], Vec::as_slice)
    }

    /// Views and materialized views whose query uses the relation.
    pub fn dependent_views(&self, oid: u32) -> &[u32] {
        self.dependents.get(&oid).map_or(&[], Vec::as_slice)
    }

    /// Relations whose defaults use the sequence.
    pub fn default_users(&self, sequence: u32) -> &[u32] {
        self.default_users.get(&sequence).map_or(&[], Vec::as_slice)
    }

    /// Foreign keys that reference the relation.
    pub fn referencing(&self, oid: u32) -> &[Arc<ForeignKey>] {
        self.referencing.get(&oid).map_or(&[], Vec::as_slice)
    }

    /// Functions of users of that name, in every schema.
    pub fn functions_named(&self, name: &str) -> &[Arc<Function>] {
        self.functions.get(name).map_or(&[], Vec::as_slice)
    }

    /// The function of a user with that oid.
    pub fn function(&self, oid: u32) -> Option<&Arc<Function>> {
        self.function_oids.get(&oid)
    }

    /// `pg_catalog` has functions of that name.
    pub fn has_builtin_function(&self, name: &str) -> bool {
        self.builtin_functions.contains(name)
    }

    /// The output columns of each built-in function of that name that returns several.
    pub fn builtin_outputs(&self, name: &str) -> &[Arc<[String]>] {
        self.builtin_outputs.get(name).map_or(&[], Vec::as_slice)
    }

    /// Operators of users of that name, in every schema.
    pub fn operators_named(&self, name: &str) -> &[Arc<Operator>] {
        self.operators.get(name).map_or(&[], Vec::as_slice)
    }

    /// `pg_catalog` has an operator of that name.
    pub fn has_builtin_operator(&self, name: &str) -> bool {
        self.builtin_operators.contains_key(name)
    }

    /// `pg_catalog` has exactly that operator (`left` is 0 for a prefix operator).
    pub fn has_builtin_operator_of(&self, name: &str, left: u32, right: u32) -> bool {
        self.builtin_operators
            .get(name)
            .is_some_and(|sides| sides.contains(&(left, right)))
    }

    /// The type of that oid.
    pub fn type_of_oid(&self, oid: u32) -> Option<&Arc<Type>> {
        self.type_oids.get(&oid)
    }

    /// Types of which a value cannot be made without calling a function of a user.
    pub fn checked_types(&self) -> impl Iterator<Item = u32> {
        self.type_oids
            .values()
            .filter(|ty| !ty.calls.is_empty())
            .map(|ty| ty.oid)
    }

    /// The type of that name in that schema.
    pub fn type_in(&self, schema: &str, name: &str) -> Option<&Arc<Type>> {
        self.types
            .get(name)?
            .iter()
            .filter_map(|oid| self.type_oids.get(oid))
            .find(|ty| &*ty.schema == schema)
    }

    /// The first type of that name along `path`.
    pub fn type_along(&self, path: &[String], name: &str) -> Option<(usize, &Arc<Type>)> {
        path.iter()
            .enumerate()
            .find_map(|(index, schema)| Some((index, self.type_in(schema, name)?)))
    }

    /// The type below a chain of domains.
    pub fn base_type(&self, oid: u32) -> u32 {
        let mut oid = oid;
        // Domains over domains are finite; the bound guards against a snapshot that is not.
        for _ in 0..64 {
            match self.type_oids.get(&oid) {
                Some(ty) if ty.kind == TypeKind::Domain && ty.base != 0 => oid = ty.base,
                _ => return oid,
            }
        }
        0
    }

    /// The type is the server's own.
    pub fn is_builtin_type(oid: u32) -> bool {
        oid != 0 && oid < FIRST_USER_OID
    }

    /// Casts of users.
    pub fn casts(&self) -> &[Arc<Cast>] {
        &self.casts
    }

    /// A user made a cast from `source` to `target` that applies without being written.
    pub fn has_implicit_cast(&self, source: u32, target: u32) -> bool {
        self.casts
            .iter()
            .any(|cast| cast.source == source && cast.target == target && cast.context == CastContext::Implicit)
    }

    /// Equal digests mean equal snapshots.
    pub fn digest(&self) -> u64 {
        self.digest
    }
}
