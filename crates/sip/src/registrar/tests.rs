//! Whoever knows the secret registers, and nobody else; what changes is told once.

use model::Timestamp;
use model::id::IdMint;
use model::limits;

use super::*;
use model::sip::Digest;

use crate::digest::Algorithm;
use crate::digest::tests::{Telephone, account};
use crate::wire;

const OWN: Telephone = Telephone { secret: "right", algorithm: Algorithm::Sha256 };

fn tenant(n: u64) -> TenantId {
    IdMint::new(n).mint(Timestamp::from_micros(1))
}

fn device(n: u64) -> DeviceId {
    IdMint::new(100 + n).mint(Timestamp::from_micros(1))
}

/// With the telephone that `digest::tests` knows.
fn phone(n: u64, secret: &str) -> PhoneAccount {
    let ha1 = account(secret, Digest::Sha256);
    PhoneAccount { device: device(n), username: "7k2m".parse().unwrap(), ha1 }
}

fn registrar() -> Registrar {
    let mut registrar = Registrar::new();
    registrar.open();
    assert_eq!(registrar.set(0, tenant(1), vec![phone(1, "right")], vec![]), []);
    registrar
}

fn request(to: &str, cseq: u32, headers: &str) -> Message {
    let text = format!(
        "REGISTER sip:house.example SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.7;branch=z9hG4bK{cseq}\r\n\
         From: <{to}>;tag=a\r\nTo: <{to}>\r\nCall-ID: boot\r\nCSeq: {cseq} REGISTER\r\n{headers}\r\n"
    );
    let head = wire::read(text.as_bytes()).unwrap().into_owned();
    Message { head, body: Vec::new(), peer: Way::udp("192.0.2.7:5060".parse().unwrap()) }
}

/// Asks without credentials, and then with those that fit what is said to that.
struct Asker<'a> {
    registrar: &'a mut Registrar,
    now_s: u64,
    cseq: u32,
    to: &'static str,
}

impl<'a> Asker<'a> {
    fn new(registrar: &'a mut Registrar, now_s: u64) -> Self {
        Self { registrar, now_s, cseq: 2 * u32::try_from(now_s).unwrap(), to: "sip:7k2m@house" }
    }

    fn plainly(&mut self, headers: &str) -> Answer {
        self.cseq += 1;
        self.registrar.register(self.now_s, &request(self.to, self.cseq, headers), 0)
    }

    /// The only one there is.
    fn challenge(&mut self) -> String {
        let (why, refusal) = refused(self.plainly("Contact: <sip:a@192.0.2.7>\r\n"));
        assert_eq!((why, refusal.status), (Why::Unproven, 401));
        assert_eq!(refusal.headers.lines().count(), 1, "{refusal:?}");
        refusal.headers
    }

    fn with(&mut self, telephone: &Telephone, headers: &str) -> Answer {
        let challenge = self.challenge();
        let answer = telephone.answer(&challenge, "REGISTER", 1);
        self.plainly(&format!("Authorization: {answer}\r\n{headers}"))
    }
}

fn refused(answer: Answer) -> (Why, Refusal) {
    match answer {
        Answer::Refuse(why, refusal) => (why, refusal),
        Answer::Done(news) => panic!("registered: {news:?}"),
    }
}

/// Where it can be rung, and for how long.
fn done(answer: Answer) -> Vec<(String, u64)> {
    match answer {
        Answer::Done(news) => {
            assert_eq!((news.tenant, news.device), (tenant(1), device(1)));
            news.contacts.into_iter().map(|one| (one.uri, one.left_s)).collect()
        }
        Answer::Refuse(why, refusal) => panic!("{why:?} {refusal:?}"),
    }
}

fn gone() -> News {
    News { tenant: tenant(1), device: device(1), contacts: vec![] }
}

const HERE: &str = "Contact: <sip:a@192.0.2.7>;expires=120\r\n";

