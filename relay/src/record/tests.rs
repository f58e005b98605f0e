#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test stops at the first surprise"
)]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use hoop_shared::api::{EffectShown, PrincipalKind};
use hoop_shared::id::SessionId;
use hoop_shared::protocol::Protocol;
use proptest::prelude::*;
use time::OffsetDateTime;

use super::*;
use crate::mask::{Masks, Recordable, SecretParameters};

const LONGEST: u64 = 64 << 20;

struct World {
    dir: tempfile::TempDir,
}

impl World {
    fn new() -> Self {
        Self {
            dir: tempfile::tempdir().unwrap(),
        }
    }

    fn open_with(&self, full: bool, sync: Option<Duration>, longest: u64) -> Recordings {
        let keys = Keys::open(self.dir.path()).unwrap();
        Recordings::open(self.dir.path(), keys, full, sync, longest).unwrap()
    }

    fn open(&self) -> Recordings {
        self.open_with(true, Some(Duration::from_millis(5)), LONGEST)
    }
}

fn header() -> Header {
    Header {
        session: SessionId::random().unwrap(),
        connection: "db-prod".to_owned(),
        protocol: Protocol::Postgres,
        principal: "ana".to_owned(),
        principal_kind: PrincipalKind::User,
        groups: vec!["engineers".to_owned()],
        issuer: "https://example.okta.com".to_owned(),
        subject: "0oa1".to_owned(),
        reason: Some("incident 7".to_owned()),
        source: [127, 0, 0, 1].into(),
        started: OffsetDateTime::UNIX_EPOCH,
    }
}

fn statement(text: &str, decision: Answer) -> Event {
    let masks = Masks::compile(&[], "db-prod", &[5; 32]).unwrap();
    Event {
        stream: Some(1),
        statement: Some(masks.scrubber().statement(text).into()),
        parameters: Some(
            masks
                .scrubber()
                .parameters(&SecretParameters::of(text), [(25, "text", Some("x\n\"é"))]),
        ),
        effects: [EffectShown {
            action: "sql:select".to_owned(),
            resource: "db-prod/public.t".to_owned(),
        }]
        .into(),
        decision: Some(decision),
        rules: ["r1".to_owned()].into(),
        ..Event::new(Kind::Statement)
    }
}

fn result(rows: u64, masked: u64) -> Event {
    Event {
        stream: Some(1),
        rows: Some(rows),
        masked: Some(masked),
        command: Some(format!("SELECT {rows}")),
        ..Event::new(Kind::Result)
    }
}

/// Shows content as it is, a row a kilobyte.
fn decode(_: Protocol, content: &[u8], most: usize) -> Rows {
    Rows {
        columns: vec!["content".to_owned()],
        rows: content
            .chunks(1024)
            .take(most)
            .map(|row| vec![Some(String::from_utf8_lossy(row).into_owned())])
            .collect(),
    }
}

/// A session with everything that a recording can hold: short and long results, parts of two streams among each other.
fn record(recorder: &Recorder) {
    recorder.append(&statement("SELECT 1", Answer::Allow)).unwrap();
    let mut short = recorder.output(Some(1));
    recorder
        .extend(&mut short, &Recordable::of(&b"short result"[..]))
        .unwrap();
    recorder.finish(short, &result(1, 1)).unwrap();
    recorder.append(&statement("DROP TABLE t", Answer::Block)).unwrap();
    recorder.append(&statement("DELETE FROM t", Answer::Approval)).unwrap();
    let mut one = recorder.output(Some(1));
    let mut two = recorder.output(Some(2));
    for _ in 0..3 {
        recorder
            .extend(&mut one, &Recordable::of([b'1'; 50_000].to_vec()))
            .unwrap();
        recorder
            .extend(&mut two, &Recordable::of([b'2'; 30_000].to_vec()))
            .unwrap();
    }
    recorder.persist(&mut two).unwrap();
    recorder.finish(one, &result(147, 2)).unwrap();
    recorder
        .finish(
            two,
            &Event {
                stream: Some(2),
                ..result(88, 0)
            },
        )
        .unwrap();
    recorder.flush().unwrap();
}

fn sealed(world: &World) -> (Recordings, SessionId) {
    let recordings = world.open();
    let header = header();
    let recorder = recordings.start(&header).unwrap();
    record(&recorder);
    recorder.seal("closed").unwrap();
    drop(recorder);
    recordings.settle();
    (recordings, header.session)
}

