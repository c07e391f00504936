//! Twin tenants with equal names and numbers: neither sees or changes anything of the other.

use std::sync::Arc;

use model::{DialString, Domain, Event, FlowId, Span, TenantId, UserId, limits};
use store::{
    Actor, CallFilter, CallbackFilter, ConfigDraft, Ctx, Edit, FloorBatch, FloorRow, FlowDraft,
    HouseKey, NewTenant, Role, Store, StoreError, TokenDigest, fresh_id,
};

use crate::house::{self, House, NOW, PASSWORD};

async fn twins(dir: &std::path::Path) -> (Store, House, House) {
    let store = Store::open(dir, &HouseKey::generate()).await.unwrap();
    let (a, b) =
        (house::found(&store, "100").await.unwrap(), house::found(&store, "100").await.unwrap());
    (store, a, b)
}

#[tokio::test]
async fn ids_of_the_twin_lead_nowhere() {
    let dir = tempfile::tempdir().unwrap();
    let (store, a, b) = twins(dir.path()).await;
    let (ours, theirs) = (store.system(a.tenant), store.system(b.tenant));
    let (call, mut batch) = house::arrival(&b, 1, NOW, "+302105550142");
    let FloorRow::Party { party, .. } = &batch.rows[0] else { panic!("the party comes first") };
    batch.rows.push(FloorRow::Callback {
        call,
        party: *party,
        queue: b.queue,
        waiting_since: NOW,
        listed_at: NOW,
    });
    batch.rows.push(FloorRow::AgentIntent { agent: b.agent, intent: serde_json::json!(1) });
    batch.rows.push(FloorRow::DeviceUp { agent: b.agent, leg: fresh_id(NOW) });
    store.floor().commit(batch).await.unwrap();
    let clip = theirs.put_blob(vec![1, 2, 3], NOW).await.unwrap();
    theirs.create_api_key("key".into(), Role::Agent, NOW, None).await.unwrap();

    assert!(matches!(ours.call(call).await, Err(StoreError::NotFound)));
    assert!(matches!(ours.callback_done(call, NOW).await, Err(StoreError::NotFound)));
    assert!(matches!(ours.user(UserId::of_agent(b.agent)).await, Err(StoreError::NotFound)));
    assert!(matches!(ours.blob(clip).await, Err(StoreError::NotFound)));
    assert!(matches!(ours.revoke_api_key("key".into()).await, Err(StoreError::NotFound)));
    let language = ours.set_user_language(UserId::of_agent(b.agent), "fa".into()).await;
    assert!(matches!(language, Err(StoreError::NotFound)));
    let session = ours.create_session(UserId::of_agent(b.agent), NOW, Span::from_secs(9)).await;
    assert!(matches!(session, Err(StoreError::Conflict { .. })));
    assert!(ours.calls(&CallFilter::default(), 10).await.unwrap().is_empty());
    assert!(ours.call_events(call).await.unwrap().is_empty());
    assert!(ours.events_of_contacts(b.agent, NOW).await.unwrap().is_empty());
    assert!(ours.events(0, 10).await.unwrap().is_empty());
    assert!(ours.unfinished_calls().await.unwrap().is_empty());
    assert!(ours.unfinished_calls().await.unwrap().is_empty());
    assert!(ours.devices_up().await.unwrap().is_empty());
    assert_eq!(theirs.devices_up().await.unwrap().len(), 1);
    assert!(ours.callbacks(&CallbackFilter::default(), 100).await.unwrap().is_empty());
    assert!(ours.agent_intents().await.unwrap().is_empty());
    assert_eq!((ours.users().await.unwrap().len(), ours.last_seq().await.unwrap()), (1, 0));
    assert_eq!(theirs.callbacks(&CallbackFilter::default(), 100).await.unwrap().len(), 1);
    assert_eq!(theirs.call(call).await.unwrap().row.call, call);
    assert_eq!(theirs.blob(clip).await.unwrap(), [1, 2, 3]);
}

#[tokio::test]
async fn a_batch_cannot_touch_the_twins_rows() {
    let dir = tempfile::tempdir().unwrap();
    let (store, a, b) = twins(dir.path()).await;
    let (call, batch) = house::arrival(&b, 1, NOW, "+302105550142");
    store.floor().commit(batch.clone()).await.unwrap();
    // The same rows under our own tenant make rows of ours and leave theirs alone.
    let rows = batch.rows.iter().cloned().map(|row| match row {
        FloorRow::Party { party, .. } => FloorRow::Party { party, number: None, name: None },
        other => other,
    });
    let gap = Event::RecordGap { from_seq: 1, until_seq: 1 };
    let events = vec![house::recorded(a.tenant, 1, NOW, gap)];
    let forged = FloorBatch { tenant: a.tenant, events, rows: rows.collect() };
    store.floor().commit(forged).await.unwrap();
    let theirs = store.system(b.tenant).call(call).await.unwrap();
    assert_eq!(theirs.number.as_deref(), Some("+302105550142"));
    assert_eq!(store.system(b.tenant).events(1, 10).await.unwrap(), batch.events);
}

