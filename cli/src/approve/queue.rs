//! The state of the queue: what waits, what is selected, what is being typed. Pure: keys and answers go in, actions come out.

use std::collections::{HashMap, HashSet};

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use hoop_shared::api::{Request, RequestStatus};
use hoop_shared::id::RequestId;

/// Characters of a reason or filter.
const LONGEST_INPUT: usize = 500;

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

/// The queue.
#[derive(Debug)]
pub struct Queue {
    me: String,
    most: usize,
    waiting: Vec<Request>,
    own: usize,
    cut: bool,
    whole: HashMap<RequestId, Request>,
    asked: HashSet<RequestId>,
    deciding: HashSet<RequestId>,
    selected: Option<RequestId>,
    filter: String,
    mode: Mode,
    message: Option<String>,
    trouble: Option<String>,
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
    /// An empty queue for this principal; the relay is asked for at most `most` requests.
    pub fn new(me: String, most: usize) -> Self {
        Self {
            me,
            most,
            waiting: Vec::new(),
            own: 0,
            cut: false,
            whole: HashMap::new(),
            asked: HashSet::new(),
            deciding: HashSet::new(),
            selected: None,
            filter: String::new(),
            mode: Mode::Browse,
            message: None,
            trouble: None,
            view: View::default(),
        }
    }

    /// The requests that the filter leaves, the oldest first.
    pub fn shown(&self) -> Vec<&Request> {
        let needle = self.filter.to_lowercase();
        self.waiting
            .iter()
            .filter(|request| needle.is_empty() || fits(request, &needle))
            .collect()
    }

    /// The selected request as the list has it.
    pub fn selected(&self) -> Option<&Request> {
        let id = self.selected.as_ref()?;
        self.shown().into_iter().find(|request| request.id == *id)
    }

    /// The selected request, whole, with the newest decisions; `None` until the relay gave it.
    pub fn whole(&self) -> Option<Request> {
        let listed = self.selected()?;
        let mut whole = self.whole.get(&listed.id)?.clone();
        whole.status = listed.status;
        whole.decisions.clone_from(&listed.decisions);
        Some(whole)
    }

    /// What keys mean right now.
    pub fn mode(&self) -> &Mode {
        &self.mode
    }

    /// The filter.
    pub fn filter(&self) -> &str {
        &self.filter
    }

    /// What happened last.
    pub fn message(&self) -> Option<&str> {
        self.message.as_deref()
    }

    /// Why the list may be old.
    pub fn out_of_touch(&self) -> Option<&str> {
        self.trouble.as_deref()
    }

    /// How many wait in all, how many of one's own wait for others, and whether there are more than are shown.
    pub fn totals(&self) -> (usize, usize, bool) {
        (self.waiting.len(), self.own, self.cut)
    }

    /// I have approved this one already; it waits for others.
    pub fn is_approved_by_me(&self, request: &Request) -> bool {
        request
            .decisions
            .iter()
            .any(|decision| decision.approve && decision.by == self.me)
    }

    /// Lines of the details that were not on the screen yet.
    pub fn unseen(&self) -> usize {
        self.view.lines.saturating_sub(self.view.seen)
    }

