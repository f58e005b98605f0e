//! The state of the queue: what waits, what is selected, what is being typed. Pure: keys and answers go in, actions come out.

use std::collections::{HashMap, HashSet};

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use hoop_shared::api::{Request, RequestStatus};
use hoop_shared::id::RequestId;
use time::OffsetDateTime;

use super::detail::{self, describe_with};
use super::layout::Layout;
use super::list::{Entry, Key, List};

/// Characters of a reason, filter or search.
const LONGEST_INPUT: usize = 500;
/// Requests that are kept whole: a statement may have megabytes.
const KEPT_WHOLE: usize = 8;
/// Rows of the list that PgUp and PgDn of the list's own keys move by.
const PAGE: usize = 10;

/// What is to be done outside.
#[derive(Debug, PartialEq, Eq)]
pub enum Action {
    /// Leave.
    Quit,
    /// Send a decision.
    Decide {
        /// About which request.
        id: RequestId,
        /// Approve or deny.
        approve: bool,
        /// Why.
        reason: Option<String>,
    },
}

/// What keys mean right now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mode {
    /// They move and choose.
    Browse,
    /// They write the filter.
    Filter,
    /// They write what is searched for in the details.
    Search,
    /// They write the reason of a decision.
    Reason {
        /// About which request.
        id: RequestId,
        /// Approve or deny.
        approve: bool,
        /// As typed so far.
        text: String,
    },
    /// Only `y` decides.
    Confirm {
        /// About which request.
        id: RequestId,
        /// Approve or deny.
        approve: bool,
        /// Why.
        reason: Option<String>,
    },
}

/// A request as the relay gave it whole, and what its principal asked for before.
#[derive(Clone, Debug)]
pub struct Whole {
    /// The request.
    pub request: Request,
    /// Earlier ones, as far as one may see them; `None` where the relay did not say.
    pub past: Option<Vec<Request>>,
}

/// The queue.
#[derive(Debug)]
pub struct Queue {
    list: List,
    whole: HashMap<RequestId, Whole>,
    /// The oldest first.
    kept: Vec<RequestId>,
    asked: HashSet<RequestId>,
    deciding: HashSet<RequestId>,
    selected: Option<Key>,
    mode: Mode,
    message: Option<String>,
    trouble: Option<String>,
    search: String,
    layout: Option<(usize, Layout)>,
    view: View,
}

/// Which part of the details is on the screen.
#[derive(Debug, Default)]
struct View {
    top: usize,
    height: usize,
    lines: usize,
    /// The last line that was on the screen, over all scrolling.
    seen: usize,
}

impl Queue {
    /// An empty queue for this principal, of at most `most` requests.
    pub fn new(me: String, most: usize) -> Self {
        Self {
            list: List::new(me, most),
            whole: HashMap::new(),
            kept: Vec::new(),
            asked: HashSet::new(),
            deciding: HashSet::new(),
            selected: None,
            mode: Mode::Browse,
            message: None,
            trouble: None,
            search: String::new(),
            layout: None,
            view: View::default(),
        }
    }

    /// The requests that wait.
    pub fn list(&self) -> &List {
        &self.list
    }

    /// The selected request, as far as the list has it.
    pub fn selected(&self) -> Option<&Entry> {
        self.list.get(self.selected.as_ref()?)
    }

    /// The place of the selected request among those that are shown.
    pub fn place(&self) -> Option<usize> {
        self.list.place(self.selected.as_ref()?)
    }

    /// The selected request, whole, with the newest decisions; `None` until the relay gave it.
    fn whole(&self) -> Option<Whole> {
        let listed = self.selected()?;
        let mut whole = self.whole.get(&listed.id)?.clone();
        whole.request.decisions.clone_from(&listed.decisions);
        Some(whole)
    }

    /// What keys mean right now.
    pub fn mode(&self) -> &Mode {
        &self.mode
    }

    /// What is searched for in the details.
    pub fn search(&self) -> &str {
        &self.search
    }

    /// What happened last.
    pub fn message(&self) -> Option<&str> {
        self.message.as_deref()
    }

