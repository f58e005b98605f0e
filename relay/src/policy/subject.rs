//! Who asks about which connection: prepared once, then asked many times.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, Hash as _, Hasher as _, RandomState};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use cedar_policy::{Entities, Entity, EntityUid};
use hoop_shared::api::PrincipalKind;

use crate::authn::Identity;
use crate::config::Connection;

use super::answer::{Answer, Candidates};
use super::attribute::Values;
use super::effect::{Action, Resource};
use super::schema::{self, TYPES};

/// A principal as policies see it. Asking about one needs no login, and gives no permit.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Principal {
    /// Person or workload.
    pub kind: PrincipalKind,
    /// Its label.
    pub label: String,
    /// Its groups.
    pub groups: Vec<String>,
}

impl Principal {
    /// A person.
    pub fn user(label: impl Into<String>, groups: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self {
            kind: PrincipalKind::User,
            label: label.into(),
            groups: groups.into_iter().map(Into::into).collect(),
        }
    }

    /// Borrows it for asking.
    pub fn view(&self) -> Who<'_> {
        Who {
            kind: self.kind,
            label: &self.label,
            groups: &self.groups,
        }
    }
}

/// A principal, borrowed.
#[derive(Clone, Copy, Debug)]
pub struct Who<'a> {
    kind: PrincipalKind,
    label: &'a str,
    groups: &'a [String],
}

impl<'a> From<&'a Identity> for Who<'a> {
    fn from(identity: &'a Identity) -> Self {
        Self {
            kind: identity.kind(),
            label: identity.label(),
            groups: identity.groups(),
        }
    }
}

impl<'a> From<&'a Principal> for Who<'a> {
    fn from(principal: &'a Principal) -> Self {
        principal.view()
    }
}

impl<'a> Who<'a> {
    /// Its label.
    pub fn label(&self) -> &'a str {
        self.label
    }
}

/// The most subjects that are kept prepared.
const MOST_SUBJECTS: usize = 256;
/// How much memory one subject's kept answers and entities take, in bytes, about.
const SUBJECT_BYTES: usize = 256 << 10;
/// An answer with more than this is not kept: long statements come once.
const KEPT_BYTES: usize = 4 << 10;
/// What an entity costs, in bytes, about.
const ENTITY_BYTES: usize = 300;

/// A principal on a connection, with what was found out about it.
pub(super) struct Subject {
    kind: PrincipalKind,
    label: String,
    groups: Vec<String>,
    connection: String,
    tags: Vec<String>,
    pub(super) uid: EntityUid,
    pub(super) group_uids: Vec<EntityUid>,
    fixed: Vec<Entity>,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    candidates: HashMap<Action, Arc<Candidates>>,
    entities: HashMap<(Action, Resource), Arc<Entities>>,
    answers: HashMap<(Action, Resource, Values), Arc<Answer>>,
    bytes: usize,
}

impl Kept {
    /// Makes room; what is dropped is found out again.
    fn charge(&mut self, bytes: usize) {
        if self.bytes + bytes > SUBJECT_BYTES {
            self.entities.clear();
            self.answers.clear();
            self.bytes = 0;
        }
        self.bytes += bytes;
    }
}

impl Subject {
    pub(super) fn new(who: Who<'_>, connection: &Connection) -> Self {
        let uid = schema::principal_uid(who.kind, who.label);
        let group_uids: Vec<_> = who
            .groups
            .iter()
            .map(|group| schema::uid(&TYPES.group, group))
            .collect();
        let tag_uids: Vec<_> = connection.tags.iter().map(|tag| schema::uid(&TYPES.tag, tag)).collect();
        let mut fixed = vec![
            schema::entity(uid.clone(), group_uids.iter().cloned()),
            schema::entity(
                schema::uid(&TYPES.connection, &connection.name),
                tag_uids.iter().cloned(),
            ),
        ];
        let mut leaves: Vec<_> = group_uids.iter().chain(&tag_uids).cloned().collect();
        leaves.sort();
        leaves.dedup();
        fixed.extend(leaves.into_iter().map(|leaf| schema::entity(leaf, [])));
        Self {
            kind: who.kind,
            label: who.label.to_owned(),
            groups: who.groups.to_vec(),
            connection: connection.name.clone(),
            tags: connection.tags.clone(),
            uid,
            group_uids,
            fixed,
            kept: Mutex::default(),
        }
    }

