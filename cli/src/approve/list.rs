//! The requests that wait, as far as a line and a filter need them, the oldest first. Bounded: past the limit, new ones are only counted as
//! "more".

use std::collections::{BTreeMap, HashMap, HashSet};

use hoop_shared::api::{DecisionShown, Request, RequestStatus};
use hoop_shared::id::RequestId;
use time::OffsetDateTime;

/// Characters of a statement that are kept and filtered by: as many as the relay's brief lists have.
const KEPT: usize = 1_000;

/// The order of the list.
pub type Key = (OffsetDateTime, RequestId);

/// One request that waits for the decision of others than who asks.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Its id.
    pub id: RequestId,
    /// Its number, for who cannot see a list: given once, never to another one.
    pub number: usize,
    /// Who asks.
    pub principal: String,
    /// The connection.
    pub connection: String,
    /// The beginning of the statement.
    pub statement: String,
    /// Who decided what so far.
    pub decisions: Vec<DecisionShown>,
    /// When it was made.
    pub created: OffsetDateTime,
    /// When it ends by itself.
    pub expires: OffsetDateTime,
    /// Everything a filter looks at, in lower case.
    hay: String,
    generation: u32,
}

/// What a batch of requests brought.
#[derive(Debug, Default)]
pub struct Taken {
    /// Those that were not there before.
    pub arrived: Vec<Key>,
    /// Those that wait no longer, and where they stand now.
    pub ended: Vec<(RequestId, RequestStatus)>,
}

/// The list.
#[derive(Debug)]
pub struct List {
    me: String,
    most: usize,
    entries: BTreeMap<Key, Entry>,
    places: HashMap<RequestId, OffsetDateTime>,
    own: HashSet<RequestId>,
    numbered: usize,
    generation: u32,
    loading: bool,
    cut: bool,
    filter: String,
    shown: Vec<Key>,
}

impl List {
    /// An empty list for this principal, of at most `most` requests.
    pub fn new(me: String, most: usize) -> Self {
        Self {
            me,
            most,
            entries: BTreeMap::new(),
            places: HashMap::new(),
            own: HashSet::new(),
            numbered: 0,
            generation: 0,
            loading: true,
            cut: false,
            filter: String::new(),
            shown: Vec::new(),
        }
    }

    /// Everything is listed anew: what is not among it by [`List::complete`] is gone.
    pub fn begin(&mut self) {
        self.generation = self.generation.wrapping_add(1);
        self.loading = true;
        self.cut = false;
        self.own.clear();
    }

    /// What there is was listed; gives those that were not among it.
    pub fn complete(&mut self) -> Vec<RequestId> {
        self.loading = false;
        let current = self.generation;
        let gone: Vec<Key> = self
            .entries
            .iter()
            .filter(|(_, entry)| entry.generation != current)
            .map(|(key, _)| key.clone())
            .collect();
        for (_, id) in &gone {
            self.remove(id);
        }
        self.refilter();
        gone.into_iter().map(|(_, id)| id).collect()
    }

    /// Takes requests as they are now.
    pub fn take(&mut self, requests: Vec<Request>) -> Taken {
        let mut taken = Taken::default();
        for request in requests {
            let pending = request.status == RequestStatus::Pending;
            if request.principal == self.me {
                if pending && self.own.len() < self.most {
                    self.own.insert(request.id);
                } else {
                    self.own.remove(&request.id);
                }
            } else if !pending {
                if self.remove(&request.id) {
                    taken.ended.push((request.id, request.status));
                }
            } else if let Some(key) = self.put(request) {
                taken.arrived.push(key);
            }
        }
        self.refilter();
        taken
    }

    /// Puts a pending request in its place; gives the key of a new one.
    fn put(&mut self, request: Request) -> Option<Key> {
        let key = (request.created, request.id.clone());
        let known = self.entries.get(&key).map(|entry| entry.number);
        if known.is_none() && self.entries.len() >= self.most {
            self.cut = true;
            return None;
        }
        let number = known.unwrap_or_else(|| {
            self.numbered += 1;
            self.numbered
        });
        self.places.insert(request.id.clone(), request.created);
        self.entries
            .insert(key.clone(), Entry::new(request, number, self.generation));
        known.is_none().then_some(key)
    }