    /// Why the list may be old.
    pub fn out_of_touch(&self) -> Option<&str> {
        self.trouble.as_deref()
    }

    /// Lines of the details that were not on the screen yet.
    pub fn unseen(&self) -> usize {
        self.view.lines.saturating_sub(self.view.seen)
    }

    /// The details of the selected request at this width, its first line as of now, and the first row to show; `None` until the relay
    /// gave it whole. Takes that `height` rows of it are shown.
    pub fn details(&mut self, width: usize, height: usize, now: OffsetDateTime) -> Option<(&Layout, String, usize)> {
        let Some(listed) = self.selected() else {
            self.viewed(0, height);
            return None;
        };
        let Some(head) = self
            .whole
            .get(&listed.id)
            .map(|whole| detail::head(&whole.request, now))
        else {
            self.viewed(0, height);
            return None;
        };
        if self.layout.as_ref().is_none_or(|(of, _)| *of != width) {
            let whole = self.whole()?;
            let lines = describe_with(&whole.request, whole.past.as_deref(), now);
            self.layout = Some((width, Layout::new(lines, width)));
        }
        let lines = self.layout.as_ref().map_or(0, |(_, layout)| layout.len());
        let top = self.viewed(lines, height);
        self.layout.as_ref().map(|(_, layout)| (layout, head, top))
    }

    /// Takes what the screen could show of the details: `lines` in all, `height` at a time. Gives the first line to show.
    fn viewed(&mut self, lines: usize, height: usize) -> usize {
        self.view.lines = lines;
        self.view.height = height;
        self.view.top = self.view.top.min(lines.saturating_sub(height));
        self.view.seen = self.view.seen.max((self.view.top + height).min(lines));
        self.view.top
    }

    /// The request that should be fetched whole, once.
    pub fn missing(&mut self) -> Option<RequestId> {
        let id = self.selected()?.id.clone();
        (!self.whole.contains_key(&id) && self.asked.insert(id.clone())).then_some(id)
    }

    /// Everything is listed anew.
    pub fn begin(&mut self) {
        self.list.begin();
    }

    /// What there is was listed.
    pub fn complete(&mut self) {
        let place = self.place();
        for id in self.list.complete() {
            self.gone(&id, "it was decided, withdrawn, or its time is over");
        }
        self.settle(place);
    }

    /// Takes requests as they are now; gives the keys of those that were not there before.
    pub fn take(&mut self, requests: Vec<Request>) -> Vec<Key> {
        self.trouble = None;
        let place = self.place();
        let selected = self.selected().map(|entry| (entry.id.clone(), entry.decisions.len()));
        let taken = self.list.take(requests);
        for (id, status) in &taken.ended {
            self.gone(id, &format!("it is {}", detail::word(*status)));
        }
        self.settle(place);
        if self.selected().map(|entry| (entry.id.clone(), entry.decisions.len())) != selected {
            self.layout = None;
        }
        taken.arrived
    }

    /// Forgets one that waits no longer; whoever was deciding about it is told.
    fn gone(&mut self, id: &RequestId, why: &str) {
        self.whole.remove(id);
        self.kept.retain(|kept| kept != id);
        self.asked.remove(id);
        if let Mode::Reason { id: about, .. } | Mode::Confirm { id: about, .. } = &self.mode
            && about == id
        {
            self.message = Some(format!("{id} no longer waits: {why}"));
            self.mode = Mode::Browse;
        }
    }

    /// Takes a request that was fetched whole, or why it could not be.
    pub fn fetched(&mut self, id: &RequestId, fetched: Result<Whole, String>) {
        self.asked.remove(id);
        match fetched {
            Err(problem) => self.trouble = Some(problem),
            Ok(_) if self.list.key_of(id).is_none() => {}
            Ok(whole) => {
                self.whole.insert(id.clone(), whole);
                self.kept.push(id.clone());
                self.forget_all_but_the_newest();
                self.layout = None;
            }
        }
    }

