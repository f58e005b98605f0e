#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::collections::HashMap;
use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::config::{Detector, MaskWith};
use crate::mask::HashKey;

const SSN: i16 = 2;

fn copy(format: CopyFormat) -> CopyOut {
    let origins = (1..=3).map(|attnum| Origin {
        copied: vec![ColumnRef { relation: 1, attnum }],
        ..Origin::default()
    });
    CopyOut {
        format,
        delimiter: if format == CopyFormat::Csv { b',' } else { b'\t' },
        null: if format == CopyFormat::Csv { "" } else { "\\N" }.to_owned(),
        quote: b'"',
        escape: b'"',
        header: false,
        force_quote: Some(Vec::new()),
        lineage: Lineage::Columns(origins.collect()),
    }
}

/// id int, ssn text, note text: ssn is masked, e-mail addresses are detected.
fn mask_with(copy: &CopyOut, with: MaskWith, longest: usize) -> CopyMask {
    let detectors = Arc::new(Detectors::new(
        [(Detector::Email, MaskWith::Redact)],
        HashKey::new([1; 32]),
    ));
    let masked = HashMap::from([(
        ColumnRef {
            relation: 1,
            attnum: SSN,
        },
        with,
    )]);
    let kind = |column: &ColumnRef| Some(if column.attnum == 1 { Kind::of(23) } else { Kind::of(25) });
    CopyMask::new(copy, plan(copy, 3, kind, &masked, true, &detectors).unwrap(), longest)
}

fn partial() -> MaskWith {
    MaskWith::Partial { keep_last: 4 }
}

/// The bodies of the messages that leave.
fn bodies(out: &[u8]) -> Vec<Vec<u8>> {
    let mut bodies = Vec::new();
    let mut rest = out;
    while !rest.is_empty() {
        assert_eq!(rest[0], b'd');
        let length = u32::from_be_bytes(rest[1..5].try_into().unwrap()) as usize;
        bodies.push(rest[5..=length].to_vec());
        rest = &rest[1 + length..];
    }
    bodies
}

fn run(copy: &CopyOut, with: MaskWith, chunks: &[&[u8]]) -> Result<(Vec<Vec<u8>>, u64), CopyError> {
    let mut mask = mask_with(copy, with, 10_000);
    let mut out = BytesMut::new();
    for chunk in chunks {
        mask.data(chunk, &mut out)?;
    }
    mask.done()?;
    Ok((bodies(&out), mask.masked()))
}

/// Masks a stream in one piece, split at every byte, and byte by byte: all must give the same.
fn whole(copy: &CopyOut, with: MaskWith, data: &[u8]) -> (Vec<Vec<u8>>, u64) {
    let result = run(copy, with, &[data]).unwrap();
    for at in 0..=data.len() {
        assert_eq!(
            run(copy, with, &[&data[..at], &data[at..]]).unwrap(),
            result,
            "split at {at}"
        );
    }
    let bytes: Vec<&[u8]> = data.chunks(1).collect();
    assert_eq!(run(copy, with, &bytes).unwrap(), result);
    result
}

fn text_of((bodies, _): (Vec<Vec<u8>>, u64)) -> String {
    String::from_utf8(bodies.concat()).unwrap()
}

#[test]
fn text_is_unescaped_masked_and_escaped_again() {
    let copy = copy(CopyFormat::Text);
    // as PostgreSQL 15 writes it
    let data = "1\t123-45-6789\tplain\n2\t\\N\ttab\\there\\nline\\\\slash\n3\t078-05-1120\tsay \"hi\", ana@example.com\n4\t\t\n";
    let (rows, masked) = whole(&copy, partial(), data.as_bytes());
    assert_eq!(rows.len(), 4, "a message for each row");
    assert_eq!(masked, 4);
    assert_eq!(
        String::from_utf8(rows.concat()).unwrap(),
        "1\t*******6789\tplain\n2\t\\N\ttab\\there\\nline\\\\slash\n3\t*******1120\tsay \"hi\", ***\n4\t\t\n"
    );
    assert_eq!(text_of(whole(&copy, MaskWith::Null, b"1\tx\ty\n")), "1\t\\N\ty\n");
    // the value is `secret12`, tab, backslash, `34`: its last four characters are escaped again
    assert_eq!(
        text_of(whole(&copy, partial(), b"1\tsecret12\\t\\\\34\ty\n")),
        "1\t********\\t\\\\34\ty\n"
    );
}

