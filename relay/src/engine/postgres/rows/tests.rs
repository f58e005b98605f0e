#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::collections::HashMap;
use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::config::{Detector, MaskWith};
use crate::engine::postgres::codec::backend::data_row;
use crate::inspect::sql::{ColumnRef, Lineage, Origin};
use crate::mask::{Detectors, HashKey};

fn row(values: &[Option<&[u8]>]) -> Vec<u8> {
    let mut body = u16::try_from(values.len()).unwrap().to_be_bytes().to_vec();
    for value in values {
        match value {
            None => body.extend((-1_i32).to_be_bytes()),
            Some(value) => {
                body.extend(i32::try_from(value.len()).unwrap().to_be_bytes());
                body.extend(*value);
            }
        }
    }
    body
}

/// Three text columns; the second is masked, e-mail addresses are detected.
fn plan() -> Plan {
    let column = ColumnRef { relation: 1, attnum: 2 };
    let origins = (1..=3).map(|attnum| Origin {
        copied: vec![ColumnRef { relation: 1, attnum }],
        ..Origin::default()
    });
    let columns: Vec<Described> = (1..=3)
        .map(|attnum| Described {
            name: "c".to_owned(),
            table_oid: 1,
            attnum,
            kind: Kind::Text,
            format: Format::Text,
        })
        .collect();
    let detectors = Arc::new(Detectors::new(
        [(Detector::Email, MaskWith::Redact)],
        HashKey::new([1; 32]),
    ));
    let masked = HashMap::from([(column, MaskWith::Partial { keep_last: 4 })]);
    Plan::new(
        &Lineage::Columns(origins.collect()),
        &columns,
        &masked,
        true,
        &detectors,
    )
    .unwrap()
}

type Values = Vec<Option<Vec<u8>>>;

fn masked(body: &[u8]) -> Result<(Row, Values), RowError> {
    let mut out = BytesMut::from(&b"before"[..]);
    let row = mask_row(&plan(), body, 1000, &mut out).inspect_err(|_| assert_eq!(&out[..], b"before"))?;
    let Row::Rewritten(_) = row else {
        assert_eq!(&out[..], b"before");
        return Ok((row, Vec::new()));
    };
    let message = &out[6..];
    assert_eq!(message[0], b'D');
    assert_eq!(
        u32::from_be_bytes(message[1..5].try_into().unwrap()) as usize,
        message.len() - 1
    );
    let values = data_row(&message[5..]).unwrap();
    Ok((row, values.into_iter().map(|value| value.map(<[u8]>::to_vec)).collect()))
}

#[test]
fn values_are_replaced_and_counted() {
    let (row, values) = masked(&row(&[Some(b"ana@example.com"), Some(b"123-45-6789"), None])).unwrap();
    assert_eq!(row, Row::Rewritten(2));
    assert_eq!(values, [Some(b"***".to_vec()), Some(b"*******6789".to_vec()), None]);
}

#[test]
fn a_row_without_anything_to_replace_passes_as_it_is() {
    assert_eq!(masked(&row(&[Some(b"x"), None, Some(b"")])).unwrap().0, Row::Same);
}

#[test]
fn what_is_no_row_of_the_plan_does_not_leave() {
    let good = row(&[Some(b"a"), Some(b"123-45-6789"), Some(b"c")]);
    for cut in 0..good.len() {
        assert!(masked(&good[..cut]).is_err(), "{cut}");
    }
    assert!(matches!(
        masked(&[&good[..], b"x"].concat()),
        Err(RowError::Decode(DecodeError::Trailing))
    ));
    assert!(matches!(
        masked(&row(&[Some(b"a")])),
        Err(RowError::Columns { found: 1, expected: 3 })
    ));
    let mut negative = good.clone();
    negative[2..6].copy_from_slice(&(-2_i32).to_be_bytes());
    assert!(masked(&negative).is_err());
    let long = row(&[Some(&[b'a'; 2000]), Some(b"123-45-6789"), None]);
    assert!(matches!(masked(&long), Err(RowError::TooLong { .. })));
}

#[test]
fn formats_are_the_portals() {
    let column = |name: &[u8]| Column {
        name: name.into(),
        relation: 0,
        attnum: 0,
        type_oid: 25,
        modifier: -1,
        format: frontend::Format::Text,
    };
    let columns = [column(b"a"), column(b"b")];
    let formats = |formats: &[frontend::Format]| {
        described(&columns, formats, Kind::of)
            .iter()
            .map(|column| column.format)
            .collect::<Vec<_>>()
    };
    assert_eq!(formats(&[]), [Format::Text, Format::Text]);
    assert_eq!(formats(&[frontend::Format::Binary]), [Format::Binary, Format::Binary]);
    assert_eq!(
        formats(&[frontend::Format::Text, frontend::Format::Binary]),
        [Format::Text, Format::Binary]
    );
}

proptest! {
    #[test]
    fn no_masked_value_survives(a in "[a-z]{0,9}", ssn in "[0-9]{3}-[0-9]{2}-[0-9]{4}", c in "[a-z]{0,9}") {
        let (_, values) = masked(&row(&[Some(a.as_bytes()), Some(ssn.as_bytes()), Some(c.as_bytes())])).unwrap();
        prop_assert_eq!(&values[0], &Some(a.into_bytes()));
        let expected = format!("*******{}", &ssn[7..]).into_bytes();
        prop_assert_eq!(&values[1], &Some(expected));
        prop_assert_eq!(&values[2], &Some(c.into_bytes()));
    }

    #[test]
    fn any_bytes_are_taken(body in proptest::collection::vec(any::<u8>(), 0..60)) {
        let _ = masked(&body);
    }
}
