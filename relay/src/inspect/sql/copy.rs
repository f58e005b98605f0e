//! COPY, in all its forms.

use std::sync::Arc;

use pg_raw_parse::{Node, nodes};

use super::expression::Role;
use super::reader::{Reader, has_rows};
use super::scope::{Env, Frame};
use super::statement::{Outcome, lineage};
use super::{ColumnRef, CopyFormat, CopyOut, Kind, Lineage, Refused};
use crate::inspect::catalog::{Event, Relation, RelationKind};
use crate::policy::{Resource, SqlAction};

impl Reader<'_> {
    pub fn copy(&mut self, copy: &nodes::CopyStmt) -> Outcome {
        let to_client = copy.filename().is_none() && !copy.is_program;
        if copy.is_program {
            self.act(SqlAction::CopyProgram, Resource::Connection);
        } else if copy.filename().is_some() {
            self.act(SqlAction::ServerFile, Resource::Connection);
        }
        let relation = copy.relation().and_then(|range| self.relation(range));
        let mut names: Vec<Arc<str>> = copy
            .attlist()
            .iter()
            .filter_map(|name| name.as_str().map(Arc::from))
            .collect();
        if names.len() != copy.attlist().len() {
            self.unknown();
        }
        if copy.is_from {
            let Some(relation) = relation else {
                return Outcome::kind_in(to_client);
            };
            if names.is_empty() {
                names = relation
                    .columns
                    .iter()
                    .filter(|column| !column.generated)
                    .map(|column| column.name.clone())
                    .collect();
            }
            self.writes(SqlAction::CopyIn, &relation, &names);
            self.follow(&relation, Event::Insert, &names);
            let source = self.source(&relation, None);
            let frame = Frame::single(source);
            let env = Env {
                frame: &frame,
                outer: None,
                ctes: None,
            };
            self.expression(copy.where_clause(), &env, Role::Decides);
            // The whole format of what comes is the server's to judge; only its encoding is pinned.
            self.format(copy, &names);
            return Outcome::kind_in(to_client);
        }
        let result = match copy.query() {
            Node::None => match relation {
                Some(relation) => self.table_form(&relation, &mut names),
                None => Lineage::Unknown,
            },
            query => {
                let shape = self.query(query, None, None);
                names = shape.columns.iter().map(|column| column.name.clone()).collect();
                if !to_client {
                    self.all_decide(&shape);
                }
                lineage(&shape)
            }
        };
        if !to_client {
            // Values leave without a mask, into a file or a program.
            if let Lineage::Columns(columns) = &result {
                for origin in columns {
                    self.decides(origin);
                }
            }
            return Outcome::plain();
        }
        let mut out = self.format(copy, &names);
        out.lineage = result;
        Outcome {
            kind: Kind::CopyOut(out),
            lineage: None,
        }
    }

    /// COPY table TO: its columns by attnum, without dropped and generated ones; of a parent only its own rows.
    fn table_form(&mut self, relation: &Arc<Relation>, names: &mut Vec<Arc<str>>) -> Lineage {
        if !has_rows(relation) || relation.kind == RelationKind::View {
            self.unknown();
        }
        self.read_relation(relation);
        if names.is_empty() {
            *names = relation
                .columns
                .iter()
                .filter(|column| !column.generated)
                .map(|column| column.name.clone())
                .collect();
        }
        let mut origins = Vec::new();
        for name in names.iter() {
            let Some(column) = relation.column_named(name) else {
                self.not_found(format!("{}.{name}", relation.qualified()));
                return Lineage::Unknown;
            };
            let reference = ColumnRef {
                relation: relation.oid,
                attnum: column.attnum,
            };
            self.read_column(&reference);
            origins.push(self.origin(relation, column));
        }
        Lineage::Columns(origins)
    }

    /// The options, as the server reads them; the last of several holds, although it refuses several.
    fn format(&mut self, copy: &nodes::CopyStmt, names: &[Arc<str>]) -> CopyOut {
        let mut format = CopyFormat::Text;
        let mut header = false;
        let (mut delimiter, mut null, mut quote, mut escape) = (None, None, None, None);
        let mut force_quote = Some(Vec::new());
        for option in copy.options() {
            let arg = option.arg();
            let text = option_text(arg);
            match option.defname().unwrap_or_default() {
                "format" => match text.as_deref() {
                    Some("text") => format = CopyFormat::Text,
                    Some("csv") => format = CopyFormat::Csv,
                    Some("binary") => format = CopyFormat::Binary,
                    _ => self.unreadable(),
                },
                "header" => header = switch(arg).unwrap_or(true),
                "delimiter" => delimiter = self.byte_of(text),
                "null" => match text {
                    Some(text) => null = Some(text),
                    None => self.unreadable(),
                },
                "quote" => quote = self.byte_of(text),
                "escape" => escape = self.byte_of(text),
                "force_quote" => match arg {
                    Node::A_Star(_) => force_quote = None,
                    Node::NodeList(list) => {
                        let forced: Vec<&str> = list.iter().filter_map(Node::as_str).collect();
                        force_quote = Some(
                            names
                                .iter()
                                .enumerate()
                                .filter(|(_, name)| forced.contains(&&***name))
                                .map(|(index, _)| index)
                                .collect(),
                        );
                    }
                    _ => self.unreadable(),
                },
                "encoding" => {
                    if !text.is_some_and(|name| super::settings::is_utf8(&name)) {
                        self.refused.get_or_insert(Refused::Encoding);
                    }
                }
                "freeze" | "force_not_null" | "force_null" | "default" | "on_error" | "log_verbosity"
                | "reject_limit" => {}
                _ => self.unreadable(),
            }
        }
        let csv = format == CopyFormat::Csv;
        let quote = quote.unwrap_or(b'"');
        CopyOut {
            format,
            delimiter: delimiter.unwrap_or(if csv { b',' } else { b'\t' }),
            null: null.unwrap_or_else(|| if csv { String::new() } else { "\\N".to_owned() }),
            quote,
            escape: escape.unwrap_or(quote),
            header,
            force_quote,
            lineage: Lineage::Unknown,
        }
    }
}