async fn plan(store: &Store) -> Vec<(String, TenantId, FlowId)> {
    let plan = store.number_plan().await.unwrap();
    plan.into_iter().map(|claim| (claim.dialled.to_string(), claim.tenant, claim.flow)).collect()
}

async fn edit(store: &Store, house: &House, change: impl FnOnce(&mut ConfigDraft)) {
    let edit = Edit { expected: None, summary: "numbers".into(), at: NOW };
    let change = |draft: &mut ConfigDraft| -> Result<(), StoreError> {
        change(draft);
        Ok(())
    };
    store.system(house.tenant).edit_config(edit, change).await.unwrap();
}

#[tokio::test]
async fn a_number_is_the_tenants_own_and_the_oldest_claim_comes_first() {
    let dir = tempfile::tempdir().unwrap();
    let (store, a, b) = twins(dir.path()).await;
    let number: DialString = "100".parse().unwrap();
    let (ours, theirs) = (("100".into(), a.tenant, a.flow), ("100".into(), b.tenant, b.flow));
    assert_eq!(plan(&store).await, [ours.clone(), theirs.clone()]);

    // Leading elsewhere keeps the place, whatever the clock says.
    let other: FlowId = fresh_id(NOW);
    edit(&store, &a, |draft| {
        let document = Arc::new(house::hang_up());
        let flow = FlowDraft { name: "Other".into(), draft: document, published: None };
        draft.flows.insert(other, flow);
        draft.publish(other);
        draft.config.numbers.insert(number.clone(), other);
    })
    .await;
    let moved = ("100".into(), a.tenant, other);
    assert_eq!(plan(&store).await, [moved, theirs.clone()]);

    // Whoever lets go makes room for the next and stands behind when coming back.
    edit(&store, &a, |draft| _ = draft.config.numbers.remove(&number)).await;
    assert_eq!(plan(&store).await, std::slice::from_ref(&theirs));
    edit(&store, &a, |draft| _ = draft.config.numbers.insert(number.clone(), a.flow)).await;
    assert_eq!(plan(&store).await, [theirs, ours]);

    let twin = store.system(b.tenant).config().await.unwrap();
    assert_eq!((twin.n, &twin.numbers), (1, &[(number, b.flow)].into()));
}

#[tokio::test]
async fn a_domain_belongs_to_one_tenant_of_the_house() {
    let dir = tempfile::tempdir().unwrap();
    let (store, a, b) = twins(dir.path()).await;
    let domain: Domain = "Calls.Example.org".parse().unwrap();
    store.set_domain(a.tenant, Some(domain.clone())).await.unwrap();
    let taken = store.set_domain(b.tenant, "calls.example.org".parse().ok()).await;
    assert!(matches!(taken, Err(StoreError::Conflict { what: "the domain" })), "{taken:?}");
    let new = || NewTenant {
        name: "Third".into(),
        zone: "UTC".into(),
        language: "en".into(),
        domain: Some(domain.clone()),
        first_only: false,
    };
    let create = |new| store.create_tenant(new, Actor::System, NOW, |_| Ok::<_, StoreError>(()));
    let refused = create(new()).await;
    assert!(matches!(refused, Err(StoreError::Conflict { what: "the domain" })), "{refused:?}");
    let nobody = store.set_domain(fresh_id(NOW), None).await;
    assert!(matches!(nobody, Err(StoreError::NotFound)), "{nobody:?}");

    // An edit of the configuration leaves it; taking it away frees it.
    edit(&store, &a, |draft| draft.config.name = "Renamed".into()).await;
    let domain_of = async |tenant: TenantId| {
        let tenants = store.tenants().await.unwrap();
        let found = tenants.into_iter().find(|known| known.id == tenant).unwrap();
        found.domain
    };
    assert_eq!(domain_of(a.tenant).await, Some(domain.clone()));
    assert_eq!(domain_of(b.tenant).await, None);
    assert_eq!(store.tenants().await.unwrap().len(), 2);
    store.set_domain(a.tenant, None).await.unwrap();
    let third = create(new()).await.unwrap();
    assert_eq!(domain_of(a.tenant).await, None);
    assert_eq!(domain_of(third.config.tenant).await, Some(domain.clone()));
}

