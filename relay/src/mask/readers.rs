//! A result has two readers: the session's client, whom policy may permit to see clear values, and whoever replays the
//! recording later, whom nobody asked about then. So there are two views of what is masked, and two plans for a result
//! where they differ; where they do not, there is one, and the recording keeps the very bytes that the client gets.
//!
//! ```text
//! Masks ▸ Views ▸ Both<Plan> ▸ send ▸ Sent { client: Bytes, recording: Recordable }
//! ```
//!
//! Only this module makes a [`Recordable`] of a result: by the recording's own plan, or by [`Cleared`], which says that
//! nothing of the result is masked for anybody.

use std::sync::Arc;

use bytes::Bytes;

use super::detect::Detectors;
use super::plan::{MaskedBy, Plan, PlanError};
use super::replace::{Applied, REDACTED};
use crate::inspect::masked::MaskedColumns;
use crate::inspect::sql::Reach;

/// Bytes that a recording may hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recordable(Bytes);

impl Recordable {
    /// The bytes.
    pub const fn bytes(&self) -> &Bytes {
        &self.0
    }

    /// What a [`super::Scrubber`] wrote.
    pub(super) const fn scrubbed(bytes: Bytes) -> Self {
        Self(bytes)
    }

    /// Any bytes.
    #[cfg(test)]
    pub(crate) fn of(bytes: impl Into<Bytes>) -> Self {
        Self(bytes.into())
    }
}

/// Nothing of a result is masked for anybody. Only [`Views`] and a plan for both readers say so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cleared(());

impl Cleared {
    /// The bytes pass as they are, and are recorded so.
    pub const fn pass(self, bytes: Bytes) -> Recordable {
        Recordable(bytes)
    }

    /// Without a look.
    #[cfg(test)]
    pub(crate) const fn untold() -> Self {
        Self(())
    }
}

/// What is masked for one reader.
#[derive(Clone, Debug)]
struct View {
    columns: Arc<MaskedColumns>,
    detectors: Arc<Detectors>,
}

impl View {
    fn looks(&self, reach: bool) -> bool {
        reach && !self.columns.is_empty() || !self.detectors.is_empty()
    }
}

/// What is masked for each reader of a session's results.
#[derive(Clone, Debug)]
pub struct Views {
    client: View,
    /// `None`: the same.
    recording: Option<View>,
}

impl Views {
    /// `permitted`: what is masked for the client; `all`: for somebody who may see nothing unmasked.
    pub(super) fn new(
        permitted: (Arc<MaskedColumns>, Arc<Detectors>),
        all: Option<(Arc<MaskedColumns>, Arc<Detectors>)>,
    ) -> Self {
        let view = |(columns, detectors)| View { columns, detectors };
        Self {
            client: view(permitted),
            recording: all.map(view),
        }
    }

    fn recording(&self) -> &View {
        self.recording.as_ref().unwrap_or(&self.client)
    }

    /// The columns that are masked for the client.
    pub const fn masked(&self) -> &Arc<MaskedColumns> {
        &self.client.columns
    }

    /// The columns that are masked in the recording.
    pub fn recorded(&self) -> &Arc<MaskedColumns> {
        &self.recording().columns
    }

    /// Says that a result needs no look, if it needs none.
    pub fn clear(&self, reach: Reach) -> Option<Cleared> {
        let looks =
            self.client.looks(reach.client) || self.recording.as_ref().is_some_and(|view| view.looks(reach.recording));
        (!looks).then_some(Cleared(()))
    }

    /// Whose view the server's own words of something with this reach may not enter: they may quote a masked value.
    pub fn quotes(&self, reach: Reach) -> Reach {
        Reach {
            client: reach.client && !self.client.columns.is_empty(),
            recording: reach.recording && !self.recorded().is_empty(),
        }
    }

    /// Replaces what the client's detectors find in a text; `None`: nothing.
    pub fn detected(&self, text: &[u8]) -> Option<Vec<u8>> {
        let mut out = Vec::new();
        match self.client.detectors.text(text, &mut out) {
            Applied::Same => None,
            Applied::Replaced => Some(out),
            Applied::Null => Some(REDACTED.to_vec()),
        }
    }

    /// Makes the plans of a result. `make` makes one, of what is masked, whether something masked is in reach, and the
    /// detectors.
    ///
    /// # Errors
    /// Those of `make`.
    pub fn plans(
        &self,
        reach: Reach,
        make: impl Fn(&dyn MaskedBy, bool, &Arc<Detectors>) -> Result<Plan, PlanError>,
    ) -> Result<Both<Plan>, PlanError> {
        let client = make(&*self.client.columns, reach.client, &self.client.detectors)?;
        let recording = match &self.recording {
            None => None,
            Some(view) => {
                let plan = make(&*view.columns, reach.recording, &view.detectors)?;
                (!plan.does_the_same(&client)).then_some(plan)
            }
        };
        Ok(Both { client, recording })
    }
}

/// Something for the client, and for the recording where that is another.
#[derive(Clone, Debug)]
pub struct Both<T> {
    client: T,
    recording: Option<T>,
}

