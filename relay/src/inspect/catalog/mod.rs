//! A snapshot of what names mean at a target: relations, functions, types, keys, indirections. Pure data; `target` loads it.
//!
//! Everything that is not the server's own (`oid >= 16384`) is here in full; of `pg_catalog` and `information_schema` only what
//! resolving a name needs. A snapshot never changes: a newer one has another generation.

mod build;
mod lookup;
mod objects;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

pub use build::Parts;
pub use objects::{
    Cast, CastContext, Column, Event, ForeignKey, Function, FunctionKind, Key, OnForeign, Operator, Relation,
    RelationKind, Rule, Trigger, Type, TypeKind,
};

/// The first oid that `CREATE` gives out; smaller ones are the server's own objects.
pub const FIRST_USER_OID: u32 = 16384;

/// Numbers from here on stand for objects that a message makes: no server comes so far.
pub const PROVISIONAL_OID: u32 = 0xf000_0000;

/// What a session's own temporary schema is called, here as in statements. At the server it has a number.
pub const TEMPORARY: &str = "pg_temp";

/// What names mean at one target, at one moment.
#[derive(Clone, Debug, Default)]
pub struct Catalog {
    /// Grows with every snapshot that differs from the one before it.
    pub generation: u64,
    /// `server_version_num`: 150018 for 15.18.
    pub server_version: u32,
    /// A session's temporary objects are here too.
    temporary: bool,
    /// How many changes were made to it by statements that have not run.
    provisional: usize,
    schemas: HashSet<Arc<str>>,
    /// Schemas, and who may use them.
    searched: std::collections::BTreeSet<(String, String)>,
    relations: HashMap<u32, Arc<Relation>>,
    relation_names: HashMap<Arc<str>, Vec<u32>>,
    functions: HashMap<Arc<str>, Vec<Arc<Function>>>,
    function_oids: HashMap<u32, Arc<Function>>,
    builtin_functions: HashSet<Arc<str>>,
    builtin_outputs: HashMap<Arc<str>, Vec<Arc<[String]>>>,
    operators: HashMap<Arc<str>, Vec<Arc<Operator>>>,
    builtin_operators: HashMap<Arc<str>, HashSet<(u32, u32)>>,
    types: HashMap<Arc<str>, Vec<u32>>,
    type_oids: HashMap<u32, Arc<Type>>,
    casts: Vec<Arc<Cast>>,
    referencing: HashMap<u32, Vec<Arc<ForeignKey>>>,
    children: HashMap<u32, Vec<u32>>,
    dependents: HashMap<u32, Vec<u32>>,
    default_users: HashMap<u32, Vec<u32>>,
    digest: u64,
}
