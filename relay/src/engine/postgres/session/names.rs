//! The prepared statements and portals that the server has, as far as its answers tell. PREPARE and Parse share names, cursors and
//! portals do.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use super::judge::MaskRows;
use super::known::Known;
use super::steps::Step;
use crate::engine::postgres::codec::backend::Column;
use crate::engine::postgres::codec::frontend::Formats;
use crate::mask::Cleared;

/// A name as the protocol has it.
pub type Name = Rc<str>;

/// The longest name, in bytes: the server cuts longer ones, so that two of them may be one.
pub const LONGEST_NAME: usize = 63;

/// The most search paths along which one statement is remembered.
const MEANINGS: usize = 64;

/// What a text means along one search path.
#[derive(Clone, Debug)]
pub struct Meaning {
    /// The schemas in search order.
    pub path: Arc<[String]>,
    /// The text, read.
    pub reading: Rc<Known>,
}

/// A prepared statement.
///
/// The server keeps what it found the names to mean when it analysed the text: it looks again where an object that it found changes,
/// and where the search path is another, but not where a new object would be found first.
#[derive(Debug)]
pub struct Prepared {
    /// The text that it was made with.
    pub text: Arc<str>,
    /// The parameters' types that the client prescribed.
    pub types: Vec<u32>,
    /// The PREPARE that made it, as an index into the text's statements; `None`: Parse did.
    pub inner: Option<usize>,
    /// What it meant along each path when the server may first have analysed it.
    pub meanings: RefCell<Vec<Meaning>>,
    /// The parameters' types, once the server described them.
    pub described: RefCell<Option<Rc<[u32]>>>,
    /// The result's columns, once the server described them, and the generation that they hold for. Empty: no result.
    pub shape: RefCell<Option<(u64, Rc<[Column]>)>>,
}

impl Prepared {
    /// Makes one that was not described. `meaning` is what the server is known to find in it, `None` where it may know better.
    pub fn new(text: Arc<str>, types: Vec<u32>, inner: Option<usize>, meaning: Option<Meaning>) -> Rc<Self> {
        Rc::new(Self {
            text,
            types,
            inner,
            meanings: RefCell::new(meaning.into_iter().collect()),
            described: RefCell::default(),
            shape: RefCell::default(),
        })
    }

    /// The server is about to run or describe it, and the text means this now: whether it surely runs as that.
    pub fn still_means(&self, now: Meaning) -> bool {
        let mut meanings = self.meanings.borrow_mut();
        if let Some(then) = meanings.iter_mut().find(|then| then.path == now.path) {
            if Rc::ptr_eq(&then.reading, &now.reading) {
                return true;
            }
            let same = match self.inner {
                Some(index) => then.reading.statements.get(index) == now.reading.statements.get(index),
                None => then.reading == now.reading,
            };
            if same {
                // The one that is kept for later texts too: then it is told at a glance.
                then.reading = now.reading;
            }
            return same;
        }
        let room = meanings.len() < MEANINGS;
        if room {
            meanings.push(now);
        }
        room
    }

    /// The type of a parameter, counted from 0; 0 where it is not known.
    pub fn type_of(&self, index: usize) -> u32 {
        let described = self.described.borrow();
        let known = described.as_ref().and_then(|types| types.get(index).copied());
        known.or_else(|| self.types.get(index).copied()).unwrap_or(0)
    }
}

/// What is done to the rows of a portal.
#[derive(Clone, Debug)]
pub enum RowsPlan {
    /// They pass.
    Clear(Cleared),
    /// They are masked.
    Masked(Rc<dyn MaskRows>),
    /// Nobody knows yet: none may pass.
    Undescribed,
    /// They cannot be masked: none may pass.
    Unmaskable(Rc<str>),
}

impl RowsPlan {
    /// The plan before a result is described. `cleared`: whether it needs one.
    pub fn undescribed(cleared: Option<Cleared>) -> Self {
        cleared.map_or(Self::Undescribed, Self::Clear)
    }
}

/// A portal or cursor.
#[derive(Debug)]
pub struct Portal {
    /// Its name.
    pub name: Name,
    /// What executing it does, and where its columns come from; `None`: an empty statement.
    pub step: Option<Rc<Step>>,
    /// Its statement, where it was made by Bind.
    pub statement: Option<Rc<Prepared>>,
    /// The formats that were asked for.
    pub formats: Formats,
    /// The number of the operation that made it.
    pub operation: u64,
    /// It survives the transaction.
    pub hold: bool,
    /// What is done to its rows.
    pub rows: RefCell<RowsPlan>,
    /// Its columns were told to the recording.
    pub told: Cell<bool>,
}

/// What the server has.
#[derive(Debug, Default)]
pub struct Names {
    /// Prepared statements.
    pub statements: HashMap<Name, Rc<Prepared>>,
    /// Portals and cursors.
    pub portals: HashMap<Name, Rc<Portal>>,
}

impl Names {
    /// How many there are.
    pub fn count(&self) -> usize {
        self.statements.len() + self.portals.len()
    }

    /// A transaction ended: what does not outlive it is gone.
    pub fn transaction_ended(&mut self) {
        if !self.portals.is_empty() {
            self.portals.retain(|_, portal| portal.hold);
        }
    }
}