#[test]
fn a_text_header_and_another_marker_for_null() {
    let copy = CopyOut {
        header: true,
        null: "x".to_owned(),
        delimiter: b'|',
        ..copy(CopyFormat::Text)
    };
    let data = b"id|ssn|note\n1|123-45-6789|plain\n2|x|a\\|b\n";
    assert_eq!(
        text_of(whole(&copy, MaskWith::Redact, data)),
        "id|ssn|note\n1|***|plain\n2|x|a\\|b\n"
    );
    assert_eq!(
        text_of(whole(&copy, MaskWith::Null, data)),
        "id|ssn|note\n1|x|plain\n2|x|a\\|b\n"
    );
}

#[test]
fn csv_keeps_its_quotes() {
    let copy = copy(CopyFormat::Csv);
    let data = "1,123-45-6789,plain\n2,,\"tab\there\nline\\slash\"\n3,078-05-1120,\"say \"\"hi\"\", ana@example.com\"\n4,\"\",\"\"\n";
    let (rows, masked) = whole(&copy, partial(), data.as_bytes());
    assert_eq!((rows.len(), masked), (4, 4));
    assert_eq!(
        String::from_utf8(rows.concat()).unwrap(),
        "1,*******6789,plain\n2,,\"tab\there\nline\\slash\"\n3,*******1120,\"say \"\"hi\"\", ***\"\n4,\"\",\"\"\n"
    );
    assert_eq!(text_of(whole(&copy, MaskWith::Null, b"1,\"a,b\",c\n")), "1,,c\n");
}

#[test]
fn csv_with_everything_changed() {
    let copy = CopyOut {
        delimiter: b';',
        quote: b'\'',
        escape: b'\\',
        null: "N".to_owned(),
        header: true,
        ..copy(CopyFormat::Csv)
    };
    let data =
        "id;ssn;note\n1;123-45-6789;plain\n2;N;'tab\there\nline\\\\slash'\n3;'078;05\\'1120';'ana@example.com'\n";
    assert_eq!(
        text_of(whole(&copy, partial(), data.as_bytes())),
        "id;ssn;note\n1;*******6789;plain\n2;N;'tab\there\nline\\\\slash'\n3;'*******1120';'***'\n"
    );
    let star = CopyOut {
        null: "***".to_owned(),
        ..copy
    };
    assert_eq!(
        text_of(whole(&star, MaskWith::Redact, b"h\n1;x;y\n")),
        "h\n1;'***';y\n",
        "a mask is not taken for NULL"
    );
}

#[test]
fn binary_keeps_its_header_and_trailer() {
    let copy = copy(CopyFormat::Binary);
    let mut data = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0".to_vec();
    let rows: [[Option<&[u8]>; 3]; 2] = [
        [Some(&[0, 0, 0, 1]), Some(b"123-45-6789"), Some(b"ana@example.com")],
        [Some(&[0, 0, 0, 2]), None, Some(b"x")],
    ];
    for row in rows {
        data.extend([0, 3]);
        for value in row {
            data.extend(
                value
                    .map_or(-1, |value| i32::try_from(value.len()).unwrap())
                    .to_be_bytes(),
            );
            data.extend(value.unwrap_or_default());
        }
    }
    data.extend([0xff, 0xff]);
    let (bodies, masked) = whole(&copy, partial(), &data);
    assert_eq!(masked, 2);
    assert_eq!(
        bodies.len(),
        3,
        "header with the first row, the second row, the trailer alone"
    );
    assert!(bodies[0].starts_with(b"PGCOPY\n\xff\r\n\0"));
    assert!(bodies[0].ends_with(b"\0\0\0\x0b*******6789\0\0\0\x03***"));
    assert_eq!(bodies[1], data[data.len() - 2 - 19..data.len() - 2]);
    assert_eq!(bodies[2], [0xff, 0xff]);
    let nulled = whole(&copy, MaskWith::Null, &data).0;
    assert!(!nulled.concat().windows(5).any(|part| part == b"-6789"));

    let mut empty = data[..19].to_vec();
    empty.extend([0xff, 0xff]);
    assert_eq!(whole(&copy, partial(), &empty).0, [empty]);
    for cut in 1..data.len() {
        assert!(
            run(&copy, partial(), &[&data[..cut]]).is_err()
                || cut == data.len() - 2
                || bodies_are_prefix(&copy, &data[..cut]),
            "{cut}"
        );
    }
    data.push(0);
    assert_eq!(
        run(&copy, partial(), &[&data]),
        Err(CopyError::Malformed),
        "nothing follows the trailer"
    );
    assert!(run(&copy, partial(), &[b"PGCOPX\n\xff\r\n\0"]).is_err());
    let mut with_oids = b"PGCOPY\n\xff\r\n\0".to_vec();
    with_oids.extend([0, 1, 0, 0, 0, 0, 0, 0]);
    assert_eq!(run(&copy, partial(), &[&with_oids]), Err(CopyError::Malformed));
}

