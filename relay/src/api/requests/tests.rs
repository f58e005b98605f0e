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