    /// Only what was looked at last is kept whole, and what is being decided about.
    fn forget_all_but_the_newest(&mut self) {
        while self.kept.len() > KEPT_WHOLE {
            let needed = |id: &RequestId| match &self.mode {
                Mode::Reason { id: about, .. } | Mode::Confirm { id: about, .. } => about == id,
                _ => self.selected.as_ref().is_some_and(|(_, selected)| selected == id),
            };
            let Some(place) = self.kept.iter().position(|id| !needed(id)) else {
                return;
            };
            let id = self.kept.remove(place);
            self.whole.remove(&id);
        }
    }

    /// Takes how a decision went.
    pub fn decided(&mut self, id: &RequestId, approve: bool, decided: Result<Request, String>) {
        self.deciding.remove(id);
        self.message = Some(match decided {
            Err(problem) => format!("{id} is not decided: {problem}"),
            Ok(request) if !approve => format!("denied {}", request.id),
            Ok(request) if request.status == RequestStatus::Pending => {
                self.list.decided(&request.id, &request.decisions);
                self.layout = None;
                format!("approved {}; it waits for others too", request.id)
            }
            Ok(request) => format!("approved {}", request.id),
        });
    }

    /// Takes why the relay could not be asked.
    pub fn trouble(&mut self, problem: &str) {
        self.trouble = Some(problem.to_owned());
    }

    /// Takes that the relay answers again.
    pub fn in_touch(&mut self) {
        self.trouble = None;
    }

    /// Takes a key.
    pub fn key(&mut self, key: KeyEvent) -> Option<Action> {
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        if control && key.code == KeyCode::Char('c') {
            return Some(Action::Quit);
        }
        match std::mem::replace(&mut self.mode, Mode::Browse) {
            Mode::Browse => self.browse(key.code, control),
            Mode::Filter => {
                self.write_filter(key.code, control);
                None
            }
            Mode::Search => {
                self.write_search(key.code, control);
                None
            }
            Mode::Reason { id, approve, text } => {
                self.mode = self.write_reason(key.code, control, id, approve, text);
                None
            }
            Mode::Confirm { id, approve, reason } => {
                if key.code == KeyCode::Char('y') && !control {
                    self.deciding.insert(id.clone());
                    self.message = Some(format!("deciding {id}…"));
                    return Some(Action::Decide { id, approve, reason });
                }
                self.message = Some(format!("{id} is left as it is"));
                None
            }
        }
    }

    fn browse(&mut self, code: KeyCode, control: bool) -> Option<Action> {
        let page = self.view.height.saturating_sub(1).max(1);
        match code {
            KeyCode::Char('q') => return Some(Action::Quit),
            KeyCode::Char('j') | KeyCode::Down => self.step(1, true),
            KeyCode::Char('k') | KeyCode::Up => self.step(1, false),
            KeyCode::Char('J') => self.step(PAGE, true),
            KeyCode::Char('K') => self.step(PAGE, false),
            KeyCode::Home => self.step(usize::MAX, false),
            KeyCode::End => self.step(usize::MAX, true),
            KeyCode::Char(' ') | KeyCode::PageDown => self.scroll(page, true),
            KeyCode::Char('b') | KeyCode::PageUp => self.scroll(page, false),
            KeyCode::Char('g') => self.scroll(usize::MAX, false),
            KeyCode::Char('G') => self.scroll(usize::MAX, true),
            KeyCode::Char('d') if control => self.scroll(page / 2, true),
            KeyCode::Char('u') if control => self.scroll(page / 2, false),
            KeyCode::Char('/') => self.mode = Mode::Filter,
            KeyCode::Char('s') => {
                self.search.clear();
                self.mode = Mode::Search;
            }
            KeyCode::Char('n') => self.jump(true),
            KeyCode::Char('N') => self.jump(false),
            KeyCode::Esc => {
                self.message = None;
                self.search.clear();
                self.filter(String::new());
            }
            KeyCode::Char('a') => self.begin_decision(true),
            KeyCode::Char('d') => self.begin_decision(false),
            _ => {}
        }
        None
    }