fn small(world: &World) -> (Recordings, SessionId) {
    let recordings = world.open();
    let header = header();
    let recorder = recordings.start(&header).unwrap();
    recorder.append(&statement("SELECT 1", Answer::Allow)).unwrap();
    let mut output = recorder.output(Some(1));
    recorder.extend(&mut output, &Recordable::of(&b"row"[..])).unwrap();
    recorder.finish(output, &result(1, 0)).unwrap();
    let mut output = recorder.output(Some(1));
    recorder
        .extend(&mut output, &Recordable::of([b'r'; 9_000].to_vec()))
        .unwrap();
    recorder.finish(output, &result(9, 0)).unwrap();
    recorder.seal("closed").unwrap();
    drop(recorder);
    recordings.settle();
    (recordings, header.session)
}

#[test]
fn a_sealed_recording_is_whole_private_and_shown_without_the_target() {
    let world = World::new();
    let (recordings, session) = sealed(&world);
    let check = recordings.verify(&session).unwrap();
    assert_eq!(check.state, State::Sealed, "{check:?}");
    assert!(check.verified.ok && check.verified.problem.is_none());
    assert_eq!(check.verified.last_good, Some(check.verified.events - 1));

    let shown = recordings.show(&session, decode, ShowLimits::default()).unwrap();
    assert!(shown.sealed && shown.problem.is_none());
    assert_eq!(shown.header.principal, "ana");
    assert_eq!(
        shown.counts,
        Counts {
            operations: 3,
            blocked: 1,
            held: 1,
            masked: 3
        }
    );
    let kinds: Vec<&str> = shown.events.iter().map(|event| event.kind.as_str()).collect();
    assert_eq!(
        kinds,
        [
            "session",
            "statement",
            "result",
            "statement",
            "statement",
            "result",
            "result",
            "sealed"
        ]
    );
    assert_eq!(shown.events[1].statement.as_deref(), Some("SELECT 1"));
    assert_eq!(
        shown.events[1].parameters.as_ref().unwrap()[0].value.as_deref(),
        Some("x\n\"é")
    );
    assert_eq!(shown.events[3].decision.as_deref(), Some("block"));
    assert_eq!(
        shown.events[2].result.as_ref().unwrap()[0][0].as_deref(),
        Some("short result")
    );
    let long = |index: usize| {
        shown.events[index]
            .result
            .as_ref()
            .unwrap()
            .iter()
            .map(|row| row[0].as_ref().unwrap().as_str())
            .collect::<String>()
    };
    assert_eq!(long(5), "1".repeat(150_000));
    assert_eq!(long(6), "2".repeat(90_000));

    let place = recordings.place(&session).unwrap();
    assert!(place.sealed);
    for file in [&place.events, &place.content] {
        assert_eq!(
            fs::metadata(file).unwrap().permissions().mode() & 0o777,
            0o600,
            "{}",
            file.display()
        );
    }
    let open = world.dir.path().join("recordings/open");
    assert_eq!(fs::metadata(&open).unwrap().permissions().mode() & 0o777, 0o700);
    assert_eq!(fs::read_dir(open).unwrap().count(), 0, "what is sealed moves away");
}

#[test]
fn anybody_can_verify_a_sealed_recording_with_the_public_key() {
    let world = World::new();
    let (recordings, session) = sealed(&world);
    let place = recordings.place(&session).unwrap();
    let key = recordings.keys().public();
    assert!(verify(&place.events, &place.content, Some(key)).unwrap().verified.ok);
    let unpinned = verify(&place.events, &place.content, None).unwrap();
    assert!(unpinned.verified.ok);
    assert_eq!(unpinned.public_key.unwrap().len(), 64);
    let other = World::new();
    let stranger = Keys::open(other.dir.path()).unwrap().public();
    assert!(
        !verify(&place.events, &place.content, Some(stranger))
            .unwrap()
            .verified
            .ok
    );
}

