use super::*;
use crate::approve::detail::samples::{NOW, request};
use hoop_shared::api::DecisionShown;

fn press(queue: &mut Queue, keys: &str) -> Option<Action> {
    let mut last = None;
    for c in keys.chars() {
        let code = match c {
            '\n' => KeyCode::Enter,
            '\x1b' => KeyCode::Esc,
            c => KeyCode::Char(c),
        };
        last = queue.key(KeyEvent::new(code, KeyModifiers::NONE));
    }
    last
}

fn queue() -> Queue {
    let mut queue = Queue::new("bo".to_owned(), 200);
    queue.take(vec![
        request(3, "agent", "select 3"),
        request(2, "ana", "delete from orders"),
        request(1, "agent", "select 1"),
    ]);
    queue.complete();
    load(&mut queue);
    queue
}

/// Lets the relay give what is missing, and the screen show all of it.
fn load(queue: &mut Queue) {
    while let Some(id) = queue.missing() {
        let number = id.as_str().trim_start_matches("r-").parse().unwrap_or(0);
        queue.fetched(&id, Ok(whole(number)));
    }
    queue.details(80, 100, NOW);
}

/// A request as the relay gives it whole, with nothing before it.
fn whole(number: u8) -> Whole {
    Whole {
        request: request(number, "agent", "select 1"),
        past: Some(Vec::new()),
    }
}

fn ended(number: u8, status: RequestStatus) -> Request {
    Request {
        status,
        ..request(number, "agent", "select 1")
    }
}

fn selected(queue: &Queue) -> &str {
    queue.selected().map(|request| request.id.as_str()).unwrap_or_default()
}

#[test]
fn a_decision_takes_a_key_a_reason_and_a_yes() {
    let mut queue = queue();
    assert_eq!(press(&mut queue, "afine\n"), None);
    assert_eq!(
        press(&mut queue, "y"),
        Some(Action::Decide {
            id: request(1, "", "").id,
            approve: true,
            reason: Some("fine".to_owned())
        })
    );
    // The answer is awaited: no second decision about it.
    assert_eq!(press(&mut queue, "a\ny"), None);
    assert_eq!(queue.message(), Some("r-000000000001 is being decided"));
}

#[test]
fn everything_but_yes_leaves_it() {
    for keys in ["a\nn", "a\n\n", "a\n\x1b", "a\nq", "a\n ", "ab\x1b", "d\x1b"] {
        let mut queue = queue();
        assert_eq!(press(&mut queue, keys), None, "{keys:?}");
        assert_eq!(queue.mode(), &Mode::Browse, "{keys:?}");
    }
}

#[test]
fn a_denial_needs_a_reason() {
    let mut queue = queue();
    assert_eq!(press(&mut queue, "d  \ny"), None);
    assert!(matches!(queue.mode(), Mode::Reason { approve: false, .. }));
    assert_eq!(
        press(&mut queue, "\x1bdno\ny"),
        Some(Action::Decide {
            id: request(1, "", "").id,
            approve: false,
            reason: Some("no".to_owned())
        })
    );
}

#[test]
fn keys_of_a_reason_are_text() {
    let mut queue = queue();
    press(&mut queue, "aq/jk y\n");
    assert_eq!(
        queue.mode(),
        &Mode::Confirm {
            id: request(1, "", "").id,
            approve: true,
            reason: Some("q/jk y".to_owned())
        }
    );
}

#[test]
fn a_list_that_changes_does_not_move_the_decision() {
    let mut queue = queue();
    press(&mut queue, "j");
    load(&mut queue);
    assert_eq!(selected(&queue), "r-000000000002");
    press(&mut queue, "a\n");
    // Older ones come and go above and below.
    queue.take(vec![
        request(0, "agent", "select 0"),
        request(9, "agent", "select 9"),
        ended(1, RequestStatus::Denied),
        ended(3, RequestStatus::Expired),
    ]);
    assert_eq!(selected(&queue), "r-000000000002");
    assert_eq!(
        press(&mut queue, "y"),
        Some(Action::Decide {
            id: request(2, "", "").id,
            approve: true,
            reason: None
        })
    );
}

