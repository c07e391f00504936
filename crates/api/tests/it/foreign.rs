//! Ids of another tenant inside bodies and queries: as good as ids that nobody has.

use axum::http::Method;
use model::{FlowId, QueueId, UserId};
use serde_json::{Value, json};
use store::fresh_id;

use crate::calls::recorded_call;
use crate::house::{Company, House, NOW, PASSWORD};

/// Ids that a body or a query may name.
struct Named {
    queue: QueueId,
    flow: FlowId,
    user: UserId,
}

/// What one id is answered with everywhere: status, code and body without the id itself.
async fn answers(house: &House, ours: &Company, named: &Named) -> Vec<(u16, String, Value)> {
    let Named { queue, flow, user } = named;
    let person = |mail: &str| {
        json!({
            "mail": mail, "name": "New", "role": "agent", "language": "en",
            "password": PASSWORD, "queues": [queue.to_string()],
        })
    };
    let own = ours.people["agent"];
    let edits = [
        (Method::POST, "/api/v1/users".to_owned(), person("new@example.com")),
        (Method::PUT, format!("/api/v1/users/{own}"), person("agent@example.com")),
        (Method::PUT, "/api/v1/numbers/300".to_owned(), json!({"flow": flow.to_string()})),
    ];
    let session = &ours.sessions["administrator"];
    let mut answers = Vec::new();
    for (method, path, body) in edits {
        let reply = house.tell(session, method, &path, &body).await;
        answers.push((reply.status.as_u16(), reply.code(), Value::Null));
    }
    for query in [format!("queue={queue}"), format!("agent={user}")] {
        let reply = house.ask(session, Method::GET, &format!("/api/v1/calls?{query}")).await;
        answers.push((reply.status.as_u16(), reply.code(), reply.json()));
    }
    answers
}

#[tokio::test]
async fn ids_in_bodies_and_queries_do_not_reach_over_the_wall() {
    let house = House::open().await;
    let (ours, twin) = (house.found("100").await, house.found("200").await);
    recorded_call(&house, &ours, 1).await;
    recorded_call(&house, &twin, 1).await;
    let before = house.store.system(ours.tenant).config().await.unwrap();

    let theirs = Named { queue: twin.queue, flow: twin.flow, user: twin.people["agent"] };
    let nobodys = Named { queue: fresh_id(NOW), flow: fresh_id(NOW), user: fresh_id(NOW) };
    let told = answers(&house, &ours, &theirs).await;
    assert_eq!(told, answers(&house, &ours, &nobodys).await);
    let refused: Vec<_> = told.iter().take(3).map(|(_, code, _)| code.as_str()).collect();
    assert_eq!(refused, ["unknown_queue", "unknown_queue", "unknown_flow"]);
    for (status, _, body) in &told[3..] {
        assert_eq!((*status, &body["items"]), (200, &json!([])));
    }
    let after = house.store.system(ours.tenant).config().await.unwrap();
    assert_eq!(*after, *before, "nothing was edited");

    let own = Named { queue: ours.queue, flow: ours.flow, user: ours.people["agent"] };
    let told = answers(&house, &ours, &own).await;
    assert!(told.iter().all(|(status, ..)| *status < 300), "{told:?}");
    assert_eq!(told[3].2["items"].as_array().unwrap().len(), 1, "and none of the twin's");
}