impl Reader<'_> {
    /// An option whose value is one byte. The server refuses every other.
    fn byte_of(&mut self, text: Option<String>) -> Option<u8> {
        let byte = text.and_then(single_byte);
        if byte.is_none() {
            self.unreadable();
        }
        byte
    }

    /// An option that is not understood: where one value ends and the next begins would be a guess.
    fn unreadable(&mut self) {
        self.unknown();
        self.refused.get_or_insert(Refused::CopyOption);
    }
}

impl Outcome {
    fn kind_in(from_client: bool) -> Self {
        Self {
            kind: if from_client { Kind::CopyIn } else { Kind::Plain },
            lineage: None,
        }
    }
}

fn single_byte(text: String) -> Option<u8> {
    match text.as_bytes() {
        [byte] => Some(*byte),
        _ => None,
    }
}

/// An option's value as the server's `defGetString` has it: a number or `*` is its spelling.
fn option_text(arg: Node<'_>) -> Option<String> {
    match arg {
        Node::String(text) => text.sval().map(str::to_owned),
        Node::Integer(number) => Some(number.ival.to_string()),
        Node::Float(number) => number.fval().map(str::to_owned),
        Node::Boolean(value) => Some(value.boolval.to_string()),
        Node::A_Star(_) => Some("*".to_owned()),
        other => super::call::constant_text(other),
    }
}

/// A switch of a statement's option list, as the server's `defGetBoolean` reads it; `None` where that is not surely known.
pub(super) fn switch(arg: Node<'_>) -> Option<bool> {
    let text = match arg {
        Node::None => return Some(true),
        Node::Integer(number) => {
            return match number.ival {
                0 => Some(false),
                1 => Some(true),
                _ => None,
            };
        }
        Node::Boolean(value) => return Some(value.boolval),
        Node::String(text) => text.sval().unwrap_or_default().to_owned(),
        other => super::call::constant_text(other)?,
    };
    match text.to_ascii_lowercase().as_str() {
        "true" | "on" | "1" => Some(true),
        "false" | "off" | "0" => Some(false),
        _ => None,
    }
}
