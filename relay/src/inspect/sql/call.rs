//! Functions, operators, types: which one a name means along the search path, and what calling it amounts to.
//!
//! An unqualified name is the server's own only if nothing of a user could be meant instead. A candidate of a user falls away where
//! it takes another number of arguments, or a type of a user's that the argument surely does not have.

use std::sync::Arc;

use pg_raw_parse::{ConstValue, Node, nodes};

use super::functions::{Builtin, builtin, information_schema};
use super::names::UNKNOWN;
use super::reader::Reader;
use super::scope::Env;
use super::settings::{self, Class};
use super::{ColumnRef, Refused};
use crate::inspect::catalog::{Catalog, Function, FunctionKind, TEMPORARY, TypeKind};
use crate::policy::{CallKind, Effect, Resource, SqlAction};

/// What a call means for its arguments and result.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Called {
    /// The arguments go somewhere, or decide how many rows there are.
    pub decides: bool,
    /// The result may hold more than its arguments.
    pub unknown: bool,
    /// Only the number of arguments that are not NULL shows.
    pub counts: bool,
}

impl Reader<'_> {
    /// No function of that name can be meant by an unqualified call.
    pub fn no_such_function(&self, name: &str) -> bool {
        self.spells(name);
        !self.world.catalog.has_builtin_function(name)
            && self
                .world
                .catalog
                .functions_named(name)
                .iter()
                .all(|function| !self.on_path(&function.schema))
    }

    /// Functions and operators of that schema can be meant without its name: temporary ones never are.
    fn on_path(&self, schema: &str) -> bool {
        schema != TEMPORARY && self.world.scope.search_path.iter().any(|known| known == schema)
    }

    /// Users' functions that a call may mean.
    fn candidates(&self, schema: Option<&str>, name: &str, count: usize, types: &[u32]) -> Vec<Arc<Function>> {
        self.spells(name);
        let catalog = self.world.catalog;
        let outputs = |function: &Function| match function.kind {
            FunctionKind::Procedure => function.outputs.len(),
            _ => 0,
        };
        catalog
            .functions_named(name)
            .iter()
            .filter(|function| match schema {
                Some(schema) => *function.schema == *self.schema(schema),
                None => self.on_path(&function.schema),
            })
            .filter(|function| {
                let most = function.argument_types.len();
                let least = most - function.defaults.min(most) - usize::from(function.variadic && most > 0);
                // CALL names a procedure's OUT arguments too.
                let most = most + outputs(function);
                count >= least && (count <= most || function.variadic)
            })
            .filter(|function| {
                outputs(function) > 0
                    || types
                        .iter()
                        .zip(&function.argument_types)
                        .all(|(given, wanted)| could_take(catalog, *wanted, *given))
            })
            .cloned()
            .collect()
    }

    /// A call by name only.
    pub fn function_by_name(
        &mut self,
        schema: Option<&str>,
        name: &str,
        count: usize,
        types: &[u32],
        kind: CallKind,
    ) -> Called {
        let candidates = self.candidates(schema, name, count, types);
        let builtin_there = match schema {
            Some("pg_catalog") => self.world.catalog.has_builtin_function(name),
            Some("information_schema") => {
                if information_schema(name) {
                    return Called::default();
                }
                false
            }
            Some(_) => false,
            None => self.world.catalog.has_builtin_function(name),
        };
        let mut called = Called::default();
        for function in &candidates {
            self.call(function, kind);
            called = Called {
                decides: true,
                unknown: true,
                counts: false,
            };
        }
        if builtin_there {
            match builtin(name) {
                Some(Builtin::Harmless) => {}
                Some(Builtin::Rows) => called.decides = true,
                Some(Builtin::Count) => called.counts = candidates.is_empty() && !called.decides,
                Some(Builtin::Rewrite) if count == 3 => {}
                Some(Builtin::Does(action)) => {
                    called.decides = true;
                    called.unknown = matches!(action, SqlAction::Replication | SqlAction::ServerData);
                    self.act(action, Resource::Connection);
                }
                // Handled by `function`, which sees the arguments; here they cannot be seen.
                Some(Builtin::SetConfig | Builtin::Sequence | Builtin::Rewrite) | None => {
                    self.call_named(Arc::from("pg_catalog"), Arc::from(name), Arc::from(""), kind);
                    called.decides = true;
                    called.unknown = true;
                }
            }
        } else if candidates.is_empty() {
            let known_elsewhere = !self.world.catalog.functions_named(name).is_empty();
            let display = schema.map_or_else(|| name.to_owned(), |schema| format!("{schema}.{name}"));
            if known_elsewhere || schema.is_none_or(|schema| self.world.catalog.has_schema(schema)) {
                self.not_found(format!("{display}()"));
            } else {
                self.not_found(display);
            }
            called.decides = true;
            called.unknown = true;
        }
        called
    }

    /// A call in an expression.
    pub fn function(
        &mut self,
        schema: Option<&str>,
        name: &str,
        call: &nodes::FuncCall,
        types: &[u32],
        env: &Env<'_>,
    ) -> Called {
        // WITHIN GROUP's arguments count too.
        let ordered = if call.agg_within_group {
            call.agg_order().len()
        } else {
            0
        };
        let count = call.args().len() + ordered;
        let builtin_only = matches!(schema, None | Some("pg_catalog"))
            && self.world.catalog.has_builtin_function(name)
            && self.candidates(schema, name, count, types).is_empty();
        if builtin_only {
            match builtin(name) {
                Some(Builtin::SetConfig) => {
                    self.set_config(call, env);
                    return Called {
                        decides: true,
                        ..Called::default()
                    };
                }
                Some(Builtin::Sequence) => {
                    self.sequence(call);
                    return Called {
                        decides: true,
                        ..Called::default()
                    };
                }
                _ => {}
            }
        }
        // VARIADIC arrays spread: the number of arguments is not known.
        let count = if call.func_variadic { count.max(1) } else { count };
        self.function_by_name(schema, name, count, types, CallKind::Function)
    }

    /// `set_config(name, value, local)`.
    fn set_config(&mut self, call: &nodes::FuncCall, env: &Env<'_>) {
        let args: Vec<Node<'_>> = call.args().iter().collect();
        let named = args.iter().any(|arg| matches!(arg, Node::NamedArgExpr(_)));
        let setting = args.first().and_then(|arg| match arg {
            // pg_dump sets what is there: `SELECT set_config(name, …) FROM pg_settings WHERE name = '…'`.
            Node::ColumnRef(reference) => {
                let column = self.column(reference, env)?;
                let is_name = self.is_setting_name(column.base.as_ref()?);
                self.pinned_setting.clone().filter(|_| is_name)
            }
            other => constant_text(*other),
        });
        let Some(setting) = setting.filter(|_| !named) else {
            self.refused.get_or_insert(Refused::SettingNotConstant);
            let mut effect = Effect::new(SqlAction::Configure, Resource::Connection);
            effect.setting = None;
            self.effect(effect);
            return;
        };
        let value = args.get(1).and_then(|arg| constant_text(*arg));
        self.setting(&setting, value.as_deref(), value.is_none());
    }

    /// The column is `pg_settings.name`.
    pub fn is_setting_name(&self, column: &ColumnRef) -> bool {
        self.world.catalog.relation(column.relation).is_some_and(|relation| {
            &*relation.schema == "pg_catalog"
                && &*relation.name == "pg_settings"
                && relation
                    .column(column.attnum)
                    .is_some_and(|column| &*column.name == "name")
        })
    }

    /// A setting is given a value. `computed`: the value is not a constant.
    pub fn setting(&mut self, name: &str, value: Option<&str>, computed: bool) {
        let folded: Arc<str> = Arc::from(settings::fold(name).as_ref());
        let class = settings::classify(name, value, &self.world.scope.timeouts);
        let action = match class {
            Class::SearchPath => {
                if computed {
                    self.refused.get_or_insert(Refused::SearchPath);
                }
                self.scope_changes = true;
                SqlAction::Set
            }
            Class::Role => {
                self.scope_changes = true;
                SqlAction::SetRole
            }
            Class::Pinned => {
                self.refused.get_or_insert(Refused::Pinned {
                    setting: folded.to_string(),
                });
                SqlAction::Configure
            }
            Class::Harmless if computed && settings::depends_on_value(name) => {
                if settings::is_pinned(name) {
                    self.refused.get_or_insert(Refused::Pinned {
                        setting: folded.to_string(),
                    });
                }
                SqlAction::Configure
            }
            Class::Harmless => SqlAction::Set,
            Class::Other => SqlAction::Configure,
        };
        let mut effect = Effect::new(action, Resource::Connection);
        effect.setting = Some(folded);
        effect.value = value.map(Arc::from);
        self.effect(effect);
    }

    /// `nextval`, `setval` on a sequence that is named by a constant.
    fn sequence(&mut self, call: &nodes::FuncCall) {
        let argument = call.args().iter().next();
        // A text is made a name where it is needed: `'s'::text`.
        self.late |= !matches!(argument, Some(Node::A_Const(_)));
        let text = argument.and_then(constant_text);
        let found = text
            .as_deref()
            .and_then(split_name)
            .inspect(|(_, name)| self.spells(name))
            .and_then(|(schema, name)| match schema {
                Some(schema) => self.world.catalog.relation_in(self.schema(&schema), &name).cloned(),
                None => self
                    .world
                    .catalog
                    .relation_along(&self.world.scope.search_path, &name)
                    .map(|(_, relation)| relation.clone()),
            });
        match found {
            Some(relation) => self.on_relation(SqlAction::Update, &relation),
            None => self.act(SqlAction::Update, Resource::Connection),
        }
    }

    /// An operator. `None`: the operand's type is not known; a left type of 0 is a prefix operator's.
    pub fn operator(&mut self, schema: Option<&str>, name: &str, left: Option<u32>, right: Option<u32>) {
        let catalog = self.world.catalog;
        let own = match schema {
            None | Some("pg_catalog") => catalog.has_builtin_operator(name),
            Some(_) => false,
        };
        // The grammar spells `!=` as `<>` itself.
        if own && schema.is_none() && self.pg_catalog_first() && exact(catalog, name, left, right) {
            return;
        }
        let candidates: Vec<_> = catalog
            .operators_named(name)
            .iter()
            .filter(|operator| match schema {
                Some(schema) => *operator.schema == *self.schema(schema),
                None => self.on_path(&operator.schema),
            })
            .filter(|operator| (left == Some(0)) == (operator.left == 0))
            .filter(|operator| {
                could_take(catalog, operator.left, left.unwrap_or(0))
                    && could_take(catalog, operator.right, right.unwrap_or(0))
            })
            .cloned()
            .collect();
        for operator in &candidates {
            self.call_oid(operator.function, CallKind::Operator);
        }
        if candidates.is_empty() && !own {
            self.not_found(format!("operator {name}"));
        }
    }

    /// Nothing of a user stands before the server's own names.
    pub fn pg_catalog_first(&self) -> bool {
        self.world
            .scope
            .search_path
            .first()
            .is_some_and(|first| first == "pg_catalog")
    }

    /// A temporary schema, of which the catalog knows nothing, is searched before the `index`th of the path.
    pub fn temp_before(&self, index: usize) -> bool {
        self.world.scope.temporary.is_some()
            && !self.world.catalog.has_temporary()
            && self
                .world
                .scope
                .search_path
                .iter()
                .take(index)
                .any(|schema| schema.starts_with("pg_temp"))
    }
}