#[test]
fn what_another_key_made_is_refused_even_if_it_is_whole() {
    let world = World::new();
    let forger = World::new();
    let (recordings, session) = sealed(&world);
    let place = recordings.place(&session).unwrap();
    // the same session, written with the forger's key, put in the place of the real one
    let forged = forger.open();
    let recorder = forged
        .start(&Header {
            session: session.clone(),
            ..header()
        })
        .unwrap();
    recorder.seal("closed").unwrap();
    drop(recorder);
    forged.settle();
    fs::copy(forged.place(&session).unwrap().events, &place.events).unwrap();
    let check = recordings.verify(&session).unwrap();
    assert_eq!(check.state, State::Tampered);
    assert_eq!(check.verified.last_good, None);
}

#[test]
fn every_flipped_bit_is_found_and_what_stands_before_it_is_good() {
    let world = World::new();
    let (recordings, session) = small(&world);
    let place = recordings.place(&session).unwrap();
    let whole = fs::read(&place.events).unwrap();
    for at in 0..whole.len() {
        let mut altered = whole.clone();
        altered[at] ^= 1 << (at % 8);
        fs::write(&place.events, &altered).unwrap();
        let check = recordings.verify(&session).unwrap();
        assert_eq!(check.state, State::Tampered, "byte {at}");
        let lines_before = whole[..at].iter().filter(|byte| **byte == b'\n').count() as u64;
        // the line behind the seal is its signature: without it the seal is not good
        let good = lines_before.min(whole.iter().filter(|byte| **byte == b'\n').count() as u64 - 2);
        assert_eq!(check.verified.last_good, good.checked_sub(1), "byte {at}: {check:?}");
        let public = verify(&place.events, &place.content, None);
        assert!(public.map_or(true, |check| !check.verified.ok), "byte {at}");
    }
}

#[test]
fn every_cut_missing_doubled_or_moved_line_is_found() {
    let world = World::new();
    let (recordings, session) = small(&world);
    let place = recordings.place(&session).unwrap();
    let whole = fs::read(&place.events).unwrap();
    for at in 0..whole.len() {
        fs::write(&place.events, &whole[..at]).unwrap();
        assert_eq!(
            recordings.verify(&session).unwrap().state,
            State::Tampered,
            "cut at {at}"
        );
    }
    let lines: Vec<&[u8]> = whole.split_inclusive(|byte| *byte == b'\n').collect();
    let mut changes = Vec::new();
    for at in 0..lines.len() {
        let mut without = lines.clone();
        without.remove(at);
        changes.push(without);
        let mut doubled = lines.clone();
        doubled.insert(at, lines[at]);
        changes.push(doubled);
        if at > 0 {
            let mut moved = lines.clone();
            moved.swap(at, at - 1);
            changes.push(moved);
        }
    }
    for (index, lines) in changes.iter().enumerate() {
        fs::write(&place.events, lines.concat()).unwrap();
        assert_eq!(
            recordings.verify(&session).unwrap().state,
            State::Tampered,
            "change {index}"
        );
    }
    fs::write(&place.events, [&whole[..], b"\n"].concat()).unwrap();
    assert_eq!(recordings.verify(&session).unwrap().state, State::Tampered, "appended");
    fs::write(&place.events, &whole).unwrap();
    assert_eq!(recordings.verify(&session).unwrap().state, State::Sealed);
}

#[test]
fn altered_content_is_found() {
    let world = World::new();
    let (recordings, session) = small(&world);
    let place = recordings.place(&session).unwrap();
    let packed = fs::read(&place.content).unwrap();
    let plain = zstd::decode_all(&packed[..]).unwrap();
    assert_eq!(plain.len(), 9_000);
    for at in 0..packed.len() {
        let mut altered = packed.clone();
        altered[at] ^= 1 << (at % 8);
        fs::write(&place.content, &altered).unwrap();
        // a bit that zstd ignores changes nothing that was recorded
        let same = zstd::decode_all(&altered[..]).is_ok_and(|content| content == plain);
        assert_eq!(recordings.verify(&session).unwrap().verified.ok, same, "byte {at}");
    }
    let mut longer = plain.clone();
    longer.push(b'r');
    for content in [&plain[1..], &longer] {
        fs::write(&place.content, zstd::encode_all(content, 1).unwrap()).unwrap();
        assert_eq!(recordings.verify(&session).unwrap().state, State::Tampered);
    }
    fs::remove_file(&place.content).unwrap();
    let check = recordings.verify(&session).unwrap();
    assert_eq!(check.state, State::Tampered);
    assert_eq!(
        check.verified.last_good,
        Some(2),
        "up to the result whose content is gone"
    );
}