#[test]
fn a_telephone_comes_stays_and_goes() {
    let mut registrar = registrar();
    let here = || vec![("sip:a@192.0.2.7".to_owned(), 120)];
    assert_eq!(done(Asker::new(&mut registrar, 1).with(&OWN, HERE)), here());
    assert_eq!(done(Asker::new(&mut registrar, 60).with(&OWN, HERE)), here());
    assert_eq!(registrar.len(), 1);
    let (uri, peer) = registrar.find(60, device(1)).unwrap();
    assert_eq!((uri.as_str(), peer.to_string().as_str()), ("sip:a@192.0.2.7", "192.0.2.7:5060"));
    assert_eq!(done(Asker::new(&mut registrar, 70).with(&OWN, ""))[0].1, 110, "it only asks");
    let away = "Contact: *\r\nExpires: 0\r\n";
    assert_eq!(done(Asker::new(&mut registrar, 80).with(&OWN, away)), []);
    assert_eq!(registrar.find(80, device(1)), None);

    done(Asker::new(&mut registrar, 90).with(&OWN, HERE));
    assert_eq!(registrar.due_s(), Some(210));
    assert_eq!((registrar.expire(209), registrar.expire(210)), (vec![], vec![gone()]));
    assert_eq!((registrar.len(), registrar.due_s()), (0, None));
}

#[test]
fn a_contact_with_headers_is_rung_without_them() {
    let mut registrar = registrar();
    let odd = "Contact: <sip:a@192.0.2.7;x=y?Route=%3Csip:evil%3E>\r\n";
    done(Asker::new(&mut registrar, 1).with(&OWN, odd));
    assert_eq!(registrar.find(1, device(1)).unwrap().0, "sip:a@192.0.2.7;x=y");
}

#[test]
fn after_a_restart_they_are_where_they_were() {
    let mut before = registrar();
    done(Asker::new(&mut before, 1).with(&OWN, HERE));
    let kept = before.locations.told(1, device(1));
    let mut after = Registrar::new();
    let contacts = vec![(device(1), kept.clone()), (device(2), kept.clone())];
    let news = after.set(0, tenant(1), vec![phone(1, "right")], contacts);
    assert_eq!(news, [News { contacts: kept, ..gone() }], "and no stranger's telephone");
    assert!(after.find(0, device(1)).is_some());
}

#[test]
fn nobody_else_registers() {
    let mut registrar = registrar();
    let guess = Telephone { secret: "guess", ..OWN };
    let old = Telephone { algorithm: Algorithm::Md5, ..OWN };
    for (who, telephone) in [("a guess", &guess), ("another algorithm", &old)] {
        let (why, refusal) = refused(Asker::new(&mut registrar, 1).with(telephone, HERE));
        assert_eq!((why, refusal.status), (Why::WrongSecret, 403), "{who}");
    }
    // With the right secret, for somebody else.
    let mut asker = Asker::new(&mut registrar, 1);
    asker.to = "sip:other@house";
    assert_eq!(refused(asker.with(&OWN, HERE)).0, Why::WrongSecret);
    // Another method's proof, and one that was used.
    let mut asker = Asker::new(&mut registrar, 2);
    let challenge = asker.challenge();
    let invite = OWN.answer(&challenge, "INVITE", 1);
    let stolen = format!("Authorization: {invite}\r\n{HERE}");
    assert_eq!(refused(asker.plainly(&stolen)).0, Why::WrongSecret);
    let own = format!("Authorization: {}\r\n{HERE}", OWN.answer(&challenge, "REGISTER", 1));
    done(asker.plainly(&own));
    let (why, refusal) = refused(asker.plainly(&own));
    assert_eq!((why, refusal.status), (Why::Unproven, 401));
    assert!(refusal.headers.contains("stale=true"), "{refusal:?}");
}

#[test]
fn before_all_are_named_telephones_are_asked_to_wait() {
    let mut early = Registrar::new();
    let (why, refusal) = refused(Asker::new(&mut early, 1).plainly(HERE));
    assert_eq!((why, refusal.status), (Why::Full, 503));
    assert!(refusal.headers.starts_with("Retry-After: "), "{refusal:?}");
}

#[test]
fn an_old_telephone_is_challenged_as_it_knows_how() {
    let mut registrar = Registrar::new();
    registrar.open();
    let ha1 = account("right", Digest::Md5);
    let old = PhoneAccount { device: device(1), username: "7k2m".parse().unwrap(), ha1 };
    registrar.set(0, tenant(1), vec![old], vec![]);
    let telephone = Telephone { algorithm: Algorithm::Md5, ..OWN };
    let mut asker = Asker::new(&mut registrar, 1);
    assert!(asker.challenge().contains("algorithm=MD5,"));
    done(asker.with(&telephone, HERE));
    assert_eq!(refused(Asker::new(&mut registrar, 2).with(&OWN, HERE)).0, Why::WrongSecret);
    let mut stranger = Asker::new(&mut registrar, 3);
    stranger.to = "sip:nobody@house";
    assert!(stranger.challenge().contains("algorithm=SHA-256,"));
}

