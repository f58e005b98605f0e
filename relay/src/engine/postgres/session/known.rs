//! A text's reading, with what follows from it alone.

use std::cell::OnceCell;
use std::ops::Deref;
use std::rc::Rc;

use super::steps::Steps;
use crate::inspect::sql::{Kind, Reading};

/// A reading that is kept: a text that comes again is not resolved again, where nothing but the text decides what it does.
#[derive(Debug)]
pub struct Known {
    reading: Reading,
    steps: OnceCell<Rc<Steps>>,
}

impl Known {
    /// Keeps a reading.
    pub fn new(reading: Reading) -> Rc<Self> {
        Rc::new(Self {
            reading,
            steps: OnceCell::new(),
        })
    }

    /// Its steps, as they were resolved before.
    pub(super) fn steps(&self) -> Option<&Rc<Steps>> {
        self.steps.get()
    }

    /// Keeps its steps, if they will always be these: statements that make or run what has a name depend on which names there are.
    pub(super) fn keep(&self, steps: &Rc<Steps>) {
        let by_name = |kind: &Kind| {
            matches!(
                kind,
                Kind::Prepare { .. } | Kind::Execute { .. } | Kind::Declare { .. } | Kind::Fetch { .. }
            )
        };
        if !self.reading.statements.iter().any(|statement| by_name(&statement.kind)) {
            let _first = self.steps.set(steps.clone());
        }
    }
}

impl Deref for Known {
    type Target = Reading;

    fn deref(&self) -> &Reading {
        &self.reading
    }
}

impl PartialEq for Known {
    fn eq(&self, other: &Self) -> bool {
        self.reading == other.reading
    }
}
