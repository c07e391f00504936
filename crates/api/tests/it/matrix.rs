//! Every route x every role x own and foreign ids. A route of the description that is missing here
//! fails the test, so no route is ever added without saying who may use it.

use std::collections::{BTreeMap, BTreeSet};

use axum::body::Body;
use axum::http::Method;
use model::{CallId, FlowId, OfferId, PartyId, QueueId, Refusal, UserId};
use serde_json::{Value, json};
use store::{ConfigDraft, Edit, FloorBatch, FloorRow, Role, StoreError, User, fresh_id};

use crate::calls::{self, recorded_call};
use crate::house::{Company, House, NOW, PASSWORD, TWINS_NUMBER, request};

/// Who may.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Who {
    Anybody,
    Signed,
    /// Somebody who takes contacts.
    Seat,
    Administrator,
}

/// What the ids of a path name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Names {
    Nothing,
    /// A thing of the record: a foreign one is not found.
    Thing,
    /// A thing of the live floor, which decides about it.
    Live,
}

struct Row {
    method: &'static str,
    path: &'static str,
    who: Who,
    names: Names,
    body: Value,
}

fn row(method: &'static str, path: &'static str, who: Who, names: Names, body: Value) -> Row {
    Row { method, path, who, names, body }
}

fn table() -> Vec<Row> {
    use Names::{Live, Nothing, Thing};
    use Who::{Anybody, Seat, Signed};
    let none = || Value::Null;
    let wrap_up = json!({"disposition": "done", "resolved": true});
    let transfer = json!({"queue": "0193b100-0000-7000-8000-000000000001"});
    let consult = json!({"colleague": "0193b100-0000-7000-8000-000000000001"});
    let mut rows = vec![
        row("get", "/api/v1/setup", Anybody, Nothing, none()),
        row("post", "/api/v1/setup", Anybody, Nothing, json!({})),
        row("post", "/api/v1/session", Anybody, Nothing, json!({})),
        row("get", "/api/v1/me", Signed, Nothing, none()),
        row("patch", "/api/v1/me", Signed, Nothing, json!({})),
        row(
            "put",
            "/api/v1/me/password",
            Signed,
            Nothing,
            json!({"old": PASSWORD, "new": PASSWORD}),
        ),
        row("get", "/api/v1/desk", Signed, Nothing, none()),
        row("post", "/api/v1/agent/sign-in", Seat, Nothing, none()),
        row("post", "/api/v1/agent/sign-out", Seat, Nothing, none()),
        row("post", "/api/v1/agent/ready", Seat, Nothing, none()),
        row("post", "/api/v1/agent/break", Seat, Nothing, json!({"reason": "lunch"})),
        row("post", "/api/v1/offers/{offer}/accept", Seat, Live, none()),
        row("post", "/api/v1/offers/{offer}/decline", Seat, Live, json!({"reason": "busy"})),
        row("post", "/api/v1/calls/{call}/hold", Seat, Live, none()),
        row("post", "/api/v1/calls/{call}/resume", Seat, Live, none()),
        row("post", "/api/v1/calls/{call}/transfer", Seat, Live, transfer),
        row("get", "/api/v1/colleagues", Signed, Nothing, none()),
        row("post", "/api/v1/calls/{call}/consult", Seat, Live, consult),
        row("post", "/api/v1/calls/{call}/consult/end", Seat, Live, none()),
        row("post", "/api/v1/calls/{call}/consult/hand-over", Seat, Live, none()),
        row("post", "/api/v1/calls/{call}/conference", Seat, Live, none()),
        row("post", "/api/v1/calls/{call}/conference/end", Seat, Live, none()),
        row("post", "/api/v1/calls/{call}/hangup", Seat, Live, none()),
        row("post", "/api/v1/calls/{call}/wrap-up", Seat, Live, wrap_up),
        row("post", "/api/v1/calls/{call}/wrap-up/extend", Seat, Live, json!({"seconds": 5})),
        row("put", "/api/v1/calls/{call}/note", Signed, Thing, json!({"note": "Shipped."})),
        row("get", "/api/v1/calls", Signed, Nothing, none()),
        row("get", "/api/v1/calls/{call}", Signed, Thing, none()),
        row("get", "/api/v1/calls/{call}/recordings/{n}", Signed, Thing, none()),
        row("get", "/api/v1/calls/{call}/recordings/{n}/waveform", Signed, Thing, none()),
        row("get", "/api/v1/callbacks", Signed, Nothing, none()),
        row("post", "/api/v1/callbacks/{call}/done", Signed, Thing, none()),
    ];
    rows.extend(administration());
    rows.extend([
        row("get", "/api/v1/ws", Anybody, Nothing, none()),
        row("post", "/api/v1/ws/ticket", Signed, Nothing, none()),
        row("get", "/healthz", Anybody, Nothing, none()),
        row("get", "/readyz", Anybody, Nothing, none()),
        row("get", "/metrics", Anybody, Nothing, none()),
        row("get", "/api/openapi.json", Anybody, Nothing, none()),
        // Last: it ends the session that the rows above use.
        row("delete", "/api/v1/session", Signed, Nothing, none()),
    ]);
    rows
}

