//! The screen's colours: the 16 that every colour terminal has, and none where none are wanted. Nothing is told by colour alone.

use ratatui::style::{Color, Modifier, Style};

use super::highlight::Kind;

/// Gives styles.
#[derive(Clone, Copy, Debug)]
pub struct Paint {
    /// Colours are wanted.
    pub colour: bool,
}

impl Paint {
    /// A colour, where colours are wanted.
    pub fn colour(&self, colour: Color) -> Style {
        if self.colour {
            Style::new().fg(colour)
        } else {
            Style::new()
        }
    }

    /// For what must be seen.
    pub fn warn(&self) -> Style {
        self.colour(Color::Yellow).add_modifier(Modifier::BOLD)
    }

    /// For a part of a statement.
    pub fn of(&self, kind: Kind) -> Style {
        match kind {
            Kind::Plain => Style::new(),
            Kind::Keyword => self.colour(Color::Cyan),
            Kind::Literal => self.colour(Color::Green),
            Kind::Number | Kind::Parameter => self.colour(Color::Magenta),
            Kind::Comment => self.colour(Color::Yellow),
            Kind::Hidden => self.colour(Color::Red).add_modifier(Modifier::REVERSED),
        }
    }
}
