#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use axum::http::StatusCode;
use serde_json::json;

use super::super::samples::World;
use super::*;

#[tokio::test]
async fn who_may_not_see_a_request_learns_nothing_of_it() {
    let world = World::open().await;
    let held = world.hold().await;
    let id = held.id().to_string();
    for who in ["agent", "bo"] {
        let (status, shown) = world.get(who, &format!("/v1/requests/{id}")).await;
        assert_eq!(
            (status, &shown["status"], &shown["connection"]),
            (StatusCode::OK, &json!("pending"), &json!("db-prod")),
            "{who}"
        );
        assert_eq!(
            world.get(who, "/v1/requests").await.1.as_array().unwrap().len(),
            1,
            "{who}"
        );
    }
    let unknown = hoop_shared::id::RequestId::random().unwrap().to_string();
    for who in ["ana", "job"] {
        for path in ["", "/wait?seconds=0"] {
            let (status, seen) = world.get(who, &format!("/v1/requests/{id}{path}")).await;
            let (missing_status, missing) = world.get(who, &format!("/v1/requests/{unknown}{path}")).await;
            assert_eq!(
                (status, missing_status),
                (StatusCode::NOT_FOUND, StatusCode::NOT_FOUND),
                "{who}"
            );
            assert_eq!(
                seen.to_string().replace(&id, "ID"),
                missing.to_string().replace(&unknown, "ID"),
                "{who}"
            );
        }
        let cancelled = world.ask(who, "POST", &format!("/v1/requests/{id}/cancel"), None).await;
        assert_eq!(cancelled.0, StatusCode::NOT_FOUND, "{who}");
        assert_eq!(world.get(who, "/v1/requests").await.1, json!([]), "{who}");
    }
    let (status, refused) = world.get("bo", "/v1/requests/no-id").await;
    assert_eq!(
        (status, &refused["error"]["code"]),
        (StatusCode::NOT_FOUND, &json!("not_found"))
    );
}

#[tokio::test]
async fn only_approvers_decide_and_the_others_are_blocked() {
    let world = World::open().await;
    let held = world.hold().await;
    let path = format!("/v1/requests/{}/decision", held.id());
    for who in ["agent", "ana", "job"] {
        let (status, refused) = world.ask(who, "POST", &path, Some(json!({"approve": true}))).await;
        assert_eq!(
            (status, &refused["error"]["code"]),
            (StatusCode::FORBIDDEN, &json!("blocked")),
            "{who}"
        );
    }
    let (status, shown) = world
        .ask("bo", "POST", &path, Some(json!({"approve": true, "reason": " fine "})))
        .await;
    assert_eq!((status, &shown["status"]), (StatusCode::OK, &json!("approved")));
    assert_eq!(shown["decisions"][0]["reason"], "fine");
    held.release().await.unwrap();
    assert_eq!(
        world
            .get("agent", "/v1/requests?status=spent")
            .await
            .1
            .as_array()
            .unwrap()
            .len(),
        1
    );
    let (status, refused) = world.ask("bo", "POST", &path, Some(json!({"approve": false}))).await;
    assert_eq!(
        (status, &refused["error"]["code"]),
        (StatusCode::INTERNAL_SERVER_ERROR, &json!("failed"))
    );
}

#[tokio::test]
async fn bodies_and_questions_are_checked() {
    let world = World::open().await;
    let held = world.hold().await;
    let path = format!("/v1/requests/{}/decision", held.id());
    for body in [
        json!({}),
        json!({"approve": "yes"}),
        json!({"approve": true, "reason": "x".repeat(5000)}),
    ] {
        let (status, refused) = world.ask("bo", "POST", &path, Some(body)).await;
        assert_eq!(status, StatusCode::BAD_REQUEST);
        assert!(refused["error"]["message"].is_string());
    }
    for question in ["?status=open", "?limit=x", "?before=r-1", "?colour=red"] {
        let (status, refused) = world.get("bo", &format!("/v1/requests{question}")).await;
        assert_eq!(
            (status, &refused["error"]["code"]),
            (StatusCode::BAD_REQUEST, &json!("usage")),
            "{question}"
        );
    }
    assert_eq!(
        world.get("bo", &format!("/v1/requests/{}", held.id())).await.1["status"],
        "pending"
    );
}