#[test]
fn a_request_that_ends_while_one_types_is_not_replaced_by_another() {
    for keys in ["a", "a\n"] {
        let mut queue = queue();
        press(&mut queue, keys);
        queue.take(vec![ended(1, RequestStatus::Cancelled)]);
        assert_eq!(queue.mode(), &Mode::Browse);
        assert_eq!(press(&mut queue, "y"), None);
        assert!(
            queue
                .message()
                .is_some_and(|message| message == "r-000000000001 no longer waits: it is cancelled")
        );
        assert_eq!(selected(&queue), "r-000000000002");
    }
}

#[test]
fn only_what_was_loaded_whole_can_be_decided() {
    let mut queue = Queue::new("bo".to_owned(), 200);
    queue.take(vec![request(1, "agent", "select 1")]);
    press(&mut queue, "a");
    assert_eq!(
        (queue.mode(), queue.message()),
        (&Mode::Browse, Some("r-000000000001 is still being loaded"))
    );
    let id = queue.missing();
    assert_eq!(id, Some(request(1, "", "").id));
    assert_eq!(queue.missing(), None, "it is asked for once");
    queue.fetched(&request(1, "", "").id, Err("the relay does not answer".to_owned()));
    assert_eq!(queue.out_of_touch(), Some("the relay does not answer"));
    assert_eq!(queue.missing(), id, "and again after a failure");
}

#[test]
fn ones_own_and_ended_requests_are_no_choice() {
    let mut queue = Queue::new("bo".to_owned(), 3);
    queue.take(vec![
        request(1, "bo", "select 1"),
        ended(2, RequestStatus::Denied),
        request(3, "agent", "select 3"),
    ]);
    assert_eq!((queue.list().len(), queue.list().totals()), (1, (1, 1)));
    assert_eq!(selected(&queue), "r-000000000003");
}

#[test]
fn what_is_gone_when_everything_is_listed_anew_is_not_decided() {
    let mut queue = queue();
    press(&mut queue, "a\n");
    queue.begin();
    queue.take(vec![request(2, "ana", "delete from orders")]);
    assert!(matches!(queue.mode(), Mode::Confirm { .. }), "not before all is known");
    queue.complete();
    assert_eq!((queue.mode(), selected(&queue)), (&Mode::Browse, "r-000000000002"));
    assert_eq!(press(&mut queue, "y"), None);
}

#[test]
fn only_some_are_kept_whole_and_the_selected_one_is() {
    let mut queue = Queue::new("bo".to_owned(), 200);
    queue.take((1..=50).map(|number| request(number, "agent", "select 1")).collect());
    for _ in 0..50 {
        load(&mut queue);
        press(&mut queue, "j");
    }
    assert_eq!(queue.whole.len(), KEPT_WHOLE);
    assert!(queue.details(80, 10, NOW).is_some(), "the selected one is among them");
    assert_eq!(queue.asked.len(), 0);
}

#[test]
fn many_keys_move_far() {
    let mut queue = Queue::new("bo".to_owned(), 200);
    queue.take((1..=50).map(|number| request(number, "agent", "select 1")).collect());
    press(&mut queue, "JJk");
    assert_eq!(selected(&queue), "r-000000000020");
    queue.key(KeyEvent::new(KeyCode::End, KeyModifiers::NONE));
    assert_eq!(selected(&queue), "r-000000000050");
    press(&mut queue, "KJJ");
    assert_eq!(selected(&queue), "r-000000000050");
    queue.key(KeyEvent::new(KeyCode::Home, KeyModifiers::NONE));
    assert_eq!(selected(&queue), "r-000000000001");
}