/// The server has an operator for exactly these types, which then is the one that is meant.
fn exact(catalog: &Catalog, name: &str, left: Option<u32>, right: Option<u32>) -> bool {
    let (Some(left), Some(right)) = (left, right) else {
        return false;
    };
    // An untyped operand is first taken to have the other's type.
    let (left, right) = match (left, right) {
        (UNKNOWN, UNKNOWN) => return false,
        (UNKNOWN, right) => (right, right),
        (left, UNKNOWN) if left != 0 => (left, left),
        both => both,
    };
    if left == VARCHAR || right == VARCHAR {
        // varchar has no operators: those of text are taken, which is what is preferred for it in every case.
        let text = |ty| if ty == VARCHAR { TEXT } else { ty };
        return catalog.has_builtin_operator_of(name, text(left), text(right))
            && (left == 0 || Catalog::is_builtin_type(left))
            && Catalog::is_builtin_type(right)
            && catalog
                .operators_named(name)
                .iter()
                .all(|operator| operator.left != VARCHAR && operator.right != VARCHAR);
    }
    catalog.has_builtin_operator_of(name, left, right)
}

const TEXT: u32 = 25;
const VARCHAR: u32 = 1043;

/// A parameter of type `wanted` could be given a value of type `given` (0: not known).
fn could_take(catalog: &Catalog, wanted: u32, given: u32) -> bool {
    if given == 0 || given == UNKNOWN || wanted == given || Catalog::is_builtin_type(wanted) || wanted == 0 {
        return true;
    }
    match catalog.type_of_oid(wanted) {
        // A domain takes what its base takes.
        Some(ty) if ty.kind == TypeKind::Domain => true,
        Some(ty) if ty.kind == TypeKind::Pseudo => true,
        Some(_) => catalog.has_implicit_cast(given, wanted) || !Catalog::is_builtin_type(given),
        None => true,
    }
}