/// A cut between rows leaves what is before it, masked.
fn bodies_are_prefix(copy: &CopyOut, data: &[u8]) -> bool {
    run(copy, partial(), &[data])
        .is_ok_and(|(bodies, _)| !bodies.concat().windows(11).any(|part| part == b"123-45-6789"))
}

#[test]
fn what_is_not_of_the_plan_or_too_long_does_not_leave() {
    let text = copy(CopyFormat::Text);
    for data in ["1\t2\n", "1\t2\t3\t4\n", "\n"] {
        assert_eq!(
            run(&text, partial(), &[data.as_bytes()]),
            Err(CopyError::Columns(3)),
            "{data:?}"
        );
    }
    assert_eq!(
        run(&text, partial(), &[b"1\t2\t3"]),
        Err(CopyError::Malformed),
        "a row without an end"
    );
    let mut mask = mask_with(&text, partial(), 100);
    let mut out = BytesMut::new();
    assert_eq!(mask.data(&[b'x'; 101], &mut out), Err(CopyError::TooLong(100)));
    assert!(out.is_empty());
    let mut mask = mask_with(&text, partial(), 100);
    for _ in 0..10 {
        assert!(mask.data(&[b'x'; 9], &mut out).is_ok());
    }
    assert!(mask.data(&[b'x'; 11], &mut out).is_err(), "what waits is bounded");
}

#[test]
fn a_plan_needs_the_servers_number_of_columns() {
    let copy = copy(CopyFormat::Text);
    let detectors = Arc::new(Detectors::new([], HashKey::new([1; 32])));
    let masked = HashMap::from([(
        ColumnRef {
            relation: 1,
            attnum: SSN,
        },
        MaskWith::Redact,
    )]);
    let text = |_: &ColumnRef| Some(Kind::Text);
    assert!(plan(&copy, 2, text, &masked, true, &detectors).is_err());
    let unknown = CopyOut {
        lineage: Lineage::Unknown,
        ..copy
    };
    let plan = plan(&unknown, 2, text, &masked, true, &detectors).unwrap();
    let mut mask = CopyMask::new(&unknown, plan, 1000);
    let mut out = BytesMut::new();
    mask.data(b"a\tb\n", &mut out).unwrap();
    assert_eq!(
        bodies(&out),
        [b"\\N\t\\N\n"],
        "nothing is known of it, something masked is in reach"
    );
}

/// Writes rows as the server does.
fn csv_row(values: &[String]) -> String {
    let quote = |value: &String| format!("\"{}\"", value.replace('"', "\"\""));
    format!("{}\n", values.iter().map(quote).collect::<Vec<_>>().join(","))
}

fn text_row(values: &[String]) -> String {
    let escape = |value: &String| {
        value
            .replace('\\', "\\\\")
            .replace('\t', "\\t")
            .replace('\n', "\\n")
            .replace('\r', "\\r")
    };
    format!("{}\n", values.iter().map(escape).collect::<Vec<_>>().join("\t"))
}

proptest! {
    #[test]
    fn any_chunking_masks_the_same_and_no_clear_value_survives(
        notes in proptest::collection::vec("[ -~\t\n\r\\\\\",]{0,20}", 1..6),
        cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..6),
        csv in any::<bool>(),
    ) {
        let copy = copy(if csv { CopyFormat::Csv } else { CopyFormat::Text });
        let rows: Vec<[String; 3]> = notes.iter().enumerate().map(|(index, note)| [index.to_string(), format!("secret-{index:04}"), note.clone()]).collect();
        let write = if csv { csv_row } else { text_row };
        let data: String = rows.iter().map(|row| write(row)).collect();
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(data.len())).collect();
        cuts.extend([0, data.len()]);
        cuts.sort_unstable();
        let chunks: Vec<&[u8]> = cuts.windows(2).map(|pair| &data.as_bytes()[pair[0]..pair[1]]).collect();
        let (whole, masked) = run(&copy, partial(), &[data.as_bytes()]).unwrap();
        prop_assert_eq!(&run(&copy, partial(), &chunks).unwrap().0, &whole);
        prop_assert!(masked >= rows.len() as u64);
        let expected: String = rows.iter().map(|[id, ssn, note]| write(&[id.clone(), format!("*******{}", &ssn[7..]), note.clone()])).collect();
        prop_assert_eq!(String::from_utf8(whole.concat()).unwrap(), expected);
    }

    #[test]
    fn any_bytes_are_taken(data in proptest::collection::vec(any::<u8>(), 0..80), format in 0..3_usize) {
        let format = [CopyFormat::Text, CopyFormat::Csv, CopyFormat::Binary][format];
        let _ = run(&copy(format), partial(), &[&data]);
        let mut with_header = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0".to_vec();
        with_header.extend(data);
        let _ = run(&copy(CopyFormat::Binary), partial(), &[&with_header]);
    }
}