#[tokio::test]
async fn a_wait_answers_at_the_decision_or_when_its_time_is_over() {
    let world = World::open().await;
    let held = world.hold().await;
    let path = format!("/v1/requests/{}", held.id());
    let (_, shown) = world.get("agent", &format!("{path}/wait?seconds=0")).await;
    assert_eq!(shown["status"], "pending");
    let started = Instant::now();
    let long = format!("{path}/wait?seconds=30");
    let (waited, _) = tokio::join!(world.get("agent", &long), async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        world
            .ask(
                "bo",
                "POST",
                &format!("{path}/decision"),
                Some(json!({"approve": false, "reason": "no"})),
            )
            .await
    });
    assert_eq!(waited.1["status"], "denied");
    assert!(started.elapsed() < Duration::from_secs(10));
    // What has ended is answered at once.
    assert_eq!(world.get("agent", &long).await.1["status"], "denied");
}

#[tokio::test]
async fn who_made_it_withdraws_it() {
    let world = World::open().await;
    let mut held = world.hold().await;
    let path = format!("/v1/requests/{}/cancel", held.id());
    assert_eq!(world.ask("bo", "POST", &path, None).await.0, StatusCode::NOT_FOUND);
    let (status, shown) = world.ask("agent", "POST", &path, None).await;
    assert_eq!((status, &shown["status"]), (StatusCode::OK, &json!("cancelled")));
    assert_eq!(held.decided().await, crate::approval::Outcome::Cancelled);
}

#[tokio::test]
async fn lists_are_bounded() {
    let world = World::open().await;
    let (first, second) = (world.hold().await, world.hold().await);
    let (_, page) = world.get("bo", "/v1/requests?limit=1&status=pending").await;
    assert_eq!(page[0]["id"], json!(second.id()));
    assert_eq!(page.as_array().unwrap().len(), 1);
    let (_, page) = world
        .get("bo", &format!("/v1/requests?limit=1&before={}", second.id()))
        .await;
    assert_eq!(page[0]["id"], json!(first.id()));
    assert_eq!(
        (bounded(None), bounded(Some(0)), bounded(Some(u32::MAX))),
        (100, 1, 500)
    );
}

#[tokio::test]
async fn whoever_follows_is_told_of_each_change_that_they_may_see() {
    let world = World::open().await;
    let (_, begin) = world.get("bo", "/v1/requests/changes").await;
    assert_eq!((&begin["requests"], &begin["anew"]), (&json!([]), &json!(false)));
    let follow =
        |after: &serde_json::Value, seconds: u32| format!("/v1/requests/changes?after={after}&seconds={seconds}");
    let started = Instant::now();
    let path = follow(&begin["after"], 30);
    let ((_, made), held) = tokio::join!(world.get("bo", &path), async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        world.hold().await
    });
    assert!(
        started.elapsed() < Duration::from_secs(9),
        "it was told, not found by looking again"
    );
    assert_eq!(
        (&made["requests"][0]["id"], &made["requests"][0]["status"]),
        (&json!(held.id()), &json!("pending"))
    );
    for who in ["ana", "job"] {
        let (status, seen) = world.get(who, &follow(&begin["after"], 0)).await;
        assert_eq!((status, &seen["requests"]), (StatusCode::OK, &json!([])), "{who}");
    }
    let decision = format!("/v1/requests/{}/decision", held.id());
    world
        .ask("bo", "POST", &decision, Some(json!({"approve": false, "reason": "no"})))
        .await;
    let (_, ended) = world.get("agent", &follow(&made["after"], 30)).await;
    assert_eq!(ended["requests"][0]["status"], "denied");
    let (_, quiet) = world.get("agent", &follow(&ended["after"], 0)).await;
    assert_eq!(quiet["requests"], json!([]));
    let (_, strange) = world.get("agent", &follow(&json!(1_000_000), 30)).await;
    assert_eq!((&strange["anew"], &strange["after"]), (&json!(true), &ended["after"]));
}

