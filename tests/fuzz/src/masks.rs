//! What a target sends to be masked: rows, and copies in all three formats. No panic, every cut of a copy gives the same, and
//! no raw value of a masked column leaves.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use bytes::BytesMut;
use hoop_relay::config::{Detector, MaskWith};
use hoop_relay::engine::postgres::codec::backend::data_row;
use hoop_relay::engine::postgres::copy_out::{self, CopyMask};
use hoop_relay::engine::postgres::rows::{Row, mask_row};
use hoop_relay::inspect::sql::{ColumnRef, CopyFormat, CopyOut, Lineage, Origin};
use hoop_relay::mask::{Described, Detectors, Format, HashKey, Kind, Plan};

const LONGEST: usize = 10_000;
/// int4, text, text[], jsonb, text: the second is masked, the others are looked at by detectors.
const TYPES: [u32; 5] = [23, 25, 1009, 3802, 25];

static DETECTORS: LazyLock<Arc<Detectors>> = LazyLock::new(|| {
    let all = [
        Detector::Email,
        Detector::CreditCard,
        Detector::UsSsn,
        Detector::Iban,
        Detector::Phone,
        Detector::Jwt,
        Detector::PrivateKey,
        Detector::AwsKey,
        Detector::GithubToken,
        Detector::PasswordField,
    ];
    Arc::new(Detectors::new(
        all.map(|detector| (detector, MaskWith::Redact)),
        HashKey::new([1; 32]),
    ))
});

fn column(index: usize) -> ColumnRef {
    ColumnRef {
        relation: 1,
        attnum: i16::try_from(index).unwrap_or(0) + 1,
    }
}

fn lineage() -> Lineage {
    let origin = |index| Origin {
        copied: vec![column(index)],
        ..Origin::default()
    };
    Lineage::Columns((0..TYPES.len()).map(origin).collect())
}

fn masked(with: MaskWith) -> HashMap<ColumnRef, MaskWith> {
    HashMap::from([(column(1), with)])
}

fn copy(copy: &CopyOut, with: MaskWith, pieces: &mut dyn Iterator<Item = &[u8]>) -> Option<Vec<u8>> {
    let kind = |column: &ColumnRef| {
        TYPES
            .get(usize::try_from(column.attnum - 1).ok()?)
            .map(|oid| Kind::of(*oid))
    };
    let plan = copy_out::plan(copy, TYPES.len(), kind, &masked(with), true, &DETECTORS).ok()?;
    let mut mask = CopyMask::new(copy, plan, LONGEST);
    let mut out = BytesMut::new();
    for piece in pieces {
        mask.data(piece, &mut out).ok()?;
    }
    mask.done().ok()?;
    Some(out.to_vec())
}

fn row(with: MaskWith, format: Format, body: &[u8]) {
    let described: Vec<Described> = TYPES
        .iter()
        .enumerate()
        .map(|(index, oid)| Described {
            name: "c".to_owned(),
            table_oid: 1,
            attnum: column(index).attnum,
            kind: Kind::of(*oid),
            format,
        })
        .collect();
    let Ok(plan) = Plan::new(&lineage(), &described, &masked(with), true, &DETECTORS) else {
        panic!("a plan")
    };
    let mut out = BytesMut::new();
    match mask_row(&plan, body, LONGEST, &mut out) {
        Ok(Row::Same) => {
            assert!(out.is_empty());
            if let Ok(values) = data_row(body) {
                assert!(
                    values.len() != TYPES.len() || values[1].is_none(),
                    "a masked value leaves as it came"
                );
            }
        }
        Ok(Row::Rewritten(_)) => {
            let before = data_row(body).expect("a row was rewritten");
            let after = data_row(&out[5..]).expect("a row leaves");
            assert_eq!(before.len(), after.len());
            assert_eq!(
                u32::from_be_bytes([out[1], out[2], out[3], out[4]]) as usize,
                out.len() - 1
            );
            assert!(
                before[1].is_none() || before[1] == Some(b"***") || before[1] != after[1] || with != MaskWith::Redact
            );
        }
        Err(_) => assert!(out.is_empty()),
    }
}

/// Runs one input.
pub fn run(bytes: &[u8]) {
    let [choice, rest @ ..] = bytes else { return };
    let with = match (choice >> 4) & 3 {
        0 => MaskWith::Redact,
        1 => MaskWith::Partial { keep_last: 4 },
        2 => MaskWith::Hash,
        _ => MaskWith::Null,
    };
    let form = match choice & 3 {
        0 => CopyFormat::Text,
        1 => CopyFormat::Csv,
        2 => CopyFormat::Binary,
        _ => {
            let format = if choice & 4 == 0 { Format::Text } else { Format::Binary };
            return row(with, format, rest);
        }
    };
    let form = CopyOut {
        format: form,
        delimiter: if form == CopyFormat::Csv { b',' } else { b'\t' },
        null: if form == CopyFormat::Csv { "" } else { "\\N" }.to_owned(),
        quote: b'"',
        escape: if choice & 4 == 0 { b'"' } else { b'\\' },
        header: choice & 8 != 0,
        force_quote: Some(Vec::new()),
        lineage: lineage(),
    };
    let whole = copy(&form, with, &mut std::iter::once(rest));
    assert_eq!(whole, copy(&form, with, &mut rest.chunks(1)));
    // What the cheap first look lets pass holds nothing for the thorough one.
    if !DETECTORS.suspects(rest) {
        let mut out = Vec::new();
        assert_eq!(DETECTORS.text(rest, &mut out), hoop_relay::mask::Applied::Same);
    }
}