#[test]
fn a_running_recording_is_neither_sealed_nor_tampered() {
    let world = World::new();
    let recordings = world.open();
    let header = header();
    let recorder = recordings.start(&header).unwrap();
    record(&recorder);
    let check = recordings.verify(&header.session).unwrap();
    assert_eq!(check.state, State::Unsealed);
    assert!(!check.verified.ok);
    let shown = recordings.show(&header.session, decode, ShowLimits::default()).unwrap();
    assert!(!shown.sealed && shown.problem.is_none());

    // events that are taken away while it runs are missed
    let events = recordings.place(&header.session).unwrap().events;
    let whole = fs::read(&events).unwrap();
    let last = whole[..whole.len() - 1]
        .iter()
        .rposition(|byte| *byte == b'\n')
        .unwrap();
    fs::write(&events, &whole[..=last]).unwrap();
    assert_eq!(recordings.verify(&header.session).unwrap().state, State::Tampered);
}

#[test]
fn each_append_is_in_the_file_before_it_returns() {
    let world = World::new();
    let recordings = world.open_with(true, Some(Duration::from_secs(60)), LONGEST);
    let header = header();
    let recorder = recordings.start(&header).unwrap();
    let events = recordings.place(&header.session).unwrap().events;
    let lines = |path: &Path| fs::read(path).unwrap().iter().filter(|byte| **byte == b'\n').count();
    for count in 1..10 {
        assert_eq!(lines(&events), count);
        assert_eq!(
            recorder.append(&statement("SELECT 1", Answer::Allow)).unwrap(),
            count as u64
        );
    }
    recorder.queue(&result(1, 0)).unwrap();
    assert_eq!(lines(&events), 10, "a queued event waits");
    recorder.append(&statement("SELECT 2", Answer::Allow)).unwrap();
    assert_eq!(lines(&events), 12, "and goes before the next one");
}

#[test]
fn what_a_killed_relay_leaves_behind_is_sealed_at_the_next_start() {
    let world = World::new();
    let first = world.open();
    let header = header();
    let recorder = first.start(&header).unwrap();
    record(&recorder);
    let mut running = recorder.output(Some(1));
    recorder
        .extend(&mut running, &Recordable::of([b'3'; 70_000].to_vec()))
        .unwrap();
    recorder.flush().unwrap();
    let open = world.dir.path().join("recordings/open");
    // as a kill leaves it: no seal, a torn line, content that no line names yet
    let copy = World::new();
    fs::copy(
        world.dir.path().join("recording.key"),
        copy.dir.path().join("recording.key"),
    )
    .unwrap();
    let second = copy.open();
    for entry in fs::read_dir(&open).unwrap() {
        let path = entry.unwrap().path();
        let mut bytes = fs::read(&path).unwrap();
        bytes.extend(if path.extension().unwrap() == "jsonl" {
            &b"{\"seq\":"[..]
        } else {
            b"tail"
        });
        let to = copy.dir.path().join("recordings/open").join(path.file_name().unwrap());
        fs::write(&to, bytes).unwrap();
    }
    assert_eq!(second.verify(&header.session).unwrap().state, State::Unsealed);
    let recovered = second.recover().unwrap();
    second.settle();
    assert_eq!(recovered.len(), 1);
    assert!(recovered[0].sealed && recovered[0].problem.is_none());
    assert_eq!(recovered[0].counts, recorder.counts());
    let check = second.verify(&header.session).unwrap();
    assert_eq!(check.state, State::Sealed, "{check:?}");
    let shown = second.show(&header.session, decode, ShowLimits::default()).unwrap();
    let text = format!("{:?}", shown.events);
    assert!(text.contains("interrupted") || text.contains("not finished"), "{text}");
    let unfinished: Vec<_> = shown
        .events
        .iter()
        .filter(|event| event.detail.as_deref() == Some("the result did not end"))
        .collect();
    assert_eq!(
        unfinished.len(),
        2,
        "the result that was running, and the content that no line named"
    );
    assert!(second.recover().unwrap().is_empty(), "once is enough");
}

