#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use proptest::prelude::*;

use super::*;

/// Values as PostgreSQL 15 sends them in binary, and as it writes them as text.
const VALUES: &[(u32, &str, &str)] = &[
    (16, "01", "t"),
    (20, "8000000000000000", "-9223372036854775808"),
    (21, "fff9", "-7"),
    (23, "0000002a", "42"),
    (26, "ffffffff", "4294967295"),
    (700, "3fc00000", "1.5"),
    (701, "bfb999999999999a", "-0.1"),
    (701, "fff0000000000000", "-Infinity"),
    (1700, "0000000000000000", "0"),
    (1700, "0003000100000003007b11d722c4", "1234567.890"),
    (1700, "0002ffff40000005000107d0", "-0.00012"),
    (1700, "00010002000000000001", "100000000"),
    (1700, "0001ffff000000011388", "0.5"),
    (1700, "00000000c0000000", "NaN"),
    (1700, "0000000000000002", "0.00"),
    (
        2950,
        "550e8400e29b41d4a716446655440000",
        "550e8400-e29b-41d4-a716-446655440000",
    ),
    (1082, "00002279", "2024-02-29"),
    (1082, "fff49d7b", "0044-03-15 BC"),
    (1082, "7fffffff", "infinity"),
    (1083, "000000036c966ee0", "04:05:06.7"),
    (1114, "fffffffffff0bdc1", "1999-12-31 23:59:59.000001"),
    (1184, "0002b0ec8515f340", "2024-01-02 03:04:05+00"),
    (1184, "ff1fc63d1bb12000", "0001-01-01 00:00:00+00 BC"),
    (
        1186,
        "000000036c966ee0000000030000000e",
        "1 year 2 mons 3 days 04:05:06.7",
    ),
    (1186, "fffffffffff0bdc00000000000000000", "-00:00:01"),
    (1186, "00000000000000000000000000000000", "00:00:00"),
    (869, "02200004c0a80001", "192.168.0.1"),
    (869, "02180004c0a80001", "192.168.0.1/24"),
    (650, "020801040a000000", "10.0.0.0/8"),
    (869, "0380001000000000000000000000000000000001", "::1"),
    (114, "7b2261223a20317d", "{\"a\": 1}"),
    (3802, "017b2261223a20317d", "{\"a\": 1}"),
    (17, "deadbeef", "\\xdeadbeef"),
    (
        1007,
        "00000001000000010000001700000003000000010000000400000001ffffffff0000000400000003",
        "{1,NULL,3}",
    ),
    (
        1009,
        "0000000200000000000000190000000200000001000000020000000100000003612062000000016300000000000000036e2271",
        "{{\"a b\",c},{\"\",\"n\\\"q\"}}",
    ),
    (1009, "000000000000000000000019", "{}"),
    (
        1009,
        "0000000100000000000000190000000200000001000000044e554c4c0000000178",
        "{\"NULL\",x}",
    ),
];

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap())
        .collect()
}

#[test]
fn binary_values_read_as_the_server_writes_them() {
    for (oid, binary, text) in VALUES {
        assert_eq!(
            value_text(*oid, Format::Binary, &unhex(binary)),
            *text,
            "{oid} {binary}"
        );
    }
}

fn frame(tag: u8, body: &[u8]) -> Vec<u8> {
    let mut frame = vec![tag];
    frame.extend(u32::try_from(body.len() + 4).unwrap().to_be_bytes());
    frame.extend(body);
    frame
}

fn content() -> Vec<u8> {
    let mut description = vec![0, 2];
    for (name, oid, format) in [("id", 23_u32, 1_u16), ("ssn", 25, 0)] {
        description.extend(name.as_bytes());
        description.extend([0; 7]);
        description.extend(oid.to_be_bytes());
        description.extend([0; 6]);
        description.extend(format.to_be_bytes());
    }
    let mut content = frame(b'T', &description);
    for id in 1..=3_u8 {
        let mut row = vec![0, 2, 0, 0, 0, 4, 0, 0, 0, id];
        if id == 2 {
            row.extend([0xff; 4]);
        } else {
            row.extend(b"\0\0\0\x03***");
        }
        content.extend(frame(b'D', &row));
    }
    content.extend(frame(b'C', b"SELECT 3\0"));
    content
}

#[test]
fn a_recorded_result_reads_as_columns_and_rows() {
    let rows = decode(&content(), 100);
    assert_eq!(rows.columns, ["id", "ssn"]);
    let text = |text: &str| Some(text.to_owned());
    assert_eq!(
        rows.rows,
        [[text("1"), text("***")], [text("2"), None], [text("3"), text("***")]]
    );
    assert_eq!(decode(&content(), 2).rows.len(), 2);
}

#[test]
fn a_recorded_copy_reads_line_by_line() {
    let mut content = frame(b'H', &[0, 0, 1, 0, 0]);
    content.extend(frame(b'd', b"1\t***\n"));
    content.extend(frame(b'd', b"\0\x01\xff"));
    let rows = decode(&content, 100);
    assert_eq!(rows.columns, ["copy"]);
    assert_eq!(rows.rows, [[Some("1\t***".to_owned())], [Some("\\x0001ff".to_owned())]]);
}

#[test]
fn long_values_are_cut() {
    let mut row = vec![0, 1];
    row.extend(100_000_u32.to_be_bytes());
    row.extend("ä".repeat(50_000).into_bytes());
    let shown = decode(&frame(b'D', &row), 1);
    let value = shown.rows[0][0].as_ref().unwrap();
    assert!(value.ends_with("… (100000 bytes)") && value.len() < 66_000);
}

proptest! {
    #[test]
    fn content_that_was_cut_is_shown_as_far_as_it_goes(cut in 0..200_usize) {
        let content = content();
        let rows = decode(&content[..cut.min(content.len())], 100);
        prop_assert!(rows.rows.len() <= 3);
    }

    #[test]
    fn any_bytes_are_taken(content in proptest::collection::vec(any::<u8>(), 0..100), oid in prop::sample::select(vec![16_u32, 20, 700, 1700, 1082, 1083, 1114, 1184, 1186, 869, 3802, 1007, 1009, 2249, 3807, 2950, 99_999])) {
        let _ = decode(&content, 10);
        let _ = value_text(oid, Format::Binary, &content);
    }
}