    fn remove(&mut self, id: &RequestId) -> bool {
        let Some(created) = self.places.remove(id) else {
            return false;
        };
        self.entries.remove(&(created, id.clone())).is_some()
    }

    /// The filter.
    pub fn filter(&self) -> &str {
        &self.filter
    }

    /// Replaces the filter: only requests that have all of its words are shown.
    pub fn set_filter(&mut self, filter: String) {
        self.filter = filter;
        self.refilter();
    }

    fn refilter(&mut self) {
        let filter = self.filter.to_lowercase();
        let words: Vec<&str> = filter.split_whitespace().collect();
        self.shown = self
            .entries
            .iter()
            .filter(|(_, entry)| words.iter().all(|word| entry.fits(word)))
            .map(|(key, _)| key.clone())
            .collect();
    }

    /// How many the filter leaves.
    pub fn len(&self) -> usize {
        self.shown.len()
    }

    /// The requests that the filter leaves, from a place on.
    pub fn from(&self, place: usize) -> impl Iterator<Item = &Entry> {
        let rest = self.shown.get(place..).unwrap_or_default();
        rest.iter().filter_map(|key| self.entries.get(key))
    }

    /// The key at a place among those that the filter leaves.
    pub fn at(&self, place: usize) -> Option<&Key> {
        self.shown.get(place)
    }

    /// The place of a request among those that the filter leaves.
    pub fn place(&self, key: &Key) -> Option<usize> {
        self.shown.binary_search(key).ok()
    }

    /// A request that waits.
    pub fn get(&self, key: &Key) -> Option<&Entry> {
        self.entries.get(key)
    }

    /// The key of a request that waits.
    pub fn key_of(&self, id: &RequestId) -> Option<Key> {
        self.places.get(id).map(|created| (*created, id.clone()))
    }

    /// The request that has a number.
    pub fn numbered(&self, number: usize) -> Option<&Entry> {
        self.entries.values().find(|entry| entry.number == number)
    }

    /// Takes what was decided about one that still waits.
    pub fn decided(&mut self, id: &RequestId, decisions: &[DecisionShown]) {
        if let Some(entry) = self.key_of(id).and_then(|key| self.entries.get_mut(&key)) {
            entry.decisions = decisions.to_vec();
        }
    }

    /// I have approved this one already; it waits for others.
    pub fn is_approved_by_me(&self, entry: &Entry) -> bool {
        entry
            .decisions
            .iter()
            .any(|decision| decision.approve && decision.by == self.me)
    }

    /// How many wait in all, how many of one's own wait for others.
    pub fn totals(&self) -> (usize, usize) {
        (self.entries.len(), self.own.len())
    }

    /// There are more than are kept.
    pub fn is_cut(&self) -> bool {
        self.cut
    }

    /// Not all that there is was listed yet.
    pub fn is_loading(&self) -> bool {
        self.loading
    }
}

impl Entry {
    fn new(request: Request, number: usize, generation: u32) -> Self {
        let statement: String = request.statement.chars().take(KEPT).collect();
        let reason = request.reason.as_deref().unwrap_or_default();
        let hay = [
            request.id.as_str(),
            &format!("who:{}", request.principal),
            &format!("on:{}", request.connection),
            &request.groups.join(" "),
            &request.rules.join(" "),
            reason,
            &statement,
        ]
        .join("\n")
        .to_lowercase();
        Self {
            id: request.id,
            number,
            principal: request.principal,
            connection: request.connection,
            statement,
            decisions: request.decisions,
            created: request.created,
            expires: request.expires,
            hay,
            generation,
        }
    }