fn administration() -> Vec<Row> {
    use Names::{Nothing, Thing};
    use Who::Administrator;
    let none = || Value::Null;
    let queue = json!({
        "name": "Other", "strategy": "longest_ready", "ring_ms": 1000, "wrap_up_ms": 0,
        "music": "music", "service_level_ms": 1000, "short_abandon_ms": 0, "length_max": 1,
    });
    let user = json!({
        "mail": "x@example.com", "name": "X", "role": "agent", "language": "en",
        "password": PASSWORD, "device": {"kind": "browser"},
    });
    // Without a password: a new one would end the session that the rows after it use.
    let changed = json!({
        "mail": "y@example.com", "name": "Y", "role": "agent", "language": "en",
        "device": {"kind": "phone"},
    });
    let flow = json!({"schema": 1, "start": "end", "nodes": {"end": {"type": "hang_up"}}});
    let company = json!({"name": "Example", "zone": "Asia/Tehran", "language": "en"});
    let choices = json!({"items": [{"code": "done", "label": "Done"}]});
    vec![
        row("get", "/api/v1/company", Administrator, Nothing, none()),
        row("put", "/api/v1/company", Administrator, Nothing, company),
        row("get", "/api/v1/reach", Administrator, Nothing, none()),
        row("get", "/api/v1/users", Administrator, Nothing, none()),
        row("post", "/api/v1/users", Administrator, Nothing, user),
        row("get", "/api/v1/users/{id}", Administrator, Thing, none()),
        row("put", "/api/v1/users/{id}", Administrator, Thing, changed),
        row("post", "/api/v1/users/{id}/phone-secret", Administrator, Thing, json!({})),
        row("get", "/api/v1/queues", Administrator, Nothing, none()),
        row("post", "/api/v1/queues", Administrator, Nothing, queue.clone()),
        row("get", "/api/v1/queues/{id}", Administrator, Thing, none()),
        row("put", "/api/v1/queues/{id}", Administrator, Thing, queue),
        row("delete", "/api/v1/queues/{id}", Administrator, Thing, none()),
        row("get", "/api/v1/flows", Administrator, Nothing, none()),
        row("post", "/api/v1/flows", Administrator, Nothing, json!({"name": "Other"})),
        row("post", "/api/v1/flows/check", Administrator, Nothing, flow.clone()),
        row("get", "/api/v1/flows/{id}", Administrator, Thing, none()),
        row("put", "/api/v1/flows/{id}/draft", Administrator, Thing, flow),
        row("post", "/api/v1/flows/{id}/publish", Administrator, Thing, none()),
        row("get", "/api/v1/numbers", Administrator, Nothing, none()),
        row("get", "/api/v1/numbers/{dialled}", Administrator, Thing, none()),
        row("put", "/api/v1/numbers/{dialled}", Administrator, Nothing, json!({"flow": "{flow}"})),
        row("delete", "/api/v1/numbers/{dialled}", Administrator, Thing, none()),
        row("get", "/api/v1/prompts", Administrator, Nothing, none()),
        row("get", "/api/v1/prompts/{name}/{lang}", Administrator, Thing, none()),
        row("put", "/api/v1/prompts/{name}/{lang}", Administrator, Nothing, json!("RIFF")),
        row("delete", "/api/v1/prompts/{name}/{lang}", Administrator, Thing, none()),
        row("get", "/api/v1/calendars", Administrator, Nothing, none()),
        row("put", "/api/v1/calendars", Administrator, Nothing, json!({})),
        row("get", "/api/v1/dispositions", Administrator, Nothing, none()),
        row("put", "/api/v1/dispositions", Administrator, Nothing, choices.clone()),
        row("get", "/api/v1/break-reasons", Administrator, Nothing, none()),
        row("put", "/api/v1/break-reasons", Administrator, Nothing, choices),
        row("get", "/api/v1/config/versions", Administrator, Nothing, none()),
        row("delete", "/api/v1/users/{id}", Administrator, Thing, none()),
    ]
}

/// The ids that a path may name, of one company.
#[derive(Debug, Clone, Copy)]
struct Ids {
    call: CallId,
    user: UserId,
    queue: QueueId,
    flow: FlowId,
    number: &'static str,
}

impl Ids {
    fn nowhere() -> Self {
        Self {
            call: fresh_id(NOW),
            user: fresh_id(NOW),
            queue: fresh_id(NOW),
            flow: fresh_id(NOW),
            number: "999",
        }
    }

