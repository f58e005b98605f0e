//! The binary form of the extension hstore under detectors: a count, then keys and values with their lengths.

use super::array::{copy, field, int};
use super::detect::{Detectors, is_secret_name};
use super::kind::Kind;
use super::replace::{Applied, text};
use crate::config::{Detector, MaskWith};

/// Replaces what is found in keys and values, and the value of a key that is called password or the like.
pub(super) fn binary(detectors: &Detectors, value: &[u8], out: &mut Vec<u8>) -> Applied {
    let start = out.len();
    let applied = pairs(detectors, value, out).unwrap_or_else(|| {
        // not as the extension writes it: nothing in it may pass that looks sensitive
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

fn pairs(detectors: &Detectors, value: &[u8], out: &mut Vec<u8>) -> Option<Applied> {
    let mut rest = value;
    int(&mut rest)?;
    out.extend_from_slice(value.get(..4)?);
    let mut applied = Applied::Same;
    while !rest.is_empty() {
        let key = field(&mut rest)?;
        let value = field(&mut rest)?;
        let secret = detectors
            .with(Detector::PasswordField)
            .filter(|_| key.is_some_and(is_secret_name));
        let redacted;
        let (value, replaced) = match (secret, value) {
            (Some(MaskWith::Null), Some(_)) => return Some(Applied::Null),
            (Some(with), Some(value)) => {
                let mut new = Vec::new();
                text(with, value, detectors.key(), &mut new);
                redacted = new;
                (Some(redacted.as_slice()), true)
            }
            (_, value) => (value, false),
        };
        for part in [key, value] {
            match copy(detectors, Kind::Text, part, out) {
                Applied::Same => {}
                Applied::Replaced => applied = Applied::Replaced,
                Applied::Null => return Some(Applied::Null),
            }
        }
        if replaced {
            applied = Applied::Replaced;
        }
    }
    Some(applied)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mask::HashKey;

    fn written(pairs: &[(&str, Option<&str>)]) -> Vec<u8> {
        let mut out = u32::try_from(pairs.len()).unwrap_or_default().to_be_bytes().to_vec();
        for (key, value) in pairs {
            for part in [Some(*key), *value] {
                let length = part.map_or(-1, |text| i32::try_from(text.len()).unwrap_or_default());
                out.extend(length.to_be_bytes());
                out.extend(part.unwrap_or_default().as_bytes());
            }
        }
        out
    }

    #[test]
    fn keys_and_values_are_looked_at() {
        let detectors = Detectors::new(
            [
                (Detector::Email, MaskWith::Redact),
                (Detector::PasswordField, MaskWith::Redact),
            ],
            HashKey::new([1; 32]),
        );
        let mask = |value: &[u8]| {
            let mut out = Vec::new();
            (binary(&detectors, value, &mut out), out)
        };
        let clear = written(&[("a", Some("1")), ("b", None)]);
        assert_eq!(mask(&clear), (Applied::Same, Vec::new()));
        let value = written(&[("a@example.com", Some("b@example.com")), ("password", Some("x"))]);
        let expected = written(&[("***", Some("***")), ("password", Some("***"))]);
        assert_eq!(mask(&value), (Applied::Replaced, expected));
        assert_eq!(mask(&value[..30]).0, Applied::Null, "cut off behind an address");
    }
}