impl Both<Plan> {
    /// Says that every row passes as it is, if that is so.
    pub fn clear(&self) -> Option<Cleared> {
        let clear = self.client.is_clear() && self.recording.as_ref().is_none_or(Plan::is_clear);
        clear.then_some(Cleared(()))
    }
}

impl<T> Both<T> {
    /// Makes something else of each.
    pub fn map<U>(self, mut make: impl FnMut(T) -> U) -> Both<U> {
        Both {
            client: make(self.client),
            recording: self.recording.map(make),
        }
    }

    /// Lends each.
    pub const fn as_ref(&self) -> Both<&T> {
        Both {
            client: &self.client,
            recording: self.recording.as_ref(),
        }
    }

    /// Writes what each reader gets. `write` gives the bytes, and how many values in them were replaced.
    ///
    /// # Errors
    /// Those of `write`: then nothing may leave.
    pub fn send<E>(&mut self, mut write: impl FnMut(&mut T) -> Result<(Bytes, u64), E>) -> Result<Sent, E> {
        let (client, masked) = write(&mut self.client)?;
        let recording = match &mut self.recording {
            None => client.clone(),
            Some(recording) => write(recording)?.0,
        };
        Ok(Sent {
            client,
            recording: Recordable(recording),
            masked,
        })
    }
}

/// What leaves of a piece of a result.
#[derive(Clone, Debug)]
pub struct Sent {
    /// For the client.
    pub client: Bytes,
    /// For the recording.
    pub recording: Recordable,
    /// How many values were replaced for the client.
    pub masked: u64,
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]
mod tests {
    use std::collections::HashMap;

    use super::super::{Described, Format, HashKey, Kind};
    use super::*;
    use crate::config::{Detector, MaskWith};
    use crate::inspect::masked::close;
    use crate::inspect::sql::{ColumnRef, Lineage, Origin};

    const SSN: ColumnRef = ColumnRef { relation: 7, attnum: 2 };

    fn masked() -> Arc<MaskedColumns> {
        let seed = HashMap::from([(SSN, MaskWith::Redact)]);
        Arc::new(close(&crate::inspect::catalog::Catalog::default(), seed))
    }

    fn detectors(of: &[Detector]) -> Arc<Detectors> {
        let rules = of.iter().map(|detector| (*detector, MaskWith::Redact));
        Arc::new(Detectors::new(rules, HashKey::new([1; 32])))
    }

    /// A client who may see everything.
    fn permitted() -> Views {
        Views::new(
            (Arc::default(), detectors(&[])),
            Some((masked(), detectors(&[Detector::Email]))),
        )
    }

    fn plans(views: &Views, attnum: i16) -> Both<Plan> {
        let column = ColumnRef { relation: 7, attnum };
        let described = [Described {
            name: "c".to_owned(),
            table_oid: 7,
            attnum,
            kind: Kind::Text,
            format: Format::Text,
        }];
        let lineage = Lineage::Columns(vec![Origin {
            copied: vec![column],
            ..Origin::default()
        }]);
        views
            .plans(Reach::BOTH, |masked, reach, detectors| {
                Plan::new(&lineage, &described, masked, reach, detectors)
            })
            .unwrap()
    }

    fn sent(plans: &Both<Plan>, value: &'static [u8]) -> Sent {
        let write = |plan: &mut &Plan| {
            let mut out = Vec::new();
            Ok::<_, ()>(match plan.apply(0, Some(value), &mut out) {
                Applied::Same => (Bytes::from_static(value), 0),
                Applied::Replaced => (Bytes::from(out), 1),
                Applied::Null => (Bytes::new(), 1),
            })
        };
        plans.as_ref().send(write).unwrap()
    }

    #[test]
    fn a_recording_holds_no_value_that_its_client_was_permitted_to_see() {
        let views = permitted();
        assert!(views.clear(Reach::BOTH).is_none());
        assert_eq!(
            views.quotes(Reach::BOTH),
            Reach {
                client: false,
                recording: true
            }
        );
        let sent_of = |attnum, value| sent(&plans(&views, attnum), value);
        let of_column = sent_of(2, b"123-45-6789");
        assert_eq!(&*of_column.client, b"123-45-6789");
        assert_eq!(&**of_column.recording.bytes(), REDACTED);
        assert_eq!(of_column.masked, 0);
        let found = sent_of(1, b"ask a@example.com");
        assert_eq!(&*found.client, b"ask a@example.com");
        assert_eq!(&**found.recording.bytes(), b"ask ***");
    }

    #[test]
    fn where_both_see_the_same_the_bytes_are_shared() {
        let views = Views::new((masked(), detectors(&[])), None);
        let plans = plans(&views, 2);
        assert!(plans.recording.is_none());
        let sent = sent(&plans, b"123-45-6789");
        assert_eq!(sent.client.as_ptr(), sent.recording.bytes().as_ptr());
        // Also where the views differ, but not about this result.
        let views = Views::new((Arc::default(), detectors(&[])), Some((masked(), detectors(&[]))));
        assert!(plans_of_unmasked(&views).recording.is_none());
        assert!(plans_of_unmasked(&views).clear().is_some());
    }

    fn plans_of_unmasked(views: &Views) -> Both<Plan> {
        plans(views, 1)
    }
}