#[test]
fn a_search_shows_where_it_is_in_the_details() {
    let mut statement: String = (0..100).map(|line| format!("select {line};\n")).collect();
    statement.push_str("drop table orders;\nselect 1;\nDROP TABLE customers");
    let mut queue = Queue::new("bo".to_owned(), 200);
    queue.take(vec![request(1, "agent", &statement)]);
    let id = queue.missing();
    assert!(id.is_some());
    let request = request(1, "agent", &statement);
    queue.fetched(&request.id.clone(), Ok(Whole { request, past: None }));
    let top = |queue: &mut Queue| queue.details(80, 10, NOW).map(|(_, _, top)| top);
    assert_eq!(top(&mut queue), Some(0));
    press(&mut queue, "sDrop table\n");
    let first = top(&mut queue);
    assert!(first > Some(100), "{first:?}");
    press(&mut queue, "n");
    assert_eq!(top(&mut queue), first.map(|row| row + 2));
    press(&mut queue, "n");
    assert_eq!(top(&mut queue), first, "and around");
    press(&mut queue, "snowhere\n");
    assert_eq!(queue.message(), Some("it is not in this request"));
    press(&mut queue, "\x1b");
    assert_eq!(queue.search(), "");
}

#[test]
fn what_one_approved_waits_for_others() {
    let mut queue = queue();
    let mut answered = request(1, "agent", "select 1");
    answered.needed = 2;
    answered.decisions = vec![DecisionShown {
        by: "bo".to_owned(),
        approve: true,
        reason: None,
        time: NOW,
    }];
    press(&mut queue, "a\ny");
    queue.decided(&answered.id.clone(), true, Ok(answered));
    assert_eq!(
        queue.message(),
        Some("approved r-000000000001; it waits for others too")
    );
    press(&mut queue, "a");
    assert_eq!(
        queue.message(),
        Some("you have approved r-000000000001; it waits for others")
    );
    // Changing one's mind is possible.
    assert!(matches!(
        press(&mut queue, "dwait\ny"),
        Some(Action::Decide { approve: false, .. })
    ));
}

#[test]
fn a_filter_narrows_and_escape_takes_it_away() {
    let mut queue = queue();
    press(&mut queue, "/ANA\n");
    assert_eq!((queue.list().len(), selected(&queue)), (1, "r-000000000002"));
    press(&mut queue, "/x\n");
    assert_eq!((queue.list().len(), queue.place()), (0, None));
    assert_eq!(press(&mut queue, "a\ny"), None, "nothing is selected");
    press(&mut queue, "\x1b");
    assert_eq!(queue.list().len(), 3);
}

#[test]
fn what_was_not_on_the_screen_is_counted() {
    let mut queue = Queue::new("bo".to_owned(), 200);
    queue.take(vec![request(1, "agent", "a"), request(2, "agent", "b")]);
    let id = request(1, "", "").id;
    queue.missing();
    queue.fetched(&id, Ok(whole(1)));
    let lines = queue.details(80, 1000, NOW).map_or(0, |(layout, ..)| layout.len());
    queue.view = View::default();
    let top = |queue: &mut Queue| queue.details(80, 10, NOW).map_or(0, |(_, _, top)| top);
    assert_eq!((top(&mut queue), queue.unseen()), (0, lines - 10));
    press(&mut queue, " ");
    assert_eq!(
        (top(&mut queue), queue.unseen()),
        (9.min(lines - 10), (lines - 10).saturating_sub(9))
    );
    press(&mut queue, "G");
    assert_eq!((top(&mut queue), queue.unseen()), (lines - 10, 0));
    press(&mut queue, "g");
    assert_eq!((top(&mut queue), queue.unseen()), (0, 0));
    press(&mut queue, "jk");
    assert_eq!(
        (top(&mut queue), queue.unseen()),
        (0, lines - 10),
        "another request begins anew"
    );
}

#[test]
fn control_c_and_q_leave() {
    assert_eq!(press(&mut queue(), "q"), Some(Action::Quit));
    let mut typing = queue();
    press(&mut typing, "a");
    assert_eq!(
        typing.key(KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL)),
        Some(Action::Quit)
    );
}
