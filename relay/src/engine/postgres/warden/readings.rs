//! What texts mean, kept until names may mean something else.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::rc::Rc;

use crate::engine::postgres::session::Known;
use crate::inspect::sql::{Pattern, Reading};

/// The most texts whose reading is kept, and the most patterns.
const KEPT: usize = 512;
/// How many texts are remembered as seen, 8 bytes each.
const SEEN: usize = 256;
/// The most readings of one text.
const KEPT_TYPES: usize = 8;
/// The longest of them, in bytes.
const KEPT_TEXT: usize = 16 << 10;

/// The readings of one text: under the types of its parameters.
type OfText = Vec<(Box<[u32]>, Rc<Known>)>;

/// Readings under the same names.
#[derive(Debug, Default)]
pub(super) struct Readings {
    texts: HashMap<Box<str>, OfText>,
    /// Those that hold for every text of a pattern.
    patterns: HashMap<Pattern, Rc<Known>>,
    seen: Seen,
}

impl Readings {
    /// Names may mean something else.
    pub(super) fn clear(&mut self) {
        self.texts.clear();
        self.patterns.clear();
    }

    /// The reading of a text whose parameters have these types; `read` reads it where it is not known.
    pub(super) fn of(&mut self, text: &str, types: &[u32], read: impl FnOnce() -> Reading) -> Rc<Known> {
        if text.len() > KEPT_TEXT {
            return Known::new(read());
        }
        let pattern = Pattern::of(text).filter(|_| types.is_empty());
        if let Some(known) = pattern.as_ref().and_then(|pattern| self.patterns.get(pattern)) {
            debug_assert!(***known == read(), "{text} is not what its pattern is");
            return known.clone();
        }
        let mut known = self.texts.get(text).into_iter().flatten();
        if let Some((_, known)) = known.find(|(of, _)| **of == *types) {
            return known.clone();
        }
        let known = Known::new(read());
        if let Some(pattern) = pattern.filter(|_| known.is_of_pattern()) {
            if self.patterns.len() >= KEPT {
                self.patterns.clear();
            }
            self.patterns.insert(pattern, known.clone());
        } else if self.seen.again(text) {
            if self.texts.len() >= KEPT {
                self.texts.clear();
            }
            let under = self.texts.entry(Box::from(text)).or_default();
            if under.len() >= KEPT_TYPES {
                under.clear();
            }
            under.push((Box::from(types), known.clone()));
        }
        known
    }
}

/// Which texts came before, by their hashes. Most texts with their values in them come once: keeping what they mean would only
/// drive what is worth keeping out of the processor's cache.
#[derive(Debug)]
struct Seen {
    hasher: RandomState,
    /// The last hash of each remainder: what it forgets costs one more reading.
    last: Box<[u64]>,
}

impl Default for Seen {
    fn default() -> Self {
        Self {
            hasher: RandomState::new(),
            last: vec![0; SEEN].into(),
        }
    }
}

impl Seen {
    /// Whether a text came before, as far as is remembered; from here on it did.
    fn again(&mut self, text: &str) -> bool {
        let hash = self.hasher.hash_one(text);
        let place = usize::try_from(hash % SEEN as u64).unwrap_or_default();
        let last = self.last.get_mut(place);
        last.is_some_and(|last| std::mem::replace(last, hash) == hash)
    }
}