    /// Whether a word of a filter is in it. `who:NAME` and `on:CONNECTION` look at the beginning of these alone.
    fn fits(&self, word: &str) -> bool {
        self.hay.contains(word)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::approve::detail::samples::request;
    use std::time::{Duration, Instant};

    fn ids(list: &List) -> Vec<String> {
        list.from(0).map(|entry| entry.id.to_string()).collect()
    }

    fn with_status(number: u8, status: RequestStatus) -> Request {
        Request {
            status,
            ..request(number, "agent", "select 1")
        }
    }

    #[test]
    fn changes_come_and_go_in_their_places() {
        let mut list = List::new("bo".to_owned(), 10);
        let taken = list.take(vec![
            request(3, "agent", "c"),
            request(1, "agent", "a"),
            request(2, "bo", "own"),
        ]);
        assert_eq!(taken.arrived.len(), 2);
        assert_eq!((list.len(), list.totals()), (2, (2, 1)));
        assert_eq!(ids(&list), ["r-000000000001", "r-000000000003"]);
        let taken = list.take(vec![
            with_status(1, RequestStatus::Denied),
            with_status(9, RequestStatus::Spent),
        ]);
        assert_eq!(taken.ended.len(), 1, "one that never waited here is no news");
        assert_eq!(ids(&list), ["r-000000000003"]);
        let taken = list.take(vec![request(3, "agent", "c")]);
        assert!(taken.arrived.is_empty(), "known");
        let mut own = request(2, "bo", "own");
        own.status = RequestStatus::Approved;
        list.take(vec![own]);
        assert_eq!(list.totals(), (1, 0));
    }

    #[test]
    fn what_is_not_listed_anew_is_gone() {
        let mut list = List::new("bo".to_owned(), 10);
        list.take(vec![request(1, "agent", "a"), request(2, "agent", "b")]);
        list.begin();
        assert!(list.is_loading());
        list.take(vec![request(2, "agent", "b"), request(3, "agent", "c")]);
        assert_eq!(list.len(), 3, "nothing goes before all is known");
        assert_eq!(list.complete(), [request(1, "", "").id]);
        assert_eq!(ids(&list), ["r-000000000002", "r-000000000003"]);
    }

    #[test]
    fn a_number_is_never_given_twice() {
        let mut list = List::new("bo".to_owned(), 10);
        list.take(vec![request(1, "agent", "a"), request(2, "agent", "b")]);
        list.take(vec![with_status(2, RequestStatus::Denied)]);
        list.take(vec![request(3, "agent", "c")]);
        assert_eq!(
            list.numbered(1).map(|entry| entry.id.to_string()).as_deref(),
            Some("r-000000000001")
        );
        assert!(list.numbered(2).is_none());
        assert_eq!(
            list.numbered(3).map(|entry| entry.id.to_string()).as_deref(),
            Some("r-000000000003")
        );
    }

    #[test]
    fn every_word_of_a_filter_must_be_there() {
        let mut list = List::new("bo".to_owned(), 10);
        list.take(vec![
            request(1, "agent", "DELETE FROM orders"),
            request(2, "ana", "update orders"),
            request(3, "ana", "update agents"),
        ]);
        for (filter, left) in [
            ("ORDERS", 2),
            ("who:ana", 2),
            ("who:ana orders", 1),
            ("on:db-", 3),
            ("agent", 3),
            ("x", 0),
        ] {
            list.set_filter(filter.to_owned());
            assert_eq!(list.len(), left, "{filter}");
        }
    }

    #[test]
    fn it_has_a_limit_and_says_so() {
        let mut list = List::new("bo".to_owned(), 2);
        list.take((1..=3).map(|number| request(number, "agent", "a")).collect());
        assert_eq!((list.len(), list.is_cut()), (2, true));
    }

    #[test]
    fn ten_thousand_are_kept_short_and_filtered_at_once() {
        let mut list = List::new("bo".to_owned(), 20_000);
        let many = |from: u32| {
            (from..from + 500)
                .map(|number| {
                    let mut one = request(1, "agent", &format!("select {number} {}", "x".repeat(10_000)));
                    one.id = format!("r-{number:012}")
                        .parse()
                        .unwrap_or_else(|error| unreachable!("{error}"));
                    one
                })
                .collect::<Vec<_>>()
        };
        for page in 0..20 {
            list.take(many(page * 500));
        }
        assert_eq!(list.len(), 10_000);
        let bytes: usize = list
            .entries
            .values()
            .map(|entry| entry.hay.len() + entry.statement.len())
            .sum();
        assert!(bytes < 30 << 20, "{bytes}");
        let started = Instant::now();
        list.set_filter("select 9999".to_owned());
        assert_eq!(list.len(), 1);
        assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
    }
}