#[tokio::test]
async fn an_approver_sees_what_a_principal_asked_for_before_and_how_it_ended() {
    let world = World::open().await;
    let first = world.hold().await;
    let decision = format!("/v1/requests/{}/decision", first.id());
    world
        .ask("bo", "POST", &decision, Some(json!({"approve": false, "reason": "no"})))
        .await;
    let (second, third) = (world.hold().await, world.hold().await);
    let (_, before) = world.get("bo", &format!("/v1/requests/{}/history", third.id())).await;
    let ids: Vec<_> = before.as_array().unwrap().iter().map(|one| one["id"].clone()).collect();
    assert_eq!(ids, [json!(second.id()), json!(first.id())]);
    assert_eq!(
        (&before[1]["status"], &before[1]["decisions"][0]["by"]),
        (&json!("denied"), &json!("bo"))
    );
    let (_, one) = world
        .get("bo", &format!("/v1/requests/{}/history?limit=1", third.id()))
        .await;
    assert_eq!(one.as_array().unwrap().len(), 1);
    for who in ["ana", "job"] {
        let (status, _) = world.get(who, &format!("/v1/requests/{}/history", third.id())).await;
        assert_eq!(status, StatusCode::NOT_FOUND, "{who}");
    }
}

#[tokio::test]
async fn a_list_begins_with_the_oldest_where_it_is_asked_to() {
    let world = World::open().await;
    let (first, second) = (world.hold().await, world.hold().await);
    let (_, page) = world
        .get("bo", "/v1/requests?status=pending&order=oldest&limit=1&brief=true")
        .await;
    assert_eq!((&page[0]["id"], &page[0]["effects"]), (&json!(first.id()), &json!([])));
    let path = format!("/v1/requests?status=pending&order=oldest&after={}", first.id());
    assert_eq!(world.get("bo", &path).await.1[0]["id"], json!(second.id()));
    let mixed = format!("/v1/requests?after={}", first.id());
    assert_eq!(world.get("bo", &mixed).await.0, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn ten_thousand_that_wait_come_in_pages_without_a_gap() {
    let world = World::open().await;
    let held = world.hold().await;
    // Copies of one row: each is as good as one that was held.
    sqlx::query(
        "WITH RECURSIVE counter (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM counter WHERE n < 9999)
         INSERT INTO requests (id, kind, status, session, connection, label, principal, issuer, subject, login, groups, reason,
                               statement, parameters, effects, rules, requirements, digest, details, created, expires, revision)
         SELECT printf('r-%012d', n), kind, status, session, connection, label, principal, issuer, subject, login, groups, reason,
                statement, parameters, effects, rules, requirements, digest, details, created, expires, revision + n
         FROM counter, requests WHERE id = ?",
    )
    .bind(held.id().as_str())
    .execute(world.store.pool())
    .await
    .unwrap();
    sqlx::query("INSERT OR IGNORE INTO request_approvers (request, approver) SELECT number, 'dba' FROM requests")
        .execute(world.store.pool())
        .await
        .unwrap();
    let started = Instant::now();
    let mut seen = std::collections::HashSet::new();
    let mut path = "/v1/requests?status=pending&order=oldest&brief=true&limit=500".to_owned();
    loop {
        let (_, page) = world.get("bo", &path).await;
        let page = page.as_array().unwrap();
        assert!(page.len() <= 500);
        let Some(last) = page.last() else { break };
        seen.extend(page.iter().map(|one| one["id"].as_str().unwrap().to_owned()));
        path = format!(
            "/v1/requests?status=pending&order=oldest&brief=true&limit=500&after={}",
            last["id"].as_str().unwrap()
        );
    }
    assert_eq!(seen.len(), 10_000);
    assert!(started.elapsed() < Duration::from_secs(120), "{:?}", started.elapsed());
    assert_eq!(world.get("ana", "/v1/requests?status=pending").await.1, json!([]));
}
