use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use std::time::Duration;

use super::{Claim, REMEMBERED, Session, Turn, Turns};
use crate::inspect::sql::Changes;

/// How long a test waits.
const PATIENCE: Duration = Duration::from_millis(400);

fn uses(names: &[u64]) -> Claim {
    Claim {
        uses: names.into(),
        ..Claim::default()
    }
}

fn changes(names: &[u64]) -> Claim {
    Claim {
        changes: Changes::of(names.to_vec()),
        ..Claim::default()
    }
}

fn two() -> (Arc<Turns>, Session, Session) {
    let turns = Arc::new(Turns::default());
    (turns.clone(), turns.clone().join(), turns.join())
}

#[test]
fn many_may_use_a_name_and_one_may_change_it() {
    let (turns, one, two) = two();
    let three = turns.join();
    assert_eq!(one.take(&uses(&[1, 2]), 0), Turn::Granted);
    assert_eq!(two.take(&uses(&[2, 3]), 0), Turn::Granted);
    assert_eq!(three.take(&changes(&[3]), 0), Turn::Busy);
    assert_eq!(three.take(&changes(&[4]), 0), Turn::Granted);
    two.answered();
    assert_eq!(three.take(&changes(&[3]), 0), Turn::Granted);
    assert_eq!(two.take(&uses(&[2, 3]), 0), Turn::Busy);
    assert_eq!(two.take(&changes(&[4, 9]), 0), Turn::Busy);
    assert_eq!(two.take(&uses(&[2]), 0), Turn::Granted);
    three.ended();
    assert_eq!(two.take(&uses(&[2, 3]), 0), Turn::Granted);
}

#[test]
fn nobody_waits_for_itself() {
    let (_turns, one, two) = two();
    assert_eq!(one.take(&uses(&[1]), 0), Turn::Granted);
    assert_eq!(one.take(&changes(&[1]), 0), Turn::Granted);
    assert_eq!(one.take(&uses(&[1]), 0), Turn::Granted);
    assert_eq!(two.take(&uses(&[1]), 0), Turn::Busy);
}

#[test]
fn a_change_of_every_name_waits_for_all_and_keeps_all_out() {
    let (_turns, one, two) = two();
    let all = Claim {
        changes: Changes::All,
        ..Claim::default()
    };
    assert_eq!(one.take(&uses(&[1]), 0), Turn::Granted);
    assert_eq!(two.take(&all, 0), Turn::Busy);
    one.answered();
    assert_eq!(two.take(&all, 0), Turn::Granted);
    assert_eq!(one.take(&uses(&[7]), 0), Turn::Busy);
    // What names nothing is not concerned.
    assert_eq!(one.take(&uses(&[]), 0), Turn::Granted);
}

#[test]
fn what_does_not_pass_changes_nothing_for_others() {
    let (_turns, one, two) = two();
    assert_eq!(one.take(&changes(&[1]), 0), Turn::Granted);
    assert_eq!(one.take(&changes(&[2]), 0), Turn::Granted);
    one.give_back();
    assert_eq!(two.take(&uses(&[2]), 0), Turn::Granted);
    assert_eq!(two.take(&uses(&[1]), 0), Turn::Busy);
}

#[test]
fn what_was_read_before_a_change_of_its_names_is_read_again() {
    let (turns, one, _two) = two();
    let number = AtomicU64::new(0);
    let next = || number.fetch_add(1, Ordering::Relaxed) + 1;
    turns.changed(Changes::of(vec![1]), next);
    assert_eq!(one.take(&uses(&[1, 2]), 0), Turn::Stale);
    assert_eq!(one.take(&uses(&[2]), 0), Turn::Granted);
    assert_eq!(one.take(&uses(&[1, 2]), 1), Turn::Granted);
    turns.changed(Changes::All, next);
    assert_eq!(one.take(&uses(&[2]), 1), Turn::Stale);
    // What is forgotten may have been any name.
    for _ in 0..=REMEMBERED {
        turns.changed(Changes::of(vec![9]), next);
    }
    assert_eq!(one.take(&uses(&[2]), 2), Turn::Stale);
    assert_eq!(one.take(&uses(&[2]), number.load(Ordering::Relaxed)), Turn::Granted);
}

#[tokio::test]
async fn who_waits_comes_when_the_others_are_done() {
    let (_turns, one, two) = two();
    assert_eq!(one.take(&changes(&[1]), 0), Turn::Granted);
    let wanted = uses(&[1]);
    let waits = two.wait_for(&wanted, PATIENCE);
    let ends = async {
        tokio::time::sleep(PATIENCE / 4).await;
        one.ended();
    };
    let (came, ()) = tokio::join!(waits, ends);
    assert!(came);
    assert_eq!(two.take(&wanted, 0), Turn::Granted);
}

#[tokio::test]
async fn who_waits_too_long_gives_up_and_keeps_nobody_out() {
    let (turns, one, two) = two();
    let three = turns.join();
    assert_eq!(one.take(&uses(&[1]), 0), Turn::Granted);
    let wanted = changes(&[1]);
    let later = async {
        tokio::time::sleep(PATIENCE / 4).await;
        // Behind who waits to change it, but a transaction that is open is let through.
        let open = Claim {
            in_transaction: true,
            ..uses(&[1])
        };
        (three.take(&uses(&[1]), 0), three.take(&open, 0))
    };
    let (came, later) = tokio::join!(two.wait_for(&wanted, PATIENCE), later);
    assert!(!came);
    assert_eq!(later, (Turn::Busy, Turn::Granted));
    assert_eq!(three.take(&uses(&[1]), 0), Turn::Granted);
}

#[tokio::test]
async fn who_goes_leaves_nothing_behind() {
    let (turns, one, two) = two();
    assert_eq!(one.take(&changes(&[1]), 0), Turn::Granted);
    assert!(
        tokio::time::timeout(PATIENCE / 4, two.wait_for(&changes(&[1]), PATIENCE))
            .await
            .is_err()
    );
    assert_eq!(turns.state().busy, 1);
    drop(one);
    assert_eq!(two.take(&uses(&[1, 2]), 0), Turn::Granted);
    drop(two);
    assert_eq!(turns.state().busy, 0);
    assert!(turns.state().sessions.is_empty());
}
