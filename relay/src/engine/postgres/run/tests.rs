#![allow(clippy::unwrap_used, reason = "tests")]

use proptest::prelude::*;

use super::*;

fn message(tag: u8, body: &[u8]) -> Vec<u8> {
    let mut out = BytesMut::new();
    write::message(&mut out, tag, |out| out.extend_from_slice(body));
    out.to_vec()
}

fn batches() -> Vec<Vec<u8>> {
    let query = |text: &str| message(b'Q', text.as_bytes());
    let extended = [
        message(b'P', b"\0select $1\0\0\0"),
        message(b'B', b"\0\0\0\0\0\0\0\0"),
        message(b'E', b"\0\0\0\0\0"),
        message(b'S', b""),
    ];
    vec![query("select 1\0"), extended.concat(), query("select 2\0")]
}

#[test]
fn a_batch_is_a_query_or_everything_up_to_a_sync() {
    let batches = batches();
    let all = batches.concat();
    let mut sent = Sent::default();
    let mut at = 0;
    for batch in &batches {
        let (taken, ended) = sent.take_batch(&all[at..]);
        assert_eq!((taken, ended), (batch.len(), 1));
        assert!(sent.is_between());
        at += taken;
    }
    assert_eq!(at, all.len());
}

#[test]
fn a_farewell_is_seen_and_ends_no_batch() {
    let mut sent = Sent::default();
    assert_eq!(sent.take(&message(b'X', b"")), 0);
    assert!(sent.says_farewell && sent.is_between());
}

proptest! {
    #[test]
    fn pieces_are_as_good_as_the_whole(cuts in prop::collection::vec(0_usize..200, 0..6)) {
        let all = batches().concat();
        let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(all.len())).collect();
        cuts.push(all.len());
        cuts.sort_unstable();
        let (mut sent, mut ended, mut from) = (Sent::default(), 0, 0);
        for cut in cuts {
            ended += sent.take(&all[from..cut]);
            from = cut;
        }
        prop_assert_eq!(ended, 3);
        prop_assert!(sent.is_between());
    }

    #[test]
    fn no_bytes_make_it_panic_or_stand_still(bytes in any::<Vec<u8>>()) {
        let mut sent = Sent::default();
        sent.take(&bytes);
    }
}
