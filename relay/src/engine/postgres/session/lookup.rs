//! What a name will mean when a message reaches the server: what it has, and what outstanding messages make and drop.

use std::rc::Rc;

use super::Conversation;
use super::expect::Expect;
use super::judge::Judge;
use super::names::{Portal, Prepared};

/// Where a statement of a name is.
pub(super) enum Found {
    Here(Rc<Prepared>),
    Absent,
    /// Outstanding answers decide.
    Outstanding,
}

impl<J: Judge> Conversation<J> {
    /// The statement that a Bind of this name will meet.
    pub(super) fn find_statement(&self, name: &str) -> Found {
        if let Some(kept) = self.kept_back.as_ref().filter(|kept| &*kept.name == name) {
            return Found::Here(kept.statement.clone());
        }
        let mut same_batch = true;
        for expect in self.expected.iter().rev() {
            match expect {
                Expect::Parse {
                    name: made, statement, ..
                } if **made == *name => {
                    // In an earlier batch it may fail, and leave the name what it was.
                    return if same_batch {
                        Found::Here(statement.clone())
                    } else {
                        Found::Outstanding
                    };
                }
                Expect::CloseStatement(closed) if **closed == *name => {
                    return if same_batch { Found::Absent } else { Found::Outstanding };
                }
                Expect::Query(_) if name.is_empty() => return Found::Outstanding,
                Expect::Query(run) if run.rest().iter().any(|step| step.changes_statements()) => {
                    return Found::Outstanding;
                }
                Expect::Execute { run, .. } if run.rest().iter().any(|step| step.changes_statements()) => {
                    return Found::Outstanding;
                }
                Expect::Sync { .. } | Expect::Query(_) => same_batch = false,
                _ => {}
            }
        }
        self.names
            .statements
            .get(name)
            .cloned()
            .map_or(Found::Absent, Found::Here)
    }

    /// The statement of a name, where it is certain.
    pub(super) fn statement_now(&self, name: &str) -> Option<Rc<Prepared>> {
        match self.find_statement(name) {
            Found::Here(statement) => Some(statement),
            Found::Absent | Found::Outstanding => None,
        }
    }

    /// The portal that an Execute of this name will meet; `None` where there is none, or outstanding answers decide.
    pub(super) fn find_portal(&self, name: &str) -> Option<Rc<Portal>> {
        let mut same_batch = true;
        for expect in self.expected.iter().rev() {
            match expect {
                Expect::Bind { portal } if *portal.name == *name => return same_batch.then(|| portal.clone()),
                Expect::ClosePortal(closed) if **closed == *name => return None,
                Expect::Query(run) | Expect::Execute { run, .. }
                    if run.rest().iter().any(|step| step.changes_portals()) =>
                {
                    return None;
                }
                Expect::Sync { .. } | Expect::Query(_) => same_batch = false,
                _ => {}
            }
        }
        self.names.portals.get(name).cloned()
    }
}
