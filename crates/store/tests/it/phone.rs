//! Telephones that register: secrets, names and where they are.

use std::collections::BTreeMap;

use model::config::Device;
use model::sip::{Digest, PhoneContact, Transport};
use model::{DeviceId, Span};
use store::{Edit, Store, StoreError, TenantDb, fresh_id, phone_secret};

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
    let store = Store::open(dir.path()).await.unwrap();
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
async fn where_telephones_are_is_kept_with_the_time_they_have_left() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).await.unwrap();
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