#[test]
fn whoever_guesses_too_often_is_not_heard_and_the_telephone_is() {
    let mut registrar = registrar();
    let guess = Telephone { secret: "guess", ..OWN };
    for _ in 0..limits::SIP_WRONG_SECRETS_MAX {
        let (why, _) = refused(Asker::new(&mut registrar, 1).with(&guess, HERE));
        assert_eq!(why, Why::WrongSecret);
    }
    let (why, refusal) = refused(Asker::new(&mut registrar, 1).with(&OWN, HERE));
    assert_eq!((why, refusal.status), (Why::LockedOut, 403));
    // Whoever never heard a challenge is nobody who guesses.
    let mut other = Registrar::new();
    other.open();
    other.set(0, tenant(1), vec![phone(1, "right")], vec![]);
    let foreign = Asker::new(&mut registrar, 1).challenge();
    for _ in 0..2 * limits::SIP_WRONG_SECRETS_MAX {
        let forged = format!("Authorization: {}\r\n{HERE}", guess.answer(&foreign, "REGISTER", 1));
        assert_eq!(refused(Asker::new(&mut other, 1).plainly(&forged)).0, Why::Unproven);
    }
    let later = 1 + limits::SIP_LOCKOUT_S;
    done(Asker::new(&mut registrar, later).with(&OWN, HERE));
}

#[test]
fn a_new_secret_or_owner_ends_a_registration() {
    let mut registrar = registrar();
    let set =
        |registrar: &mut Registrar, now_s, of, phones| registrar.set(now_s, of, phones, vec![]);
    done(Asker::new(&mut registrar, 1).with(&OWN, HERE));
    assert_eq!(set(&mut registrar, 2, tenant(1), vec![phone(1, "right")]), [], "nothing is new");
    assert_eq!(set(&mut registrar, 2, tenant(2), vec![]), [], "nor is it anybody else's");
    assert_eq!(set(&mut registrar, 2, tenant(1), vec![phone(1, "new")]), [gone()]);
    assert_eq!(refused(Asker::new(&mut registrar, 3).with(&OWN, HERE)).0, Why::WrongSecret);
    let renewed = Telephone { secret: "new", ..OWN };
    done(Asker::new(&mut registrar, 3).with(&renewed, HERE));
    assert_eq!(set(&mut registrar, 4, tenant(1), vec![]), [gone()]);
    assert_eq!(refused(Asker::new(&mut registrar, 5).with(&renewed, HERE)).0, Why::WrongSecret);
    assert_eq!((registrar.len(), registrar.owners.len()), (0, 0));
}

#[test]
fn a_username_of_one_tenant_is_no_other_tenants() {
    let mut registrar = registrar();
    registrar.set(0, tenant(2), vec![phone(2, "theirs")], vec![]);
    let theirs = Telephone { secret: "theirs", ..OWN };
    assert_eq!(refused(Asker::new(&mut registrar, 1).with(&theirs, HERE)).0, Why::WrongSecret);
    done(Asker::new(&mut registrar, 1).with(&OWN, HERE));
    assert!(registrar.find(1, device(1)).is_some() && registrar.find(1, device(2)).is_none());
}

#[test]
fn what_cannot_be_carried_out_says_why() {
    let mut registrar = registrar();
    let brief = "Contact: <sip:a@192.0.2.7>;expires=5\r\n";
    let (why, refusal) = refused(Asker::new(&mut registrar, 1).with(&OWN, brief));
    assert_eq!((why, refusal.status), (Why::Registration, 423));
    assert!(refusal.headers.starts_with("Min-Expires: 60\r\n"), "{refusal:?}");
    let many: String =
        (0..=limits::SIP_CONTACTS_PER_DEVICE_MAX).map(|n| format!("m: <sip:{n}@a>\r\n")).collect();
    assert_eq!(refused(Asker::new(&mut registrar, 1).with(&OWN, &many)).1.status, 403);
    assert_eq!(registrar.len(), 0);
}