/// A constant's text: `'x'`, `'x'::text`, `1`, `true`.
pub(super) fn constant_text(node: Node<'_>) -> Option<String> {
    let mut node = node;
    loop {
        match node {
            Node::TypeCast(cast) => node = cast.arg(),
            Node::A_Const(constant) => {
                return match constant.val()? {
                    ConstValue::String(text) => Some(text.to_owned()),
                    ConstValue::Integer(number) => Some(number.to_string()),
                    ConstValue::Float(digits) => Some(digits.to_owned()),
                    ConstValue::Boolean(value) => Some(value.to_string()),
                    _ => None,
                };
            }
            _ => return None,
        }
    }
}

/// `schema.name` or `name`, as `regclass` reads it: folded unless quoted.
fn split_name(text: &str) -> Option<(Option<String>, String)> {
    let mut parts = Vec::new();
    let mut rest = text.trim();
    loop {
        let (part, after) = if let Some(quoted) = rest.strip_prefix('"') {
            let (part, after) = quoted.split_once('"')?;
            if after.starts_with('"') {
                return None;
            }
            (part.to_owned(), after)
        } else {
            let end = rest.find('.').unwrap_or(rest.len());
            let (part, after) = rest.split_at_checked(end)?;
            (part.to_lowercase(), after)
        };
        parts.push(part);
        match after.strip_prefix('.') {
            Some(next) => rest = next,
            None if after.is_empty() => break,
            None => return None,
        }
    }
    match parts.as_slice() {
        [name] => Some((None, name.clone())),
        [schema, name] => Some((Some(schema.clone()), name.clone())),
        _ => None,
    }
}