    fn fill(&self, path: &str, prompt: &str) -> String {
        let kind = path.split('/').nth(3).unwrap_or("");
        let id = match kind {
            "users" => self.user.to_string(),
            "queues" => self.queue.to_string(),
            _ => self.flow.to_string(),
        };
        path.replace("{call}", &self.call.to_string())
            .replace("{offer}", &fresh_id::<OfferId>(NOW).to_string())
            .replace("{n}", "1")
            .replace("{id}", &id)
            .replace("{dialled}", self.number)
            .replace("{name}", prompt)
            .replace("{lang}", "en")
    }
}

#[test]
fn every_route_is_in_the_matrix() {
    let description: Value = serde_json::from_str(&api::openapi()).unwrap();
    let mut routes = BTreeSet::new();
    for (path, methods) in description["paths"].as_object().unwrap() {
        for method in methods.as_object().unwrap().keys() {
            routes.insert((method.clone(), path.clone()));
        }
    }
    let rows: BTreeSet<_> =
        table().iter().map(|row| (row.method.to_owned(), row.path.to_owned())).collect();
    assert_eq!(routes, rows);
}

/// A company with one call of its agent, a call-back and a prompt.
async fn furnished(house: &House, dialled: &'static str) -> (Company, Ids) {
    let company = house.found(dialled).await;
    let call = recorded_call(house, &company, 1).await;
    let party: PartyId = fresh_id(NOW);
    let listed = FloorRow::Callback {
        call,
        party,
        queue: company.queue,
        waiting_since: NOW,
        listed_at: NOW,
    };
    let batch = FloorBatch { tenant: company.tenant, events: vec![], rows: vec![listed] };
    house.store.floor().commit(batch).await.unwrap();
    let ids = Ids {
        call,
        user: company.people["agent"],
        queue: company.queue,
        flow: company.flow,
        number: dialled,
    };
    (company, ids)
}

async fn somebody_more(house: &House, company: &Company) -> UserId {
    let id: UserId = fresh_id(NOW);
    let edit = Edit { expected: None, summary: "somebody more".into(), at: NOW };
    let add = |draft: &mut ConfigDraft| -> Result<(), StoreError> {
        let (mail, name) = ("more@example.com".into(), "More".into());
        draft.users.insert(id, User { id, mail, name, role: Role::Agent, language: "en".into() });
        Ok(())
    };
    house.store.system(company.tenant).edit_config(edit, add).await.unwrap();
    id
}

async fn ask(house: &House, row: &Row, path: &str, session: &str, flow: FlowId) -> (u16, String) {
    let method: Method = row.method.to_uppercase().parse().unwrap();
    let reply = match &row.body {
        Value::Null => house.ask(session, method, path).await,
        Value::String(sound) => {
            let request = request(session, method, path).header("content-type", "audio/wav");
            house.send(request.body(Body::from(sound.clone())).unwrap()).await
        }
        body => {
            let text = body.to_string().replace("{flow}", &flow.to_string());
            let body = serde_json::from_str(&text).unwrap();
            house.tell(session, method, path, &body).await
        }
    };
    (reply.status.as_u16(), reply.code())
}

