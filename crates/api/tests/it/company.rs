//! The company itself, its sounds, and what is told of its changes.

use axum::body::Body;
use axum::http::{Method, StatusCode};
use serde_json::json;
use store::{ConfigDraft, Edit};

use crate::admin::opened;
use crate::house::{NOW, request, waiting};

#[tokio::test]
async fn a_prompt_goes_with_its_last_sound_unless_somebody_would_hear_nothing() {
    let (house, company, session) = opened().await;
    *house.floor.strict.lock().unwrap() = true;
    for path in ["hello/en", "hello/fa", "spare/fa"] {
        let request = request(&session, Method::PUT, &format!("/api/v1/prompts/{path}"))
            .header("content-type", "audio/wav");
        assert_eq!(house.send(request.body(Body::from("RIFF")).unwrap()).await.status, 200);
    }
    let mut speaks = waiting("Support");
    let end = model::flow::Node::HangUp { prompts: vec!["hello".into()] };
    speaks.nodes.insert("end".into(), end);
    let flow = format!("/api/v1/flows/{}", company.flow);
    let document = serde_json::to_value(&speaks).unwrap();
    let drafted = house.tell(&session, Method::PUT, &format!("{flow}/draft"), &document).await;
    assert_eq!(drafted.status, StatusCode::OK);
    let published = house.ask(&session, Method::POST, &format!("{flow}/publish")).await;
    assert_eq!(published.status, StatusCode::OK);

    let remove = |path: &'static str| {
        let path = format!("/api/v1/prompts/{path}");
        let (house, session) = (&house, &session);
        async move { house.ask(session, Method::DELETE, &path).await }
    };
    assert_eq!(remove("hello/en").await.code(), "in_use", "callers fall back on it");
    assert_eq!(remove("music/*").await.code(), "in_use", "a queue plays it");
    assert_eq!(remove("hello/fa").await.status, StatusCode::NO_CONTENT);
    assert_eq!(remove("hello/fa").await.code(), "not_found");
    assert_eq!(remove("spare/fa").await.status, StatusCode::NO_CONTENT);
    let prompts = house.ask(&session, Method::GET, "/api/v1/prompts").await.json();
    let names: Vec<_> = prompts["items"].as_array().unwrap().iter().map(|p| &p["name"]).collect();
    assert_eq!(names, ["hello", "music"]);

    // Nor does a change of the company's language leave its callers in silence.
    let put = |language: &str| {
        let body = json!({"name": "Example", "zone": "Asia/Tehran", "language": language});
        let (house, session) = (&house, &session);
        async move { house.tell(session, Method::PUT, "/api/v1/company", &body).await }
    };
    assert_eq!(put("fa").await.code(), "not_spoken");
    let changed = put("en-GB").await;
    assert_eq!(
        changed.json(),
        json!({"name": "Example", "zone": "Asia/Tehran", "language": "en-GB"})
    );
    assert_eq!(house.ask(&session, Method::GET, "/api/v1/company").await.json(), changed.json());
    let me = house.ask(&session, Method::GET, "/api/v1/me").await.json();
    assert_eq!(me["tenant"]["zone"], "Asia/Tehran");
    assert_eq!(house.store.tenants().await.unwrap()[0].zone, "Asia/Tehran");
}

#[tokio::test]
async fn a_company_is_told_how_it_is_reached() {
    let (house, company, session) = opened().await;
    let reach = house.ask(&session, Method::GET, "/api/v1/reach").await.json();
    assert_eq!(reach, json!({"sip": "192.0.2.7:5060", "domain": null}));
    let domain = Some("calls.one.example".parse().unwrap());
    house.store.set_domain(company.tenant, domain).await.unwrap();
    let reach = house.ask(&session, Method::GET, "/api/v1/reach").await.json();
    assert_eq!(reach["domain"], "calls.one.example");
}

#[tokio::test]
async fn a_version_names_what_it_kept_without_names() {
    let (house, company, session) = opened().await;
    let flow = format!("/api/v1/flows/{}/publish", company.flow);
    assert_eq!(house.ask(&session, Method::POST, &flow).await.status, StatusCode::OK);
    let kept = house.store.system(company.tenant).config_versions(None, 1).await.unwrap();
    assert_eq!(kept[0].summary, format!("publish flow {}", company.flow));
    let told = house.ask(&session, Method::GET, "/api/v1/config/versions").await.json();
    assert_eq!(told["items"][0]["summary"], "publish flow Main");
}

#[tokio::test]
async fn all_sounds_of_a_company_together_have_a_limit() {
    let (house, company, session) = opened().await;
    let fill = |draft: &mut ConfigDraft| -> Result<(), store::StoreError> {
        let prompt = draft.config.prompts.values_mut().find(|prompt| prompt.name == "music");
        let length_ms = u32::try_from(model::limits::PROMPTS_MS_PER_TENANT_MAX).unwrap();
        prompt.unwrap().variants.values_mut().for_each(|clip| clip.length_ms = length_ms);
        Ok(())
    };
    let edit = Edit { expected: None, summary: "long".into(), at: NOW };
    house.store.system(company.tenant).edit_config(edit, fill).await.unwrap();
    let put = |path: &'static str, sound: &'static str| {
        let request = request(&session, Method::PUT, &format!("/api/v1/prompts/{path}"))
            .header("content-type", "audio/wav");
        house.send(request.body(Body::from(sound)).unwrap())
    };
    assert_eq!(put("hello/en", "RIFF").await.status, StatusCode::OK);
    assert_eq!(put("hello/el", "RIFF").await.status, StatusCode::OK, "the same sound counts once");
    assert_eq!(put("hello/fa", "RIFF another").await.code(), "limit");
    let half = |draft: &mut ConfigDraft| -> Result<(), store::StoreError> {
        let prompt = draft.config.prompts.values_mut().find(|prompt| prompt.name == "music");
        prompt.unwrap().variants.values_mut().for_each(|clip| clip.length_ms *= 2);
        Ok(())
    };
    let edit = Edit { expected: None, summary: "of an older version".into(), at: NOW };
    house.store.system(company.tenant).edit_config(edit, half).await.unwrap();
    assert_eq!(put("music/*", "RIFF shorter").await.status, StatusCode::OK, "a way back");
}
