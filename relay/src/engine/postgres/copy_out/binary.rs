//! COPY's binary format: a signature and header, rows of values with their lengths, a trailer.

use super::{Change, CopyError, Unit, apply};
use crate::mask::Plan;

/// How the stream begins.
const SIGNATURE: &[u8; 11] = b"PGCOPY\n\xff\r\n\0";
/// Signature, flags, length of the extension.
const HEAD: usize = 19;
/// The longest header extension that is taken; there is none in use.
const EXTENSION: usize = 1 << 10;

/// Where the stream is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    Header,
    Rows,
    End,
}

#[derive(Debug)]
pub(super) struct Binary {
    at: At,
    /// Where the stream is behind the unit found last.
    then: At,
}

impl Binary {
    pub(super) const fn new() -> Self {
        Self {
            at: At::Header,
            then: At::Header,
        }
    }

    /// The header leaves with what follows it.
    pub(super) fn next(&mut self, bytes: &[u8]) -> Result<Option<Unit>, CopyError> {
        let head = match self.at {
            At::End => return Err(CopyError::Malformed),
            At::Rows => 0,
            At::Header => match header(bytes)? {
                None => return Ok(None),
                Some(length) => length,
            },
        };
        let Some(rest) = bytes.get(head..) else { return Ok(None) };
        let Some((count, mut rest)) = rest.split_first_chunk::<2>() else {
            return Ok(None);
        };
        let count = i16::from_be_bytes(*count);
        if count == -1 {
            self.then = At::End;
            return Ok(Some(Unit {
                length: head + 2,
                row: false,
            }));
        }
        for _ in 0..u16::try_from(count).map_err(|_| CopyError::Malformed)? {
            match field(rest)? {
                Some((_, after)) => rest = after,
                None => return Ok(None),
            }
        }
        self.then = At::Rows;
        Ok(Some(Unit {
            length: bytes.len() - rest.len(),
            row: true,
        }))
    }

    pub(super) const fn taken(&mut self) {
        self.at = self.then;
    }

    pub(super) fn mask(&self, plan: &Plan, unit: &[u8], out: &mut Vec<u8>) -> Result<u64, CopyError> {
        let head = if self.at == At::Header {
            header(unit)?.ok_or(CopyError::Malformed)?
        } else {
            0
        };
        let (head, row) = unit.split_at_checked(head).ok_or(CopyError::Malformed)?;
        let (count, mut rest) = row.split_first_chunk::<2>().ok_or(CopyError::Malformed)?;
        let columns = usize::from(u16::from_be_bytes(*count));
        if columns != plan.columns() {
            return Err(CopyError::Columns(plan.columns()));
        }
        out.extend_from_slice(head);
        out.extend_from_slice(count);
        let mut masked = 0;
        let mut scratch = Vec::new();
        for column in 0..columns {
            let (value, after) = field(rest)?.ok_or(CopyError::Malformed)?;
            rest = after;
            let value = match (apply(plan, column, value, &mut scratch, &mut masked), value) {
                (Change::To(value), _) | (Change::Same, Some(value)) => value,
                (Change::Null, _) | (Change::Same, None) => {
                    out.extend_from_slice(&(-1_i32).to_be_bytes());
                    continue;
                }
            };
            let length = i32::try_from(value.len()).map_err(|_| CopyError::Malformed)?;
            out.extend_from_slice(&length.to_be_bytes());
            out.extend_from_slice(value);
        }
        if rest.is_empty() {
            Ok(masked)
        } else {
            Err(CopyError::Malformed)
        }
    }
}

/// The length of the header; `None` while it is not whole.
fn header(bytes: &[u8]) -> Result<Option<usize>, CopyError> {
    let known = bytes.len().min(SIGNATURE.len());
    if bytes[..known] != SIGNATURE[..known] {
        return Err(CopyError::Malformed);
    }
    let Some(head) = bytes.get(..HEAD) else { return Ok(None) };
    let number = |at: usize| {
        head[at..]
            .first_chunk::<4>()
            .map_or(u32::MAX, |bytes| u32::from_be_bytes(*bytes))
    };
    // the upper half of the flags changes the format: among them rows with oids of servers before 12
    if number(11) >> 16 != 0 {
        return Err(CopyError::Malformed);
    }
    let extension = usize::try_from(number(15)).ok().filter(|length| *length <= EXTENSION);
    Ok(Some(HEAD + extension.ok_or(CopyError::Malformed)?))
}

/// A value and what follows it.
type Split<'a> = (Option<&'a [u8]>, &'a [u8]);

/// Reads a value with its length; the outer `None` while it is not whole.
fn field(bytes: &[u8]) -> Result<Option<Split<'_>>, CopyError> {
    let Some((length, rest)) = bytes.split_first_chunk::<4>() else {
        return Ok(None);
    };
    match i32::from_be_bytes(*length) {
        -1 => Ok(Some((None, rest))),
        length => {
            let length = usize::try_from(length).map_err(|_| CopyError::Malformed)?;
            Ok(rest.split_at_checked(length).map(|(value, rest)| (Some(value), rest)))
        }
    }
}
