//! Telephones that register: secrets, names and where they are.

use std::collections::BTreeMap;

use model::config::Device;
use model::sip::{Digest, PhoneContact, Transport};
use model::{DeviceId, Span};
use sqlx::Connection as _;
use sqlx::sqlite::SqliteConnection;
use store::{Edit, HouseKey, Store, StoreError, TenantDb, fresh_id, phone_secret};

use crate::house::{self, House, NOW};

fn edit(summary: &str) -> Edit {
    Edit { expected: None, summary: summary.into(), at: NOW + Span::from_secs(1) }
}

/// Gives the agent a telephone with a secret, and tells by what it registers.
async fn phone(db: &TenantDb, house: &House, device: DeviceId) -> Result<String, StoreError> {
    let mut known = db.phone_names().await?;
    let edited = db
        .edit_config(edit("a telephone"), |draft| {
            let agent = draft.config.agents.get_mut(&house.agent).expect("the agent");
            agent.device = Device::Phone { device };
            let (account, _) = phone_secret(device, Digest::Sha256, known.remove(&device));
            let username = account.username.to_string();
            draft.phone_secrets.push(account);
            Ok::<_, StoreError>(username)
        })
        .await?;
    Ok(edited.value)
}

fn contact(left_s: u64) -> PhoneContact {
    PhoneContact {
        uri: "sip:a@192.0.2.7".into(),
        peer: "192.0.2.7:5060".parse().unwrap(),
        transport: Transport::Tls,
        q: 1_000,
        left_s,
        instance: None,
        call_id: "boot".into(),
        cseq: 1,
    }
}

#[tokio::test]
async fn a_telephone_keeps_its_name_and_goes_with_its_agent() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path(), &HouseKey::generate()).await.unwrap();
    let house = house::found(&store, "100").await.unwrap();
    let other = house::found(&store, "200").await.unwrap();
    let (db, theirs) = (store.system(house.tenant), store.system(other.tenant));
    let device = fresh_id(NOW);
    let name = phone(&db, &house, device).await.unwrap();
    let [first] = &db.phones().await.unwrap()[..] else { panic!("one") };
    assert_eq!((first.device, first.username.to_string()), (device, name.clone()));
    assert_eq!(phone(&db, &house, device).await.unwrap(), name, "another secret, no other name");
    let [second] = &db.phones().await.unwrap()[..] else { panic!("one") };
    assert_ne!(first.ha1, second.ha1);
    assert_eq!(theirs.phones().await.unwrap(), [], "of one tenant alone");

    // A name that somebody else in the house has is refused, whoever they are.
    let taken = theirs
        .edit_config(edit("the same name"), |draft| {
            let (account, _) =
                phone_secret(fresh_id(NOW), Digest::Md5, Some(first.username.clone()));
            draft.phone_secrets.push(account);
            Ok::<_, StoreError>(())
        })
        .await;
    assert!(matches!(taken, Err(StoreError::Conflict { .. })), "{taken:?}");

    // The secret is in no version of the configuration.
    let snapshot = serde_json::to_string(&*db.config().await.unwrap()).unwrap();
    assert!(!snapshot.contains(second.ha1.hex()) && !snapshot.contains(&name));

    let kept = BTreeMap::from([(device, vec![contact(100)])]);
    db.keep_phone_contacts(kept.clone(), NOW).await.unwrap();
    phone(&db, &house, device).await.unwrap();
    assert_eq!(db.phone_contacts(NOW).await.unwrap(), [], "with another secret it is nowhere");
    db.keep_phone_contacts(kept, NOW).await.unwrap();
    db.edit_config(edit("the page again"), |draft| {
        let agent = draft.config.agents.get_mut(&house.agent).expect("the agent");
        agent.device = Device::Browser;
        Ok::<_, StoreError>(())
    })
    .await
    .unwrap();
    assert_eq!(db.phones().await.unwrap(), []);
    assert_eq!(db.phone_contacts(NOW).await.unwrap(), []);
}

