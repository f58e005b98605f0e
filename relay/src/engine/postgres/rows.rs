//! Masks the values of a `DataRow`: rewrites the message where something is replaced, else leaves it to pass as it is.

use bytes::{BufMut, BytesMut};

use super::codec::backend::Column;
use super::codec::fields::Fields;
use super::codec::frame::{LARGE, server};
use super::codec::{DecodeError, HEADER, frontend};
use crate::mask::{Applied, Described, Format, Kind, Plan};

/// Why a row does not leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RowError {
    /// It is no `DataRow`.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// It has another number of values than its result has columns.
    #[error("a row has {found} values, its result has {expected} columns")]
    Columns {
        /// In the row.
        found: usize,
        /// In the plan.
        expected: usize,
    },
    /// It is longer than rows that are masked may be.
    #[error("a row of {length} bytes is longer than a masked row may be ({longest} bytes)")]
    TooLong {
        /// Its length.
        length: usize,
        /// `[limits] masked_row_bytes`.
        longest: usize,
    },
}

/// What masking a row did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Row {
    /// The row passes as it came; nothing was written.
    Same,
    /// Its replacement was appended, a whole message; so many values of it were masked.
    Rewritten(u64),
}

impl From<frontend::Format> for Format {
    fn from(format: frontend::Format) -> Self {
        match format {
            frontend::Format::Text => Self::Text,
            frontend::Format::Binary => Self::Binary,
        }
    }
}

/// A result's columns as masks need them. `formats` are the portal's, which a statement's description does not know:
/// none is all text, one is for all columns, else one for each. `kind` tells a type by its oid.
pub fn described(columns: &[Column], formats: &[frontend::Format], kind: impl Fn(u32) -> Kind) -> Vec<Described> {
    let format = |index: usize| match formats {
        [] => frontend::Format::Text,
        [all] => *all,
        each => each.get(index).copied().unwrap_or(frontend::Format::Text),
    };
    let column = |(index, column): (usize, &Column)| Described {
        name: String::from_utf8_lossy(&column.name).into_owned(),
        table_oid: column.relation,
        attnum: column.attnum,
        kind: kind(column.type_oid),
        format: format(index).into(),
    };
    columns.iter().enumerate().map(column).collect()
}

/// Masks the body of a `DataRow`. The caller has the row whole; a longer one than `longest` must not be collected.
///
/// # Errors
/// It is no row of this plan, or too long: nothing of it may leave. What was appended is taken back.
pub fn mask_row(plan: &Plan, body: &[u8], longest: usize, out: &mut BytesMut) -> Result<Row, RowError> {
    if plan.passes(body) {
        return Ok(Row::Same);
    }
    if body.len() > longest {
        return Err(RowError::TooLong {
            length: body.len(),
            longest,
        });
    }
    let start = out.len();
    let masked = rewrite(plan, body, out);
    match masked {
        Ok(Some(values)) => {
            let length = out.len() - start - 1;
            match u32::try_from(length).ok().filter(|length| *length <= LARGE) {
                Some(length) => out[start + 1..start + HEADER].copy_from_slice(&length.to_be_bytes()),
                None => {
                    out.truncate(start);
                    return Err(RowError::TooLong { length, longest });
                }
            }
            Ok(Row::Rewritten(values))
        }
        Ok(None) => {
            out.truncate(start);
            Ok(Row::Same)
        }
        Err(error) => {
            out.truncate(start);
            Err(error)
        }
    }
}

/// Appends the message with a length that is still to be written. `None`: nothing in it is replaced.
fn rewrite(plan: &Plan, body: &[u8], out: &mut BytesMut) -> Result<Option<u64>, RowError> {
    let mut fields = Fields::new(body);
    let count = fields.u16()?;
    if usize::from(count) != plan.columns() {
        return Err(RowError::Columns {
            found: count.into(),
            expected: plan.columns(),
        });
    }
    out.reserve(HEADER + body.len());
    out.put_u8(server::DATA_ROW);
    out.put_u32(0);
    out.put_u16(count);
    let mut masked = 0;
    let mut scratch = Vec::new();
    for column in 0..usize::from(count) {
        let value = fields.value()?;
        scratch.clear();
        match (plan.apply(column, value, &mut scratch), value) {
            (Applied::Same, Some(value)) => put(out, value)?,
            (Applied::Replaced, _) => {
                masked += 1;
                put(out, &scratch)?;
            }
            (Applied::Null, _) | (Applied::Same, None) => {
                masked += u64::from(value.is_some());
                out.put_i32(-1);
            }
        }
    }
    fields.end()?;
    Ok((masked > 0).then_some(masked))
}

fn put(out: &mut BytesMut, value: &[u8]) -> Result<(), RowError> {
    let length = i32::try_from(value.len()).map_err(|_| DecodeError::Value("length"))?;
    out.put_i32(length);
    out.put_slice(value);
    Ok(())
}

#[cfg(test)]
mod tests;