#[test]
fn a_damaged_recording_is_not_sealed_at_the_next_start() {
    let world = World::new();
    let first = world.open();
    let header = header();
    let recorder = first.start(&header).unwrap();
    record(&recorder);
    let place = first.place(&header.session).unwrap();
    let bytes = fs::read(&place.events).unwrap();
    let copy = World::new();
    fs::copy(
        world.dir.path().join("recording.key"),
        copy.dir.path().join("recording.key"),
    )
    .unwrap();
    let second = copy.open();
    let altered = String::from_utf8(bytes)
        .unwrap()
        .replacen("\"rows\":88", "\"rows\":87", 1);
    fs::copy(
        &place.content,
        copy.dir
            .path()
            .join(format!("recordings/open/{}.content", header.session)),
    )
    .unwrap();
    fs::write(
        copy.dir
            .path()
            .join(format!("recordings/open/{}.events.jsonl", header.session)),
        altered,
    )
    .unwrap();
    let recovered = second.recover().unwrap();
    assert!(!recovered[0].sealed);
    assert!(recovered[0].problem.is_some());
    let check = second.verify(&header.session).unwrap();
    assert_eq!(check.state, State::Tampered);
    let lines = fs::read_to_string(place.events).unwrap();
    let altered = lines.lines().position(|line| line.contains("\"rows\":88")).unwrap() as u64;
    assert_eq!(
        check.verified.last_good,
        Some(altered - 1),
        "its content was moved with it"
    );
}

#[test]
fn a_crash_while_a_sealed_recording_is_put_away_is_made_good() {
    let world = World::new();
    let (first, session) = small(&world);
    let place = first.place(&session).unwrap();
    drop(first);
    let open = world.dir.path().join("recordings/open");
    let content = zstd::decode_all(&fs::read(&place.content).unwrap()[..]).unwrap();
    // before the events moved
    fs::rename(&place.events, open.join(place.events.file_name().unwrap())).unwrap();
    fs::write(open.join(format!("{session}.content")), &content).unwrap();
    let second = world.open();
    assert!(second.recover().unwrap()[0].sealed);
    second.settle();
    assert_eq!(second.verify(&session).unwrap().state, State::Sealed);
    drop(second);
    // before the plain content was removed
    fs::write(open.join(format!("{session}.content")), &content).unwrap();
    let third = world.open();
    assert!(third.recover().unwrap().is_empty());
    assert_eq!(fs::read_dir(&open).unwrap().count(), 0);
    assert_eq!(third.verify(&session).unwrap().state, State::Sealed);
}

#[test]
fn a_recorder_that_failed_once_takes_nothing_more() {
    let world = World::new();
    let recordings = world.open_with(true, Some(Duration::from_millis(5)), 12_000);
    let recorder = recordings.start(&header()).unwrap();
    let failed = (0..1000).find_map(|_| recorder.append(&statement("SELECT 1", Answer::Allow)).err());
    assert_eq!(failed, Some(RecordError::Full(12_000)));
    assert_eq!(
        recorder.append(&Event::new(Kind::Notice)),
        Err(RecordError::Full(12_000))
    );
    assert_eq!(recorder.failed(), Some(RecordError::Full(12_000)));
    let session = recorder.session().clone();
    recorder.seal("not_recorded").unwrap();
    recordings.settle();
    assert_eq!(
        recordings.verify(&session).unwrap().state,
        State::Sealed,
        "what there is, is sealed"
    );
}

#[test]
fn an_input_output_error_is_for_ever() {
    let world = World::new();
    let recordings = world.open();
    let recorder = recordings.start(&header()).unwrap();
    let session = recorder.session().clone();
    // a directory stands where the content would go
    fs::create_dir(recordings.place(&session).unwrap().content).unwrap();
    let mut output = recorder.output(Some(1));
    let error = recorder
        .extend(&mut output, &Recordable::of([0; 100_000].to_vec()))
        .unwrap_err();
    assert!(matches!(error, RecordError::Write(_)), "{error}");
    assert_eq!(
        recorder.append(&statement("SELECT 1", Answer::Allow)),
        Err(error.clone())
    );
    assert_eq!(recorder.flush(), Err(error.clone()));
    assert_eq!(recorder.seal("closed"), Err(error));
}

#[test]
fn nothing_follows_a_seal_and_nobody_writes_the_recorders_own_events() {
    let world = World::new();
    let recordings = world.open();
    let recorder = recordings.start(&header()).unwrap();
    for kind in [Kind::Session, Kind::Part, Kind::Sealed] {
        assert_eq!(recorder.append(&Event::new(kind)), Err(RecordError::Event));
    }
    recorder.seal("closed").unwrap();
    assert_eq!(
        recorder.append(&statement("SELECT 1", Answer::Allow)),
        Err(RecordError::Sealed)
    );
    assert_eq!(recorder.seal("closed"), Err(RecordError::Sealed));
}