#[tokio::test]
async fn nobody_reaches_what_is_not_theirs() {
    let house = House::open().await;
    let (ours, own) = furnished(&house, "100").await;
    // The twin has the same names and the same number, and one that is its own.
    let (twin, foreign) = furnished(&house, "200").await;
    let twins = || async { house.store.system(twin.tenant).draft().await.unwrap() };
    let before = twins().await;
    assert!(before.config.numbers.contains_key(&TWINS_NUMBER.parse().unwrap()));
    let administrator = &ours.sessions["administrator"];
    let sound = request(administrator, Method::PUT, "/api/v1/prompts/hello/en")
        .header("content-type", "audio/wav")
        .body(Body::from("RIFF"))
        .unwrap();
    assert_eq!(house.send(sound).await.status.as_u16(), 200);
    let nowhere = Ids::nowhere();
    let leaving = Ids { user: somebody_more(&house, &ours).await, ..own };
    for row in table() {
        // Whoever asks must not be the one who is taken out.
        let own = if row.method == "delete" { leaving } else { own };
        let place = format!("{} {}", row.method, row.path);
        let path = own.fill(row.path, "hello");
        if row.who != Who::Anybody {
            let (status, code) = ask(&house, &row, &path, "", own.flow).await;
            assert_eq!((status, code.as_str()), (401, "no_session"), "{place}, nobody");
        }
        if row.names == Names::Thing {
            for (ids, prompt) in [(&foreign, "elsewhere"), (&nowhere, "elsewhere")] {
                let path = ids.fill(row.path, prompt);
                let (status, code) = ask(&house, &row, &path, administrator, own.flow).await;
                assert_eq!((status, code.as_str()), (404, "not_found"), "{place}, foreign {path}");
            }
            let broken = own.fill(row.path, "hello").replace(&own.call.to_string(), "%00");
            if broken != path {
                let (status, _) = ask(&house, &row, &broken, administrator, own.flow).await;
                assert_eq!(status, 404, "{place}, no id");
            }
        }
        if row.names == Names::Live {
            // Whose an id is only the cell knows; `hub` asks a real one with the twin's.
            *house.floor.refusal.lock().unwrap() = Some(Refusal::NotFound);
            for path in [foreign.fill(row.path, ""), nowhere.fill(row.path, "")] {
                let session = &ours.sessions["agent"];
                let (status, code) = ask(&house, &row, &path, session, own.flow).await;
                assert_eq!((status, code.as_str()), (404, "not_found"), "{place}, foreign {path}");
                let asked = house.floor.commands.lock().unwrap().pop().unwrap();
                assert_eq!(asked.0, ours.tenant, "{place}: our own cell is asked");
            }
            *house.floor.refusal.lock().unwrap() = None;
            // Whoever takes no contacts is told no more of it.
            for path in [foreign.fill(row.path, ""), nowhere.fill(row.path, "")] {
                for role in ["supervisor", "administrator"] {
                    let session = &ours.sessions[role];
                    let (status, code) = ask(&house, &row, &path, session, own.flow).await;
                    assert_eq!((status, code.as_str()), (404, "not_found"), "{place} {role}");
                }
            }
        }
        let mut may = BTreeMap::new();
        for role in ["agent", "supervisor", "administrator"] {
            // Destructive rows of an administrator are tried by the others first.
            let (status, code) = ask(&house, &row, &path, &ours.sessions[role], own.flow).await;
            may.insert(role, (status, code));
        }
        check(&row, &place, &may);
    }
    let audited = house.store.system(ours.tenant).config_versions(None, 200).await.unwrap();
    assert!(audited.len() > 10, "edits were made and kept");
    assert!(calls::untouched(&house, &foreign.call).await);
    let after = twins().await;
    assert_eq!((after.config, after.users), (before.config, before.users));
    let ours = house.store.system(ours.tenant).config().await.unwrap();
    assert!(!ours.numbers.contains_key(&TWINS_NUMBER.parse().unwrap()), "removed by a row");
}

fn check(row: &Row, place: &str, may: &BTreeMap<&str, (u16, String)>) {
    for (role, (status, code)) in may {
        let refused = (403, "forbidden") == (*status, code.as_str());
        match row.who {
            Who::Administrator => assert_eq!(refused, *role != "administrator", "{place} {role}"),
            Who::Seat => {
                let wanted = match *role {
                    "agent" => 204,
                    _ if row.path.contains("{offer}") => 404,
                    _ => 403,
                };
                assert_eq!(*status, wanted, "{place} {role} {code}");
            }
            Who::Signed | Who::Anybody => assert!(!refused, "{place} {role} {code}"),
        }
        let unexpected = *status >= 500 || (row.who != Who::Anybody && *status == 401);
        assert!(!unexpected, "{place} {role} {status} {code}");
    }
    if row.who == Who::Administrator {
        let (status, code) = &may["administrator"];
        // A queue that a published flow leads to stays: everything else is done.
        let kept = (409, "in_use") == (*status, code.as_str()) && row.path.contains("queues/{id}");
        assert!(*status < 300 || kept, "{place} {status} {code}");
    }
}

#[tokio::test]
async fn an_agent_sees_only_their_own_calls() {
    let house = House::open().await;
    let (company, ids) = furnished(&house, "100").await;
    let theirs = calls::call_of_nobody(&house, &company, 2).await;
    let agent = &company.sessions["agent"];
    let supervisor = &company.sessions["supervisor"];
    for (call, status) in [(ids.call, 200), (theirs, 404)] {
        let path = format!("/api/v1/calls/{call}");
        assert_eq!(house.ask(agent, Method::GET, &path).await.status.as_u16(), status);
        assert_eq!(house.ask(supervisor, Method::GET, &path).await.status.as_u16(), 200);
    }
    let count = |session: &str, query: &str| {
        let path = format!("/api/v1/calls{query}");
        let session = session.to_owned();
        let house = &house;
        async move {
            let list = house.ask(&session, Method::GET, &path).await.json();
            list["items"].as_array().map_or(0, Vec::len)
        }
    };
    assert_eq!(count(supervisor, "").await, 2);
    assert_eq!(count(agent, "").await, 1);
    let other = format!("?agent={}", company.people["supervisor"]);
    assert_eq!(count(agent, &other).await, 0);
}
