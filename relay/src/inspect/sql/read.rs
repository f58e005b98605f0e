//! The entry: a text becomes a [`Reading`].

use super::{Kind, Problem, Reading, Statement, World, parse};
use crate::policy::{Effect, Resource, SqlAction};

/// Reads a text under `world`. Total: what cannot be read is one unknown statement.
pub fn read(text: &str, world: &World<'_>) -> Reading {
    match parse::parse(text) {
        Ok(parsed) => {
            let mut reading = Reading::default();
            for (_, span) in parsed.statements(text.len()) {
                reading.statements.push(unknown(span));
            }
            reading.touches_masked = !world.masked.is_empty();
            reading
        }
        Err(problem) => unreadable(text, world, problem),
    }
}

fn unreadable(text: &str, world: &World<'_>, problem: Problem) -> Reading {
    Reading {
        statements: vec![unknown(0..text.len())],
        touches_masked: !world.masked.is_empty(),
        problem: Some(problem),
        ..Reading::default()
    }
}

fn unknown(span: std::ops::Range<usize>) -> Statement {
    Statement {
        kind: Kind::Plain,
        effects: vec![Effect::new(SqlAction::Unknown, Resource::Connection)],
        lineage: None,
        span,
    }
}