    pub(super) fn connection(&self) -> &str {
        &self.connection
    }

    pub(super) fn tags(&self) -> &[String] {
        &self.tags
    }

    fn is(&self, who: Who<'_>, connection: &Connection) -> bool {
        self.kind == who.kind
            && self.label == who.label
            && self.groups == who.groups
            && self.connection == connection.name
            && self.tags == connection.tags
    }

    #[cfg(test)]
    pub(super) fn kept_bytes(&self) -> usize {
        self.kept().bytes
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, Kept> {
        // What a panic left behind is a map of whole entries.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The policies that an action of this subject can meet; `find` looks for them the first time.
    pub(super) fn candidates(&self, action: Action, find: impl FnOnce() -> Arc<Candidates>) -> Arc<Candidates> {
        if let Some(found) = self.kept().candidates.get(&action) {
            return Arc::clone(found);
        }
        let found = find();
        self.kept().candidates.insert(action, Arc::clone(&found));
        found
    }

    /// An answer that was found before.
    pub(super) fn known(&self, key: &(Action, Resource, Values)) -> Option<Arc<Answer>> {
        self.kept().answers.get(key).cloned()
    }

    /// Keeps an answer.
    pub(super) fn keep(&self, key: (Action, Resource, Values), answer: &Arc<Answer>) {
        let bytes = key.2.weight() + size_of::<Resource>() + size_of::<Answer>();
        if bytes <= KEPT_BYTES {
            let mut kept = self.kept();
            kept.charge(bytes);
            kept.answers.insert(key, Arc::clone(answer));
        }
    }

    /// Everything that Cedar must know to ask about an action on a resource.
    ///
    /// # Errors
    /// Cedar does not take the entities.
    pub(super) fn entities(
        &self,
        action: Action,
        resource: &Resource,
        actions: &[Entity],
    ) -> Result<Arc<Entities>, Box<cedar_policy::entities_errors::EntitiesError>> {
        let key = (action, resource.clone());
        if let Some(found) = self.kept().entities.get(&key) {
            return Ok(Arc::clone(found));
        }
        let all = self
            .fixed
            .iter()
            .chain(actions)
            .cloned()
            .chain(schema::lineage(resource, &self.connection));
        let entities = Arc::new(Entities::from_entities(all, None).map_err(Box::new)?);
        let bytes = entities.len() * ENTITY_BYTES;
        let mut kept = self.kept();
        if bytes < SUBJECT_BYTES / 8 {
            kept.charge(bytes);
            kept.entities.insert(key, Arc::clone(&entities));
        }
        Ok(entities)
    }
}

/// The subjects that were asked about.
#[derive(Default)]
pub(super) struct Subjects {
    hasher: RandomState,
    by_hash: RwLock<HashMap<u64, Vec<Arc<Subject>>>>,
}

impl Subjects {
    /// The subject, prepared.
    pub(super) fn get(&self, who: Who<'_>, connection: &Connection) -> Arc<Subject> {
        let hash = self.hash(who, connection);
        let find = |map: &HashMap<u64, Vec<Arc<Subject>>>| {
            map.get(&hash)
                .and_then(|same| same.iter().find(|subject| subject.is(who, connection)).cloned())
        };
        if let Some(found) = find(&self.by_hash.read().unwrap_or_else(PoisonError::into_inner)) {
            return found;
        }
        let made = Arc::new(Subject::new(who, connection));
        let mut map = self.by_hash.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = find(&map) {
            return found;
        }
        if map.values().map(Vec::len).sum::<usize>() >= MOST_SUBJECTS {
            map.clear();
        }
        map.entry(hash).or_default().push(Arc::clone(&made));
        made
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.by_hash
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .values()
            .map(Vec::len)
            .sum()
    }

    fn hash(&self, who: Who<'_>, connection: &Connection) -> u64 {
        let mut hasher = self.hasher.build_hasher();
        who.kind.hash(&mut hasher);
        who.label.hash(&mut hasher);
        who.groups.hash(&mut hasher);
        connection.name.hash(&mut hasher);
        connection.tags.hash(&mut hasher);
        hasher.finish()
    }
}