#[tokio::test]
async fn people_and_keys_are_found_by_what_they_present() {
    let dir = tempfile::tempdir().unwrap();
    let (store, a, _) = twins(dir.path()).await;
    let (tenant, user) =
        store.sign_in(" Agent@Example.com", PASSWORD, None).await.unwrap().unwrap();
    assert!(store.sign_in("agent@example.com", "wrong", None).await.unwrap().is_none());
    assert!(store.sign_in("nobody@example.com", PASSWORD, None).await.unwrap().is_none());

    let db = store.system(tenant);
    let token = db.create_session(user.id, NOW, Span::from_secs(60)).await.unwrap();
    let session = store.session(token.digest(), NOW).await.unwrap().unwrap();
    assert_eq!((session.tenant, &session.user), (tenant, &user));
    assert!(store.session(token.digest(), NOW + Span::from_secs(60)).await.unwrap().is_none());
    assert!(store.session(TokenDigest::of("guess"), NOW).await.unwrap().is_none());
    store.revoke_session(token.digest()).await.unwrap();
    assert!(store.session(token.digest(), NOW).await.unwrap().is_none());

    let db = store.tenant(Ctx { tenant: a.tenant, actor: Actor::System, request: "1".into() });
    let until = NOW + Span::from_secs(5);
    let key = db.create_api_key("ci".into(), Role::Supervisor, NOW, Some(until)).await.unwrap();
    let found = store.api_key(key.digest(), NOW).await.unwrap().unwrap();
    assert_eq!((found.tenant, found.role, found.name.as_str()), (a.tenant, Role::Supervisor, "ci"));
    assert!(store.api_key(key.digest(), until).await.unwrap().is_none());
    db.revoke_api_key("ci".into()).await.unwrap();
    assert!(store.api_key(key.digest(), NOW).await.unwrap().is_none());
}

#[test]
fn every_statement_names_the_tenant() {
    /// Statements of the house itself, by a part of their text.
    const HOUSE_WIDE: [&str; 8] = [
        "FROM tenant ",
        "FROM tenant\"",
        "INTO tenant ",
        "UPDATE tenant ",
        "FROM number ORDER BY",
        "WHERE token_digest = $1",
        "WHERE s.token_digest = $1",
        "WHERE u.mail = $1 AND u.password_hash IS NOT NULL",
    ];
    let mut seen = 0;
    let mut folders = vec![std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            if path.ends_with("migrate.rs") {
                continue;
            }
            let source = std::fs::read_to_string(&path).unwrap();
            for text in source.split('"').skip(1).step_by(2) {
                let verb = ["SELECT ", "INSERT INTO ", "UPDATE ", "DELETE FROM "]
                    .iter()
                    .any(|verb| text.starts_with(verb));
                // Reads no table.
                if !verb || text == "SELECT 1" {
                    continue;
                }
                seen += 1;
                let quoted = format!("{text}\"");
                let fenced = text.contains("tenant_id = ")
                    || text.contains("(tenant_id, ")
                    || text.contains(", tenant_id, ");
                let house = HOUSE_WIDE.iter().any(|part| quoted.contains(part));
                assert!(fenced || house, "{}: {text}", path.display());
            }
        }
    }
    assert!(seen > 40, "the statements were not found: {seen}");
}

/// One consultant, an account in many companies, a password for each.
#[tokio::test]
async fn who_is_in_many_companies_gets_into_each_by_its_name() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path(), &HouseKey::generate()).await.unwrap();
    let many = limits::SIGN_IN_CANDIDATES_MAX + 2;
    let mut tenants = Vec::new();
    for n in 0..many {
        let house = house::found(&store, "100").await.unwrap();
        let hash = store.hash_password(format!("the password of house {n}")).await.unwrap();
        let user = UserId::of_agent(house.agent);
        edit(&store, &house, |draft| _ = draft.passwords.insert(user, hash)).await;
        let domain: Domain = format!("house-{n}.example").parse().unwrap();
        store.set_domain(house.tenant, Some(domain)).await.unwrap();
        tenants.push(house.tenant);
    }
    let enter = async |n: usize, host: Option<usize>| {
        let host: Option<Domain> = host.map(|n| format!("house-{n}.example").parse().unwrap());
        let password = format!("the password of house {n}");
        let found = store.sign_in("agent@example.com", &password, host.as_ref()).await.unwrap();
        found.map(|(tenant, _)| tenant)
    };
    for (n, tenant) in tenants.iter().enumerate() {
        assert_eq!(enter(n, Some(n)).await, Some(*tenant), "house {n} by its name");
    }
    // Without a name the bounded number is compared, the oldest first.
    let mut oldest = tenants.clone();
    oldest.sort();
    let first = tenants.iter().position(|tenant| *tenant == oldest[0]).unwrap();
    let other = (first + 1) % many;
    assert_eq!(enter(first, Some(other)).await, Some(oldest[0]), "by another's name");
    for (n, tenant) in tenants.iter().enumerate() {
        let near = oldest.iter().take(limits::SIGN_IN_CANDIDATES_MAX).any(|one| one == tenant);
        assert_eq!(enter(n, None).await, near.then_some(*tenant), "house {n}");
    }
}