    /// Begins a decision about the selected request.
    fn begin_decision(&mut self, approve: bool) {
        self.message = None;
        let Some(entry) = self.selected() else { return };
        let id = entry.id.clone();
        if self.deciding.contains(&id) {
            self.message = Some(format!("{id} is being decided"));
        } else if !self.whole.contains_key(&id) {
            self.message = Some(format!("{id} is still being loaded"));
        } else if approve && self.list.is_approved_by_me(entry) {
            self.message = Some(format!("you have approved {id}; it waits for others"));
        } else {
            let text = String::new();
            self.mode = Mode::Reason { id, approve, text };
        }
    }

    fn filter(&mut self, filter: String) {
        let place = self.place();
        self.list.set_filter(filter);
        self.settle(place);
    }

    fn write_filter(&mut self, code: KeyCode, control: bool) {
        let mut filter = self.list.filter().to_owned();
        match code {
            KeyCode::Enter => return,
            KeyCode::Esc => return self.filter(String::new()),
            _ => write(&mut filter, code, control),
        }
        self.mode = Mode::Filter;
        self.filter(filter);
    }

    fn write_search(&mut self, code: KeyCode, control: bool) {
        match code {
            KeyCode::Enter => return self.jump(true),
            KeyCode::Esc => return self.search.clear(),
            _ => write(&mut self.search, code, control),
        }
        self.mode = Mode::Search;
    }

    /// Shows the next row of the details that has what is searched for, or the one before.
    fn jump(&mut self, forward: bool) {
        let found = match &self.layout {
            Some((_, layout)) => layout.find(&self.search),
            None => Vec::new(),
        };
        let top = self.view.top;
        let next = if forward {
            found.iter().find(|row| **row > top).or(found.first())
        } else {
            found.iter().rev().find(|row| **row < top).or(found.last())
        };
        match next {
            Some(row) => {
                let last = self.view.lines.saturating_sub(self.view.height);
                self.view.top = (*row).min(last);
                self.message = None;
            }
            None if self.search.is_empty() => self.message = Some("search with s first".to_owned()),
            None => self.message = Some("it is not in this request".to_owned()),
        }
    }

    fn write_reason(&mut self, code: KeyCode, control: bool, id: RequestId, approve: bool, mut text: String) -> Mode {
        match code {
            KeyCode::Esc => {
                self.message = Some(format!("{id} is left as it is"));
                return Mode::Browse;
            }
            KeyCode::Enter => {
                let reason = Some(text.trim().to_owned()).filter(|reason| !reason.is_empty());
                if !approve && reason.is_none() {
                    self.message = Some("a denial needs a reason: who asked is told".to_owned());
                } else {
                    self.message = None;
                    return Mode::Confirm { id, approve, reason };
                }
            }
            _ => write(&mut text, code, control),
        }
        Mode::Reason { id, approve, text }
    }

    fn step(&mut self, by: usize, down: bool) {
        self.message = None;
        let place = self.place().unwrap_or(0);
        let next = if down {
            place.saturating_add(by).min(self.list.len().saturating_sub(1))
        } else {
            place.saturating_sub(by)
        };
        self.select(self.list.at(next).cloned());
    }

    fn scroll(&mut self, by: usize, down: bool) {
        let last = self.view.lines.saturating_sub(self.view.height);
        self.view.top = if down {
            self.view.top.saturating_add(by).min(last)
        } else {
            self.view.top.saturating_sub(by)
        };
    }

    /// Keeps the selection where it is still shown, else takes what stands at its place.
    fn settle(&mut self, place: Option<usize>) {
        if self.place().is_some() {
            return;
        }
        let place = place.unwrap_or(0).min(self.list.len().saturating_sub(1));
        self.select(self.list.at(place).cloned());
    }

    fn select(&mut self, key: Option<Key>) {
        if self.selected != key {
            self.selected = key;
            self.view = View::default();
            self.layout = None;
        }
    }
}

/// Edits a line of input.
fn write(text: &mut String, code: KeyCode, control: bool) {
    match code {
        KeyCode::Backspace => drop(text.pop()),
        KeyCode::Char('u') if control => text.clear(),
        KeyCode::Char(c) if !control && text.chars().count() < LONGEST_INPUT => text.push(c),
        _ => {}
    }
}

#[cfg(test)]
mod tests;
