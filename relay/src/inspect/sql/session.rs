//! Statements about the session: settings, signals, locks.

use pg_raw_parse::raw::{DiscardMode, VariableSetKind};
use pg_raw_parse::{Node, nodes};

use super::call::constant_text;
use super::reader::Reader;
use super::statement::Outcome;
use super::{Kind, Lineage, Origin};
use crate::policy::{Effect, Resource, SqlAction};

/// `AccessShareLock` of the server's `storage/lockdefs.h`.
const ACCESS_SHARE: i32 = 1;

impl Reader<'_> {
    /// A statement of this family, or `None`.
    pub fn session(&mut self, node: Node<'_>) -> Option<Outcome> {
        match node {
            Node::VariableSetStmt(set) => {
                self.variable_set(set);
                let kind = if set.kind == VariableSetKind::VAR_RESET_ALL {
                    Kind::SearchPath
                } else {
                    Kind::Plain
                };
                return Some(Outcome { kind, lineage: None });
            }
            Node::VariableShowStmt(show) => {
                let name = show.name().unwrap_or_default();
                let mut effect = Effect::new(SqlAction::Show, Resource::Connection);
                effect.setting = Some(super::settings::fold(name).as_ref().into());
                self.effect(effect);
                let columns = if name.eq_ignore_ascii_case("all") { 3 } else { 1 };
                return Some(Outcome {
                    kind: Kind::Plain,
                    lineage: Some(Lineage::Columns(vec![Origin::default(); columns])),
                });
            }
            Node::DiscardStmt(discard) => {
                self.act(SqlAction::Set, Resource::Connection);
                return Some(Outcome {
                    kind: Kind::Discard {
                        all: discard.target == DiscardMode::DISCARD_ALL,
                    },
                    lineage: None,
                });
            }
            Node::ListenStmt(_) | Node::UnlistenStmt(_) => self.act(SqlAction::Listen, Resource::Connection),
            Node::NotifyStmt(_) => self.act(SqlAction::Notify, Resource::Connection),
            Node::ConstraintsSetStmt(_) => self.act(SqlAction::Transaction, Resource::Connection),
            Node::LockStmt(lock) => {
                for item in lock.relations() {
                    let Node::RangeVar(range) = item else {
                        self.unknown();
                        continue;
                    };
                    // The lock that every SELECT takes, which pg_dump asks for by name, is no more than reading.
                    let action = if lock.mode == ACCESS_SHARE {
                        SqlAction::Select
                    } else {
                        SqlAction::Lock
                    };
                    if let Some(relation) = self.object_of(action, range) {
                        self.on_relation(action, &relation);
                        if action == SqlAction::Lock {
                            // Who comes to it now would wait at the server, and keep this session from changing it.
                            self.touched.locked.push(relation.name.clone());
                        }
                    }
                }
            }
            _ => return None,
        }
        Some(Outcome::plain())
    }

    fn variable_set(&mut self, set: &nodes::VariableSetStmt) {
        let name = set.name().unwrap_or_default();
        match set.kind {
            VariableSetKind::VAR_SET_VALUE => {
                let value = list_value(set.args());
                let computed = value.is_none();
                self.setting(name, value.as_deref(), computed);
            }
            VariableSetKind::VAR_SET_DEFAULT | VariableSetKind::VAR_RESET => self.resets(name),
            VariableSetKind::VAR_RESET_ALL => {
                self.scope_changes = true;
                self.act(SqlAction::Set, Resource::Connection);
            }
            VariableSetKind::VAR_SET_MULTI => match name {
                "TRANSACTION" | "SESSION CHARACTERISTICS" => self.act(SqlAction::Transaction, Resource::Connection),
                // The snapshot of another transaction, which exported it.
                "TRANSACTION SNAPSHOT" => self.act(SqlAction::Transaction, Resource::Connection),
                _ => self.unknown(),
            },
            _ => self.unknown(),
        }
    }

    /// Back to the session's own value, which is the pinned one where there is a pin.
    fn resets(&mut self, name: &str) {
        use super::settings::{Class, classify, fold};
        let action = match classify(name, None, &self.world.scope.timeouts) {
            Class::Harmless | Class::Pinned => SqlAction::Set,
            // Back to the relay's own role and path.
            Class::SearchPath | Class::Role => {
                self.scope_changes = true;
                SqlAction::Set
            }
            Class::Other => SqlAction::Configure,
        };
        let mut effect = Effect::new(action, Resource::Connection);
        effect.setting = Some(fold(name).as_ref().into());
        self.effect(effect);
    }

    /// `ALTER ROLE | DATABASE | SYSTEM | FUNCTION … SET`: a pin cannot be set there either.
    pub fn stored_setting(&mut self, set: Option<&nodes::VariableSetStmt>) {
        let Some(set) = set else { return };
        let name = set.name().unwrap_or_default();
        let value = list_value(set.args());
        let mut effect = Effect::new(SqlAction::Configure, Resource::Connection);
        effect.setting = Some(super::settings::fold(name).as_ref().into());
        effect.value = value.as_deref().map(Into::into);
        self.effect(effect);
        if set.kind == VariableSetKind::VAR_SET_VALUE && super::settings::is_pinned(name) {
            let allowed = value.as_deref().is_some_and(|value| {
                super::settings::classify(name, Some(value), &[]) == super::settings::Class::Harmless
            });
            if !allowed {
                self.refused.get_or_insert(super::Refused::Pinned {
                    setting: super::settings::fold(name).into_owned(),
                });
            }
        }
    }
}

/// The value of a SET, as the server joins it; `None` where a part is not a constant.
fn list_value(args: &pg_raw_parse::list::NodeList) -> Option<String> {
    let parts: Vec<String> = args.iter().map(constant_text).collect::<Option<_>>()?;
    Some(parts.join(", "))
}
