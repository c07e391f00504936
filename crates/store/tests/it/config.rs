//! Versions of the configuration: contiguous, immutable, never overtaken.

use std::sync::Arc;

use model::Span;
use store::{Actor, Edit, FlowDraft, HouseKey, NewTenant, Store, StoreError, fresh_id};

use crate::house::{self, NOW};

fn edit(expected: Option<u64>) -> Edit {
    Edit { expected, summary: "rename".into(), at: NOW + Span::from_secs(1) }
}

#[tokio::test]
async fn each_edit_is_a_version_and_the_old_one_stays() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path(), &HouseKey::generate()).await.unwrap();
    let house = house::found(&store, "100").await.unwrap();
    let db = store.system(house.tenant);
    let first = db.config().await.unwrap();
    let rename = |name: &'static str, expected| {
        let db = db.clone();
        async move {
            db.edit_config(edit(expected), |draft| -> Result<(), StoreError> {
                let queue = draft.config.queues.get_mut(&house.queue).unwrap();
                queue.name = name.into();
                Ok(())
            })
            .await
        }
    };
    let second = rename("Help", Some(1)).await.unwrap();
    assert_eq!(second.config.n, 2);
    assert!(matches!(rename("Late", Some(1)).await, Err(StoreError::Stale { current: 2 })));
    // Many at once without an expectation: all are kept, one after the other.
    let many = futures::future::join_all((0..10).map(|_| rename("Busy", None))).await;
    assert!(many.iter().all(Result::is_ok));
    assert_eq!(db.config().await.unwrap().n, 12);

    assert_eq!(db.config_at(1).await.unwrap(), *first);
    assert_eq!(db.config_at(2).await.unwrap(), *second.config);
    let versions = db.config_versions(Some(3), 10).await.unwrap();
    assert_eq!(versions.iter().map(|version| version.n).collect::<Vec<_>>(), [2, 1]);
    assert_eq!(versions[0].summary, "rename");

    store.close().await;
    drop((db, store));
    let again = Store::open(dir.path(), &HouseKey::generate()).await.unwrap();
    assert_eq!(again.system(house.tenant).config().await.unwrap().n, 12);
}

#[tokio::test]
async fn a_refused_edit_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path(), &HouseKey::generate()).await.unwrap();
    let house = house::found(&store, "100").await.unwrap();
    let db = store.system(house.tenant);
    let before = db.draft().await.unwrap();

    let same_name = db
        .edit_config(edit(None), |draft| -> Result<(), StoreError> {
            draft.config.queues.insert(fresh_id(NOW), house::support());
            draft.config.dispositions.insert("other".into(), "Other".into());
            Ok(())
        })
        .await;
    assert!(matches!(same_name, Err(StoreError::Conflict { what: "the name" })), "{same_name:?}");
    let used = db
        .edit_config(edit(None), |draft| -> Result<(), StoreError> {
            draft.flows.remove(&house.flow);
            Ok(())
        })
        .await;
    assert!(matches!(used, Err(StoreError::Conflict { .. })), "{used:?}");
    let own_error = db
        .edit_config(edit(None), |_| -> Result<(), StoreError> { Err(StoreError::NotFound) })
        .await;
    assert!(matches!(own_error, Err(StoreError::NotFound)));
    assert_eq!(db.draft().await.unwrap().config, before.config);
    assert_eq!(db.config().await.unwrap().n, 1);

    let first_only = NewTenant {
        name: "Second".into(),
        zone: "Europe/Athens".into(),
        language: "en".into(),
        domain: None,
        first_only: true,
    };
    let second = store
        .create_tenant(first_only, Actor::System, NOW, |_| -> Result<(), StoreError> { Ok(()) })
        .await;
    assert!(matches!(second, Err(StoreError::Conflict { .. })));
    assert_eq!(store.tenants().await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_flow_is_drafted_published_and_its_versions_kept() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path(), &HouseKey::generate()).await.unwrap();
    let house = house::found(&store, "100").await.unwrap();
    let db = store.system(house.tenant);
    let mut document = house::hang_up();
    document.start = "other".into();
    let drafted = db
        .edit_config(edit(None), |draft| -> Result<(), StoreError> {
            let flow: &mut FlowDraft = draft.flows.get_mut(&house.flow).unwrap();
            flow.draft = Arc::new(document.clone());
            Ok(())
        })
        .await
        .unwrap();
    assert_eq!(drafted.config.flows[&house.flow].flow.start, "end", "a draft is not in force");
    let published = db
        .edit_config(edit(None), |draft| -> Result<_, StoreError> { Ok(draft.publish(house.flow)) })
        .await
        .unwrap();
    assert_eq!(published.value, Some(2));
    assert_eq!(*published.config.flows[&house.flow].flow, document);
    assert_eq!(db.draft().await.unwrap().flows[&house.flow].published, Some(2));
}

#[tokio::test]
async fn a_new_password_ends_the_sessions() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path(), &HouseKey::generate()).await.unwrap();
    let house = house::found(&store, "100").await.unwrap();
    let db = store.system(house.tenant);
    let user = model::UserId::of_agent(house.agent);
    let token = db.create_session(user, NOW, Span::from_secs(60)).await.unwrap();
    let hash = store.hash_password("another long password".into()).await.unwrap();
    db.edit_config(edit(None), |draft| -> Result<(), StoreError> {
        draft.passwords.insert(user, hash);
        Ok(())
    })
    .await
    .unwrap();
    assert!(store.session(token.digest(), NOW).await.unwrap().is_none());
    let signed_in =
        store.sign_in("agent@example.com", "another long password", None).await.unwrap();
    assert_eq!(signed_in.map(|(_, user)| user.id), Some(user));
}