    /// Takes what the screen could show of the details: `lines` in all, `height` at a time. Gives the first line to show.
    pub fn viewed(&mut self, lines: usize, height: usize) -> usize {
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

    /// Takes a new list.
    pub fn listed(&mut self, requests: Vec<Request>) {
        self.trouble = None;
        self.cut = requests.len() >= self.most;
        let pending = requests
            .into_iter()
            .filter(|request| request.status == RequestStatus::Pending);
        let (own, mut others): (Vec<_>, Vec<_>) = pending.partition(|request| request.principal == self.me);
        others.sort_by(|a, b| (a.created, &a.id).cmp(&(b.created, &b.id)));
        let place = self
            .shown()
            .iter()
            .position(|request| Some(&request.id) == self.selected.as_ref());
        self.own = own.len();
        self.waiting = others;
        let there: HashSet<&RequestId> = self.waiting.iter().map(|request| &request.id).collect();
        self.whole.retain(|id, _| there.contains(id));
        self.asked.retain(|id| there.contains(id));
        if let Mode::Reason { id, .. } | Mode::Confirm { id, .. } = &self.mode
            && !there.contains(id)
        {
            self.message = Some(format!(
                "{id} no longer waits: it was decided, withdrawn, or its time is over"
            ));
            self.mode = Mode::Browse;
        }
        self.settle(place.unwrap_or(0));
    }

    /// Takes a request that was fetched whole, or why it could not be.
    pub fn fetched(&mut self, id: &RequestId, fetched: Result<Request, String>) {
        match fetched {
            Ok(request) => drop(self.whole.insert(id.clone(), request)),
            Err(problem) => {
                self.asked.remove(id);
                self.trouble = Some(problem);
            }
        }
    }

    /// Takes how a decision went.
    pub fn decided(&mut self, id: &RequestId, approve: bool, decided: Result<Request, String>) {
        self.deciding.remove(id);
        self.message = Some(match decided {
            Err(problem) => format!("{id} is not decided: {problem}"),
            Ok(request) if !approve => format!("denied {}", request.id),
            Ok(request) if request.status == RequestStatus::Pending => {
                let place = self.waiting.iter_mut().find(|waiting| waiting.id == request.id);
                let text = format!("approved {}; it waits for others too", request.id);
                if let Some(place) = place {
                    place.decisions.clone_from(&request.decisions);
                }
                text
            }
            Ok(request) => format!("approved {}", request.id),
        });
    }

    /// Takes why the relay could not be asked.
    pub fn trouble(&mut self, problem: &str) {
        self.trouble = Some(problem.to_owned());
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
            Mode::Reason { id, approve, text } => {
                self.mode = self.write_reason(key.code, control, id, approve, text);
                None
            }
            Mode::Confirm { id, approve, reason } => {
                if matches!(key.code, KeyCode::Char('y' | 'Y')) && !control {
                    self.deciding.insert(id.clone());
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
            KeyCode::Char('d') if control => self.scroll(page, true),
            KeyCode::Char('u') if control => self.scroll(page, false),
            _ if control => {}
            KeyCode::Char('j') | KeyCode::Down => self.step(true),
            KeyCode::Char('k') | KeyCode::Up => self.step(false),
            KeyCode::PageDown | KeyCode::Char(' ') => self.scroll(page, true),
            KeyCode::PageUp => self.scroll(page, false),
            KeyCode::Char('J') => self.scroll(1, true),
            KeyCode::Char('K') => self.scroll(1, false),
            KeyCode::Home | KeyCode::Char('g') => self.view.top = 0,
            KeyCode::End | KeyCode::Char('G') => self.view.top = self.view.lines.saturating_sub(self.view.height),
            KeyCode::Char('/') => self.mode = Mode::Filter,
            KeyCode::Esc => {
                self.filter.clear();
                self.settle(0);
            }
            KeyCode::Char('a') => self.begin(true),
            KeyCode::Char('d') => self.begin(false),
            _ => {}
        }
        None
    }

    /// Begins a decision about the selected request.
    fn begin(&mut self, approve: bool) {
        self.message = None;
        let Some(request) = self.selected() else { return };
        let id = request.id.clone();
        if self.deciding.contains(&id) {
            self.message = Some(format!("{id} is being decided"));
        } else if !self.whole.contains_key(&id) {
            self.message = Some(format!("{id} is still being loaded"));
        } else if approve && self.is_approved_by_me(request) {
            self.message = Some(format!("you have approved {id}; it waits for others"));
        } else {
            let text = String::new();
            self.mode = Mode::Reason { id, approve, text };
        }
    }

    fn write_filter(&mut self, code: KeyCode, control: bool) {
        match code {
            KeyCode::Enter => return,
            KeyCode::Esc => {
                self.filter.clear();
                return self.settle(0);
            }
            KeyCode::Backspace => drop(self.filter.pop()),
            KeyCode::Char('u') if control => self.filter.clear(),
            KeyCode::Char(c) if !control && self.filter.chars().count() < LONGEST_INPUT => self.filter.push(c),
            _ => {}
        }
        self.mode = Mode::Filter;
        self.settle(0);
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
            KeyCode::Backspace => drop(text.pop()),
            KeyCode::Char('u') if control => text.clear(),
            KeyCode::Char(c) if !control && text.chars().count() < LONGEST_INPUT => text.push(c),
            _ => {}
        }
        Mode::Reason { id, approve, text }
    }

    fn step(&mut self, down: bool) {
        self.message = None;
        let ids: Vec<RequestId> = self.shown().into_iter().map(|request| request.id.clone()).collect();
        let place = ids
            .iter()
            .position(|id| Some(id) == self.selected.as_ref())
            .unwrap_or(0);
        let next = if down {
            (place + 1).min(ids.len().saturating_sub(1))
        } else {
            place.saturating_sub(1)
        };
        self.select(ids.into_iter().nth(next));
    }

    fn scroll(&mut self, by: usize, down: bool) {
        let last = self.view.lines.saturating_sub(self.view.height);
        self.view.top = if down {
            (self.view.top + by).min(last)
        } else {
            self.view.top.saturating_sub(by)
        };
    }

    /// Keeps the selection where it is still shown, else takes what stands at its place.
    fn settle(&mut self, place: usize) {
        let shown = self.shown();
        if shown.iter().any(|request| Some(&request.id) == self.selected.as_ref()) {
            return;
        }
        let next = shown
            .get(place.min(shown.len().saturating_sub(1)))
            .map(|request| request.id.clone());
        self.select(next);
    }

    fn select(&mut self, id: Option<RequestId>) {
        if self.selected != id {
            self.selected = id;
            self.view = View::default();
        }
    }
}

fn fits(request: &Request, needle: &str) -> bool {
    let id = request.id.as_str();
    let reason = request.reason.as_deref().unwrap_or_default();
    [id, &request.principal, &request.connection, &request.statement, reason]
        .iter()
        .any(|text| text.to_lowercase().contains(needle))
}

#[cfg(test)]
mod tests;