#[test]
fn a_recorder_that_is_dropped_seals_itself() {
    let world = World::new();
    let recordings = world.open();
    let recorder = recordings.start(&header()).unwrap();
    let session = recorder.session().clone();
    recorder.queue(&statement("SELECT 1", Answer::Allow)).unwrap();
    drop(recorder);
    // the thread that makes recordings durable may hold it a moment longer
    let end = std::time::Instant::now() + Duration::from_secs(10);
    while recordings.place(&session).is_ok_and(|place| !place.sealed) && std::time::Instant::now() < end {
        std::thread::sleep(Duration::from_millis(5));
    }
    recordings.settle();
    assert_eq!(recordings.verify(&session).unwrap().state, State::Sealed);
    assert_eq!(recordings.verify(&session).unwrap().verified.events, 3);
}

#[test]
fn statements_only_keeps_no_content() {
    let world = World::new();
    let recordings = world.open_with(false, None, LONGEST);
    let recorder = recordings.start(&header()).unwrap();
    let session = recorder.session().clone();
    record(&recorder);
    recorder.seal("closed").unwrap();
    recordings.settle();
    let shown = recordings.show(&session, decode, ShowLimits::default()).unwrap();
    assert!(shown.sealed && shown.events.iter().all(|event| event.result.is_none()));
    assert_eq!(shown.counts.masked, 3);
    assert!(!recordings.place(&session).unwrap().content.exists());
}

#[test]
fn one_relay_at_a_time_and_no_session_twice() {
    let world = World::new();
    let recordings = world.open();
    let keys = Keys::open(world.dir.path()).unwrap();
    let second = Recordings::open(world.dir.path(), keys, true, None, LONGEST);
    assert!(matches!(second, Err(RecordingsError::Busy(_))));
    let header = header();
    let _recorder = recordings.start(&header).unwrap();
    assert!(
        recordings.start(&header).is_err(),
        "a recording is never continued by another"
    );
    let unknown = SessionId::random().unwrap();
    assert!(matches!(recordings.verify(&unknown), Err(RecordingsError::NotFound(_))));
}

#[test]
fn what_is_shown_is_bounded() {
    let world = World::new();
    let (recordings, session) = sealed(&world);
    let limits = ShowLimits {
        events: 6,
        rows: 10,
        bytes: 20_000,
        ..ShowLimits::default()
    };
    let shown = recordings.show(&session, decode, limits).unwrap();
    assert_eq!(shown.events.len(), 6);
    assert!(shown.cut && shown.problem.is_none());
    assert_eq!(shown.events[5].result.as_ref().unwrap().len(), 10);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]
    #[test]
    fn any_damage_to_any_recording_is_found(
        texts in proptest::collection::vec(".{0,60}", 1..5),
        sizes in proptest::collection::vec(0_usize..80_000, 0..3),
        at in any::<prop::sample::Index>(),
        with in any::<u8>(),
    ) {
        let world = World::new();
        let recordings = world.open();
        let recorder = recordings.start(&header()).unwrap();
        let session = recorder.session().clone();
        for text in &texts {
            recorder.append(&statement(text, Answer::Allow)).unwrap();
        }
        for size in &sizes {
            let mut output = recorder.output(None);
            recorder.extend(&mut output, &Recordable::of(vec![b'x'; *size])).unwrap();
            recorder.finish(output, &result(1, 0)).unwrap();
        }
        recorder.seal("closed").unwrap();
        drop(recorder);
        recordings.settle();
        prop_assert!(recordings.verify(&session).unwrap().verified.ok);
        let place = recordings.place(&session).unwrap();
        let mut bytes = fs::read(&place.events).unwrap();
        let at = at.index(bytes.len());
        prop_assume!(bytes[at] != with);
        bytes[at] = with;
        fs::write(&place.events, &bytes).unwrap();
        let check = recordings.verify(&session).unwrap();
        prop_assert_eq!(check.state, State::Tampered);
        prop_assert!(check.verified.last_good.is_none_or(|good| good <= bytes[..at].iter().filter(|byte| **byte == b'\n').count() as u64));
    }
}