#[tokio::test]
async fn a_digest_lies_sealed_and_opens_with_its_key_at_its_place() {
    let dir = tempfile::tempdir().unwrap();
    let file = format!("sqlite://{}", dir.path().join("antiphon.db").display());
    let key = HouseKey::generate();
    let store = Store::open(dir.path(), &key).await.unwrap();
    let house = house::found(&store, "100").await.unwrap();
    let name = phone(&store.system(house.tenant), &house, fresh_id(NOW)).await.unwrap();
    let [account] = &store.system(house.tenant).phones().await.unwrap()[..] else { panic!("one") };
    let plain = account.ha1.hex().to_owned();
    store.close().await;
    let rows = || async {
        let mut conn = SqliteConnection::connect(&file).await.unwrap();
        sqlx::query_scalar::<_, String>("SELECT sealed FROM phone")
            .fetch_all(&mut conn)
            .await
            .unwrap()
    };
    let [sealed] = &rows().await[..] else { panic!("one") };
    assert!(sealed.starts_with("sealed:") && !sealed.contains(&plain), "{sealed}");

    let again = Store::open(dir.path(), &key).await.unwrap();
    let kept = again.system(house.tenant).phones().await.unwrap();
    assert_eq!(kept, std::slice::from_ref(account), "after a restart");
    again.close().await;

    let strange = Store::open(dir.path(), &HouseKey::generate()).await.unwrap();
    let db = strange.system(house.tenant);
    assert_eq!(db.phones().await.unwrap(), [], "with another key it cannot register");
    let names = db.phone_names().await.unwrap();
    assert_eq!(names.values().map(ToString::to_string).collect::<Vec<_>>(), [name]);
    strange.close().await;

    // Whoever can write into the file gains nothing by giving a telephone another's secret.
    let mut conn = SqliteConnection::connect(&file).await.unwrap();
    sqlx::query("UPDATE phone SET username = '9999999999'").execute(&mut conn).await.unwrap();
    let moved = Store::open(dir.path(), &key).await.unwrap();
    assert_eq!(moved.system(house.tenant).phones().await.unwrap(), []);
    moved.close().await;

    // A row of a build that did not seal.
    let update = "UPDATE phone SET sealed = $1, username = $2";
    let query = sqlx::query(update).bind(&plain).bind(account.username.as_str());
    query.execute(&mut conn).await.unwrap();
    conn.close().await.unwrap();
    let upgraded = Store::open(dir.path(), &key).await.unwrap();
    assert_eq!(upgraded.system(house.tenant).phones().await.unwrap(), []);
    upgraded.seal_phones().await.unwrap();
    let kept = upgraded.system(house.tenant).phones().await.unwrap();
    assert_eq!(kept, std::slice::from_ref(account));
    upgraded.close().await;
    assert!(rows().await[0].starts_with("sealed:"));
}

#[tokio::test]
async fn where_telephones_are_is_kept_with_the_time_they_have_left() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path(), &HouseKey::generate()).await.unwrap();
    let house = house::found(&store, "100").await.unwrap();
    let other = house::found(&store, "200").await.unwrap();
    let db = store.system(house.tenant);
    let device: DeviceId = fresh_id(NOW);
    let kept = BTreeMap::from([(device, vec![contact(100), contact(30)])]);
    db.keep_phone_contacts(kept, NOW).await.unwrap();
    let later = NOW + Span::from_secs(30);
    assert_eq!(db.phone_contacts(later).await.unwrap(), [(device, vec![contact(70)])]);
    // A clock that was set back makes nothing last longer than it was kept for.
    let earlier = NOW + Span::from_secs(-500);
    let before = db.phone_contacts(earlier).await.unwrap();
    assert_eq!(before, [(device, vec![contact(100), contact(30)])]);
    assert_eq!(store.system(other.tenant).phone_contacts(NOW).await.unwrap(), []);
    let gone = BTreeMap::from([(device, vec![])]);
    db.keep_phone_contacts(gone, NOW).await.unwrap();
    assert_eq!(db.phone_contacts(NOW).await.unwrap(), []);
}
