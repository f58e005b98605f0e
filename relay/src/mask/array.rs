//! Arrays and rows under detectors: element by element, in the text form (`{a,"b c",NULL}`) and the binary one.

use super::detect::Detectors;
use super::kind::{Format, Kind};
use super::replace::Applied;

/// The most dimensions that the server makes.
const DIMENSIONS: usize = 6;

/// Replaces what is found in the elements of an array's text form.
pub(super) fn text(detectors: &Detectors, element: Kind, value: &[u8], out: &mut Vec<u8>) -> Applied {
    let start = out.len();
    let mut changed = false;
    let mut at = 0;
    // bounds other than 1 stand in front: `[0:2]={…}`
    let open = memchr::memchr(b'{', value).unwrap_or(value.len());
    out.extend_from_slice(&value[..open]);
    at += open;
    while let Some(&byte) = value.get(at) {
        if matches!(byte, b'{' | b'}' | b',' | b';') {
            out.push(byte);
            at += 1;
            continue;
        }
        let quoted = byte == b'"';
        let (end, inner) = if quoted {
            quoted_element(value, at)
        } else {
            plain_element(value, at)
        };
        let token = &value[at..end];
        at = end;
        let mut replaced = Vec::new();
        let applied = if !quoted && inner == b"NULL" {
            Applied::Same
        } else {
            detectors.value(element, Format::Text, &inner, &mut replaced)
        };
        match applied {
            Applied::Same => out.extend_from_slice(token),
            Applied::Replaced => {
                changed = true;
                out.push(b'"');
                for byte in replaced {
                    if matches!(byte, b'"' | b'\\') {
                        out.push(b'\\');
                    }
                    out.push(byte);
                }
                out.push(b'"');
            }
            Applied::Null => {
                out.truncate(start);
                return Applied::Null;
            }
        }
    }
    if changed {
        return Applied::Replaced;
    }
    out.truncate(start);
    Applied::Same
}

/// The place behind a quoted element, and its text.
fn quoted_element(value: &[u8], start: usize) -> (usize, Vec<u8>) {
    let mut inner = Vec::new();
    let mut at = start + 1;
    while let Some(&byte) = value.get(at) {
        at += 1;
        match byte {
            b'"' => return (at, inner),
            b'\\' => {
                inner.extend(value.get(at));
                at += 1;
            }
            _ => inner.push(byte),
        }
    }
    (value.len(), inner)
}

fn plain_element(value: &[u8], start: usize) -> (usize, Vec<u8>) {
    let length = value[start..]
        .iter()
        .position(|byte| matches!(byte, b'{' | b'}' | b',' | b';' | b'"'));
    let end = length.map_or(value.len(), |length| start + length);
    (end, value[start..end].to_vec())
}

/// Replaces what is found in the elements of an array's binary form.
pub(super) fn binary(detectors: &Detectors, element: Kind, value: &[u8], out: &mut Vec<u8>) -> Applied {
    let start = out.len();
    let applied = binary_elements(detectors, element, value, out).unwrap_or_else(|| {
        // not an array as the server writes it: nothing in it may pass that looks sensitive
        if detectors.finds(value) {
            Applied::Null
        } else {
            Applied::Same
        }
    });
    if applied != Applied::Replaced {
        out.truncate(start);
    }
    applied
}

fn binary_elements(detectors: &Detectors, element: Kind, value: &[u8], out: &mut Vec<u8>) -> Option<Applied> {
    let mut rest = value;
    let dimensions = usize::try_from(int(&mut rest)?)
        .ok()
        .filter(|count| *count <= DIMENSIONS)?;
    // flags, element type, then size and lower bound of each dimension
    let head = 12 + dimensions * 8;
    rest = value.get(head..)?;
    out.extend_from_slice(&value[..head]);
    let mut applied = Applied::Same;
    while !rest.is_empty() {
        let field = field(&mut rest)?;
        match copy(detectors, element, field, out) {
            Applied::Same => {}
            Applied::Replaced => applied = Applied::Replaced,
            Applied::Null => return Some(Applied::Null),
        }
    }
    Some(applied)
}

/// Copies one element with its length, replaced where something is found.
pub(super) fn copy(detectors: &Detectors, kind: Kind, field: Option<&[u8]>, out: &mut Vec<u8>) -> Applied {
    let Some(field) = field else {
        out.extend_from_slice(&(-1_i32).to_be_bytes());
        return Applied::Same;
    };
    let length = out.len();
    out.extend_from_slice(&[0; 4]);
    let applied = detectors.value(kind, Format::Binary, field, out);
    if applied == Applied::Same {
        out.extend_from_slice(field);
    }
    let Ok(size) = i32::try_from(out.len() - length - 4) else {
        return Applied::Null;
    };
    out[length..length + 4].copy_from_slice(&size.to_be_bytes());
    applied
}

/// Looks at the fields of a row's binary form. A row in which something is found becomes NULL: the types of its fields
/// need not be able to hold a replacement.
pub(super) fn record(detectors: &Detectors, value: &[u8]) -> Applied {
    let found = record_fields(detectors, value).unwrap_or_else(|| detectors.finds(value));
    if found { Applied::Null } else { Applied::Same }
}

fn record_fields(detectors: &Detectors, value: &[u8]) -> Option<bool> {
    let mut rest = value;
    let _count = int(&mut rest)?;
    let mut scratch = Vec::new();
    let mut found = false;
    while !rest.is_empty() {
        let kind = Kind::of(int(&mut rest)?.cast_unsigned());
        if let Some(field) = field(&mut rest)? {
            scratch.clear();
            // a row inside a row is read as bytes: no depth is followed
            found |= match kind {
                Kind::Record | Kind::Scanned | Kind::Other => detectors.finds(field),
                _ => detectors.value(kind, Format::Binary, field, &mut scratch) != Applied::Same,
            };
        }
    }
    Some(found)
}

pub(super) fn int(rest: &mut &[u8]) -> Option<i32> {
    let (bytes, after) = rest.split_first_chunk::<4>()?;
    *rest = after;
    Some(i32::from_be_bytes(*bytes))
}

/// Reads a length and so many bytes; the inner `None` is NULL.
pub(super) fn field<'a>(rest: &mut &'a [u8]) -> Option<Option<&'a [u8]>> {
    match int(rest)? {
        -1 => Some(None),
        length => {
            let length = usize::try_from(length).ok()?;
            let (bytes, after) = rest.split_at_checked(length)?;
            *rest = after;
            Some(Some(bytes))
        }
    }
}
