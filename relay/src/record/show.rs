//! Showing: the events of a recording with their results, without the target, within limits.

use std::collections::HashMap;
use std::io;

use hoop_shared::api::EventShown;
use hoop_shared::id::SessionId;
use hoop_shared::protocol::Protocol;

use super::event::{Counts, Header, Kind, Line};
use super::keys::Keys;
use super::place::Place;
use super::walk::{Ending, Trust, Visitor, walk};

/// A decoded result.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rows {
    /// Names of the columns.
    pub columns: Vec<String>,
    /// Values as text.
    pub rows: Vec<Vec<Option<String>>>,
}

/// Decodes a result's content of a protocol; gives at most so many rows. What is cut off is left out. `record` knows no
/// protocol: the engines do.
pub type Decode = fn(Protocol, &[u8], usize) -> Rows;

/// How much is shown.
#[derive(Clone, Copy, Debug)]
pub struct ShowLimits {
    /// Only events behind this one.
    pub after: Option<u64>,
    /// Events, the first ones.
    pub events: usize,
    /// Rows of a result.
    pub rows: usize,
    /// Bytes of content over all results, and again of texts over all events.
    pub bytes: usize,
}

impl Default for ShowLimits {
    fn default() -> Self {
        Self {
            after: None,
            events: 100_000,
            rows: 1_000,
            bytes: 16 << 20,
        }
    }
}

/// A recording, as it is shown.
#[derive(Clone, Debug)]
pub struct Shown {
    /// What it begins with.
    pub header: Header,
    /// Its events.
    pub events: Vec<EventShown>,
    /// What the session has done.
    pub counts: Counts,
    /// The seal is there and valid.
    pub sealed: bool,
    /// A limit was reached: there are more events than are shown.
    pub cut: bool,
    /// What is wrong with the recording: all that is shown is from before it.
    pub problem: Option<String>,
}

pub(super) fn show(
    place: &Place,
    session: &SessionId,
    keys: &Keys,
    decode: Decode,
    limits: ShowLimits,
) -> io::Result<Option<Shown>> {
    let mut collect = Collect {
        decode,
        limits,
        protocol: None,
        left: limits.bytes,
        text: 0,
        open: HashMap::new(),
        events: Vec::new(),
        cut: false,
    };
    let trust = Trust::Relay(keys);
    let walked = walk(
        &mut place.read_events()?,
        &mut place.read_content()?,
        session,
        &trust,
        &mut collect,
    )?;
    let Some(header) = walked.header else {
        return Ok(None);
    };
    collect.interrupted();
    let sealed = walked.ending == Ending::Sealed;
    Ok(Some(Shown {
        header,
        events: collect.events,
        counts: walked.counts,
        sealed,
        cut: collect.cut,
        problem: match walked.ending {
            Ending::Bad(problem) => Some(problem),
            Ending::Unsealed { .. } if place.sealed => Some("the recording was cut: its seal is missing".to_owned()),
            Ending::Sealed | Ending::Unsealed { .. } => None,
        },
    }))
}

/// The content of a result that has not ended.
struct Open {
    seq: u64,
    time: String,
    stream: Option<u32>,
    content: Vec<u8>,
}

struct Collect {
    decode: Decode,
    limits: ShowLimits,
    protocol: Option<Protocol>,
    left: usize,
    text: usize,
    open: HashMap<u64, Open>,
    events: Vec<EventShown>,
    cut: bool,
}

impl Collect {
    /// Shows an event, if it is behind those that are left out. After the first that does not fit, none is shown.
    fn add(&mut self, event: EventShown) {
        self.text = self.text.saturating_add(text_bytes(&event));
        let fits = self.events.is_empty() || self.text <= self.limits.bytes;
        self.cut = self.cut || self.events.len() >= self.limits.events || !fits;
        if !self.cut {
            self.events.push(event);
        }
    }

    fn is_wanted(&self, seq: u64) -> bool {
        self.limits.after.is_none_or(|after| seq > after)
    }

    fn decoded(&self, content: &[u8], shown: &mut EventShown) {
        if let Some(protocol) = self.protocol
            && !content.is_empty()
        {
            let Rows { columns, rows } = (self.decode)(protocol, content, self.limits.rows);
            shown.columns = Some(columns);
            shown.result = Some(rows);
        }
    }

    /// Shows the results that never ended: what the client saw of them.
    fn interrupted(&mut self) {
        let mut open: Vec<Open> = std::mem::take(&mut self.open).into_values().collect();
        open.sort_by_key(|open| open.seq);
        let last = self.events.last().map(|event| event.seq).filter(|_| self.cut);
        open.retain(|open| self.is_wanted(open.seq) && last.is_none_or(|last| open.seq < last));
        for open in open {
            let mut shown = EventShown {
                seq: open.seq,
                time: open.time,
                kind: Kind::Result.as_str().to_owned(),
                stream: open.stream,
                detail: Some("the result did not end".to_owned()),
                ..EventShown::default()
            };
            self.decoded(&open.content, &mut shown);
            let at = self.events.partition_point(|event| event.seq < shown.seq);
            self.events.insert(at, shown);
        }
    }
}

/// Bytes of an event's long texts.
fn text_bytes(event: &EventShown) -> usize {
    let text = |text: &Option<String>| text.as_ref().map_or(0, String::len);
    let parameters = event
        .parameters
        .iter()
        .flatten()
        .map(|parameter| text(&parameter.value));
    text(&event.statement) + text(&event.error) + text(&event.detail) + parameters.sum::<usize>()
}

impl Visitor for Collect {
    fn event(&mut self, mut line: Line<'static>) {
        if let Some(header) = &line.header {
            self.protocol = Some(header.protocol);
        }
        let open = line.output.and_then(|output| match line.kind {
            Kind::Part => {
                let open = self.open.get_mut(&output)?;
                line.time.as_ref().clone_into(&mut open.time);
                if open.stream.is_none() {
                    open.seq = line.seq;
                    open.stream = line.stream;
                }
                None
            }
            _ => self.open.remove(&output),
        });
        if line.kind == Kind::Part {
            return;
        }
        if !self.is_wanted(line.seq) {
            self.left += open.map_or(0, |open| open.content.len());
            return;
        }
        // large, and shown decoded
        line.inline = None;
        let mut shown = line.shown();
        if let Some(open) = open {
            self.decoded(&open.content, &mut shown);
        }
        self.add(shown);
    }

    fn content(&mut self, output: u64, piece: &[u8]) {
        let taken = piece.len().min(self.left);
        self.left -= taken;
        let open = self.open.entry(output).or_insert_with(|| Open {
            seq: 0,
            time: String::new(),
            stream: None,
            content: Vec::new(),
        });
        open.content.extend_from_slice(&piece[..taken]);
    }
}
