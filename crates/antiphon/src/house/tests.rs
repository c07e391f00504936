//! A whole house on a temporary folder: commands beside it, and its end.

use std::net::{SocketAddr, UdpSocket};
use std::os::unix::fs::PermissionsExt as _;

use store::Ctx;

use super::*;
use crate::control::{self, Request};
use crate::tenants;

fn settings(dir: &std::path::Path) -> Settings {
    let mut settings = Settings::default();
    settings.data.dir = dir.to_owned();
    settings.http.listen.set_port(0);
    settings.sip.listen.set_port(0);
    settings.media.rtp_ports = [0, 0];
    settings.media.browser_listen = Some(SocketAddr::from(([127, 0, 0, 1], 0)));
    settings.media.realtime = false;
    settings
}

async fn ask(dir: &std::path::Path, request: Request, now: Timestamp) -> anyhow::Result<String> {
    control::ask(&settings(dir), request, now).await
}

fn new_user() -> Request {
    Request::AddUser {
        mail: "second@example.com".to_owned(),
        name: "Second".to_owned(),
        role: store::Role::Supervisor,
        tenant: None,
        password: "a long enough password".to_owned(),
        queues: Vec::new(),
    }
}

fn new_agent(mail: &str, queues: &[&str]) -> Request {
    Request::AddUser {
        mail: mail.to_owned(),
        name: "Agent".to_owned(),
        role: store::Role::Agent,
        tenant: None,
        password: "a long enough password".to_owned(),
        queues: queues.iter().map(ToString::to_string).collect(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_house_takes_commands_while_it_runs_and_stops_whole() {
    media::webrtc::install_crypto();
    let dir = tempfile::tempdir().expect("temporary folder");
    let data = dir.path().join("data");
    let house = House::start(&settings(&data), FirstStart::Furnished).await.expect("starts");
    let founded = company::found(&house.store, house.hub.now()).await.expect("a company");
    house.hub.config_changed(founded.tenant).await.expect("known");

    let socket = std::fs::metadata(data.join("control.sock")).expect("a socket");
    assert_eq!(socket.permissions().mode() & 0o777, 0o600);
    let now = house.hub.now();
    let said = ask(&data, new_user(), now).await.expect("done by the house");
    assert!(said.contains("takes no calls"), "{said}");
    for (mail, name, password, says) in [
        ("nobody", "Second", "a long enough password", "mail address"),
        ("b@example.com", " Second", "a long enough password", "name"),
        ("b@example.com", "Second", "too short", "password"),
        ("b@example.com", "Second", "long ".repeat(52).as_str(), "password"),
    ] {
        let (mail, name, password) = (mail.to_owned(), name.to_owned(), password.to_owned());
        let role = store::Role::Supervisor;
        let bad = Request::AddUser { mail, name, role, tenant: None, password, queues: vec![] };
        let refused = ask(&data, bad, now).await.expect_err(says).to_string();
        assert!(refused.contains(says), "{refused}");
    }
    let none = ask(&data, new_agent("a@example.com", &["Nowhere"]), now).await;
    let none = none.expect_err("no such queue").to_string();
    assert!(none.contains("Nowhere") && none.contains("Sales"), "{none}");
    let said = ask(&data, new_agent("a@example.com", &["Sales"]), now).await;
    assert!(said.expect("made").contains("takes calls of Sales"));
    let said = ask(&data, new_agent("b@example.com", &[]), now).await.expect("made");
    assert!(said.contains("serves no queue yet"), "of several none is guessed: {said}");
    let twice = ask(&data, new_user(), now).await.expect_err("the same mail");
    assert!(twice.to_string().contains("mail"), "{twice}");
    let db = house.store.tenant(Ctx::system(founded.tenant));
    let users = db.users().await.expect("users");
    assert!(users.iter().any(|user| user.mail == "second@example.com"));
    let config = db.config().await.expect("a configuration");
    let seat = |mail: &str| {
        let user = users.iter().find(|user| user.mail == mail).expect("made");
        config.agents.get(&model::AgentId::of_user(user.id)).map(|agent| agent.queues.len())
    };
    let seats = ["second@example.com", "a@example.com", "b@example.com"].map(seat);
    assert_eq!(seats, [None, Some(1), Some(0)]);
    store::backup(&data, &dir.path().join("backup"), now).await.expect("beside the house");
    twins_beside(&data, founded.tenant, now).await;

    let sip = house.sip_address;
    let began = Instant::now();
    house.stop().await.expect("stops in time");
    assert!(began.elapsed() < WEB_ENDS, "{:?}", began.elapsed());
    UdpSocket::bind(sip).expect("the SIP port is free again");
    assert!(!data.join("control.sock").exists());
    let key = Request::CreateKey {
        name: "script".to_owned(),
        role: store::Role::Administrator,
        tenant: Some(founded.tenant.to_string()),
        days: 1,
    };
    let key = ask(&data, key, now).await.expect("done on the folder");
    assert!(key.starts_with(store::API_KEY_PREFIX));
    keys_are_listed_and_taken_back(&data, founded.tenant, now).await;
}

async fn keys_are_listed_and_taken_back(
    data: &std::path::Path,
    tenant: model::TenantId,
    now: Timestamp,
) {
    let tenant = Some(tenant.to_string());
    let list = async || {
        let request = Request::ListKeys { tenant: tenant.clone() };
        let listed = ask(data, request, now).await;
        let listed = listed.unwrap_or_else(|error| panic!("{error:#}"));
        serde_json::from_str::<Vec<serde_json::Value>>(&listed).expect("a list")
    };
    let before = list().await;
    let script = before.iter().find(|key| key["name"] == "script").expect("listed");
    assert_eq!((&script["role"], &script["expired"]), (&"administrator".into(), &false.into()));
    let revoke = |name: &str| Request::RevokeKey { name: name.to_owned(), tenant: tenant.clone() };
    let none = ask(data, revoke("other"), now).await.expect_err("no such key");
    assert!(none.to_string().contains("script"), "{none}");
    ask(data, revoke("script"), now).await.expect("taken back");
    assert!(list().await.iter().all(|key| key["name"] != "script"));
}

/// A tenant of the same name and its domain, made while the house runs.
async fn twins_beside(data: &std::path::Path, first: model::TenantId, now: Timestamp) {
    let rows = |answer: String| -> Vec<serde_json::Value> {
        serde_json::from_str(&answer).expect("a list")
    };
    let listed = ask(data, Request::ListTenants, now).await.expect("a list");
    let name = rows(listed)[0]["name"].as_str().expect("a name").to_owned();
    let new = |domain: &str| {
        Request::AddTenant(tenants::NewTenant {
            name: name.clone(),
            zone: "UTC".to_owned(),
            language: "en".to_owned(),
            domain: domain.parse().ok(),
            mail: "second@example.com".to_owned(),
            admin: "Second".to_owned(),
            password: "a long enough password".to_owned(),
        })
    };
    let twin = ask(data, new("Twin.example"), now).await.expect("made");
    let taken = ask(data, new("twin.example"), now).await.expect_err("taken");
    assert!(taken.to_string().contains("domain"), "{taken}");
    let set = |tenant: Option<String>, domain: &str| Request::SetDomain {
        tenant,
        domain: domain.parse().ok(),
    };
    let both = ask(data, set(Some(name.clone()), "one.example"), now).await;
    let both = both.expect_err("two of this name").to_string();
    assert!(both.contains(&twin) && both.contains(&first.to_string()), "{both}");
    let stolen = ask(data, set(Some(first.to_string()), "twin.example"), now).await;
    stolen.expect_err("the twin's domain");
    let own = set(Some(first.to_string()), "one.example");
    ask(data, own, now).await.expect("its own domain");
    let listed = ask(data, Request::ListTenants, now).await.expect("a list");
    let domains: Vec<_> = rows(listed).iter().map(|row| row["domain"].clone()).collect();
    assert_eq!(domains, ["one.example", "twin.example"]);
    let numbers = ask(data, Request::ListNumbers, now).await.expect("a list");
    let numbers = rows(numbers);
    assert_eq!(
        (&numbers[0]["dialled"], &numbers[0]["without_domain"]),
        (&"100".into(), &true.into())
    );
}

#[tokio::test]
async fn a_taken_web_address_leaves_nothing_running() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let mut settings = settings(dir.path());
    settings.http.listen = taken.local_addr().expect("an address");
    let probe = UdpSocket::bind("127.0.0.1:0").expect("a port");
    settings.sip.listen = probe.local_addr().expect("an address");
    drop(probe);
    let refused = House::start(&settings, FirstStart::Furnished).await.err().expect("refused");
    assert!(refused.to_string().contains("--http"), "{refused:#}");
    UdpSocket::bind(settings.sip.listen).expect("SIP was not opened");
}

/// Nobody has to name ports of voice to run two houses on one machine.
#[tokio::test(flavor = "multi_thread")]
async fn a_taken_port_of_voice_matters_only_where_it_was_named() {
    media::webrtc::install_crypto();
    let usual = BROWSER_LISTEN;
    // Somebody else may have it already.
    let _taken = UdpSocket::bind(usual).ok();
    let dir = tempfile::tempdir().expect("temporary folder");
    let mut settings = settings(dir.path());
    settings.media.browser_listen = Some(usual);
    let refused = House::start(&settings, FirstStart::Furnished).await.err().expect("refused");
    assert!(refused.to_string().contains("media.browser_listen"), "{refused:#}");
    settings.media.browser_listen = None;
    let house = House::start(&settings, FirstStart::Furnished).await.expect("starts");
    let told = house.media.browser_addr();
    assert_eq!(told.ip(), usual.ip());
    assert!(told.port() != usual.port() && told.port() != 0, "{told}");
    house.stop().await.expect("stops");
}

/// What `serve` refuses, `config check` refuses too; what may not be meant is said.
#[test]
fn settings_are_checked_as_a_whole() {
    media::webrtc::install_crypto();
    let refused = |change: fn(&mut Settings), says: &str| {
        let mut settings = Settings::default();
        change(&mut settings);
        let error = check(&settings).expect_err(says);
        assert!(format!("{error:#}").contains(says), "{error:#}");
    };
    let everywhere = || SocketAddr::from(([0, 0, 0, 0], 5_060));
    assert_eq!(check(&Settings::default()).expect("in order"), [""; 0]);
    refused(|it| it.sip.trusted = vec!["10.0.0.0/33".to_owned()], "sip.trusted");
    refused(|it| it.http.behind_proxy = vec!["nonsense".to_owned()], "http.behind_proxy");
    refused(|it| it.sip.listen.set_ip([0, 0, 0, 0].into()), "sip.advertise");
    refused(|it| it.media.listen = [0, 0, 0, 0].into(), "media.advertise");
    refused(|it| it.http.key = Some("/nowhere.key".into()), "belong together");
    refused(
        |it| {
            it.http.certificate = Some("/nowhere.pem".into());
            it.http.key = Some("/nowhere.key".into());
        },
        "/nowhere.pem",
    );
    let mut settings = Settings::default();
    settings.sip.listen = everywhere();
    settings.sip.advertise = Some(SocketAddr::from(([192, 0, 2, 10], 5_060)));
    settings.http.https = Some(SocketAddr::from(([192, 0, 2, 10], 8_443)));
    let doubts = check(&settings).expect("in order");
    assert!(doubts[0].contains("media.listen"), "{doubts:?}");
    assert!(doubts[1].contains("media.browser_listen") && doubts.len() == 2, "{doubts:?}");
}
