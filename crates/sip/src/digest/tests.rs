//! Vectors of RFC 7616, and what somebody without the secret may try.

use model::sip::Digest as KeptAs;

use super::*;

const NONCE: &str = "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v";
const CLIENT_NONCE: &str = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ";

fn vector(algorithm: &str, response: &str) -> String {
    format!(
        "Digest username=\"Mufasa\",\r\n realm=\"http-auth@example.org\", \
         uri=\"/dir/index.html\", algorithm={algorithm}, nonce=\"{NONCE}\", nc=00000001, \
         cnonce=\"{CLIENT_NONCE}\", qop=auth, response=\"{response}\", \
         opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\""
    )
    .replace("\r\n", "")
}

/// RFC 7616 section 3.9.1.
#[test]
fn the_vectors_of_the_standard_come_out() {
    for (name, algorithm, expected) in [
        ("MD5", Algorithm::Md5, "8ca523f5e9506fed4657c9700eebdbec"),
        (
            "SHA-256",
            Algorithm::Sha256,
            "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1",
        ),
    ] {
        let text = vector(name, expected);
        let credentials = Credentials::read(&text).expect("credentials");
        let ha1 = algorithm.hash("Mufasa:http-auth@example.org:Circle of Life");
        assert_eq!(credentials.algorithm, algorithm);
        assert_eq!(response("GET", &credentials, &ha1), expected);
        assert_eq!(credentials.response, expected);
    }
}

/// A telephone that knows its secret.
pub(crate) struct Telephone {
    pub(crate) secret: &'static str,
    pub(crate) algorithm: Algorithm,
}

impl Telephone {
    /// Its Authorization value for a challenge.
    pub(crate) fn answer(&self, challenge: &str, method: &str, count: u32) -> String {
        let nonce = challenge.split("nonce=\"").nth(1).and_then(|rest| rest.split('"').next());
        let (nonce, name) = (nonce.expect("a nonce"), self.algorithm.name());
        let uri = "sip:house.example";
        let open = format!(
            "Digest username=\"7k2m\", realm=\"{REALM}\", nonce=\"{nonce}\", uri=\"{uri}\", \
             algorithm={name}, cnonce=\"0a4f\", qop=auth, nc={count:08x}, response="
        );
        let unsigned = format!("{open}\"\"");
        let credentials = Credentials::read(&unsigned).expect("credentials");
        let ha1 = self.algorithm.hash(&format!("7k2m:{REALM}:{}", self.secret));
        format!("{open}\"{}\"", response(method, &credentials, &ha1))
    }
}

/// What the house keeps of it.
pub(crate) fn account(secret: &str, digest: KeptAs) -> Ha1 {
    let text = format!("7k2m:{REALM}:{secret}");
    Ha1::new(digest, Algorithm::from(digest).hash(&text))
}

const SOURCE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 7));

fn weigh(nonces: &mut Nonces, second: u64, method: &str, answer: &str, account: &Ha1) -> Worth {
    let credentials = Credentials::read(answer).expect("credentials");
    nonces.weigh((second, SOURCE), method, &credentials, Some(account))
}

#[test]
fn only_the_secret_proves_and_only_once() {
    let mut nonces = Nonces::new();
    for digest in [KeptAs::Sha256, KeptAs::Md5] {
        let (account, algorithm) = (account("right", digest), Algorithm::from(digest));
        let challenge = nonces.challenge((1_000, SOURCE), false, algorithm);
        assert!(challenge.contains(&format!("algorithm={},", algorithm.name())), "{challenge}");
        let right = Telephone { secret: "right", algorithm };
        let wrong = Telephone { secret: "wrong", algorithm };
        let first = right.answer(&challenge, "REGISTER", 1);
        let mut weigh = |answer: &str, method| weigh(&mut nonces, 1_010, method, answer, &account);
        assert_eq!(weigh(&wrong.answer(&challenge, "REGISTER", 1), "REGISTER"), Worth::Wrong);
        assert_eq!(weigh(&first, "INVITE"), Worth::Wrong, "of another request");
        assert_eq!(weigh(&first, "REGISTER"), Worth::Proven);
        assert_eq!(weigh(&first, "REGISTER"), Worth::Stale, "sent again");
        for count in [3, 2, 70] {
            let next = right.answer(&challenge, "REGISTER", count);
            assert_eq!(weigh(&next, "REGISTER"), Worth::Proven, "{count}");
            assert_eq!(weigh(&next, "REGISTER"), Worth::Stale, "{count} again");
        }
        let behind = right.answer(&challenge, "REGISTER", 4);
        assert_eq!(weigh(&behind, "REGISTER"), Worth::Stale, "too far behind to be known");
    }
}

#[test]
fn old_and_foreign_nonces_are_stale_for_who_knows_the_secret_and_nothing_for_others() {
    let account = account("right", KeptAs::Sha256);
    let mut nonces = Nonces::new();
    let challenge = &nonces.challenge((1_000, SOURCE), true, Algorithm::Sha256);
    assert!(challenge.contains("stale=true"), "{challenge}");
    let telephone = Telephone { secret: "right", algorithm: Algorithm::Sha256 };
    let answer = telephone.answer(challenge, "REGISTER", 1);
    let late = 1_001 + limits::SIP_NONCE_S;
    assert_eq!(weigh(&mut nonces, late, "REGISTER", &answer, &account), Worth::Stale);
    let mut restarted = Nonces::new();
    assert_eq!(weigh(&mut restarted, 1_000, "REGISTER", &answer, &account), Worth::Stale);
    let (elsewhere, credentials) = ("192.0.2.8".parse().unwrap(), Credentials::read(&answer));
    let moved = nonces.weigh((1_000, elsewhere), "REGISTER", &credentials.unwrap(), Some(&account));
    assert_eq!(moved, Worth::Stale, "it is asked anew where it is now");
    let guess = Telephone { secret: "guess", ..telephone };
    let guessed = guess.answer(challenge, "REGISTER", 1);
    assert_eq!(weigh(&mut nonces, late, "REGISTER", &guessed, &account), Worth::Wrong);
    assert_eq!(weigh(&mut restarted, 1_000, "REGISTER", &guessed, &account), Worth::Unasked);
    let credentials = Credentials::read(&answer).expect("credentials");
    assert_eq!(
        nonces.weigh((1_000, SOURCE), "REGISTER", &credentials, None),
        Worth::Wrong,
        "nobody"
    );
    assert!(nonces.used.is_empty(), "nothing was kept of any of them");
}

#[test]
fn nonces_in_use_have_a_limit() {
    let account = account("right", KeptAs::Sha256);
    let mut nonces = Nonces::new();
    let telephone = Telephone { secret: "right", algorithm: Algorithm::Sha256 };
    for _ in 0..limits::SIP_NONCES_USED_MAX + 10 {
        let challenge = nonces.challenge((1_000, SOURCE), false, Algorithm::Sha256);
        let answer = telephone.answer(&challenge, "REGISTER", 1);
        assert_eq!(weigh(&mut nonces, 1_000, "REGISTER", &answer, &account), Worth::Proven);
    }
    assert_eq!(nonces.used.len(), limits::SIP_NONCES_USED_MAX);
    assert_eq!(nonces.used.len(), nonces.order.len());
}

#[test]
fn what_is_no_digest_is_none() {
    let good = vector("MD5", "8ca523f5e9506fed4657c9700eebdbec");
    assert!(Credentials::read(&good).is_some());
    assert!(Credentials::read(&good.replace("algorithm=MD5, ", "")).is_some(), "MD5 unnamed");
    for (from, to) in [
        ("Digest ", "Basic "),
        ("qop=auth", "qop=auth-int"),
        ("qop=auth, ", ""),
        ("nc=00000001", "nc=1"),
        ("nc=00000001", "nc=\"00000001\""),
        ("algorithm=MD5", "algorithm=SHA-1"),
        ("username=\"Mufasa\"", "username=\"Mufasa\", username=\"Simba\""),
        ("realm=\"http-auth@example.org\"", "realm=\"http-auth@example.org"),
        ("cnonce=", "c nonce="),
        ("uri=\"/dir/index.html\"", "uri=\"/dir/index.html\"x"),
    ] {
        let bad = good.replacen(from, to, 1);
        assert_ne!(bad, good, "{from}");
        assert!(Credentials::read(&bad).is_none(), "{bad}");
    }
    for bad in ["", "Digest", "Digest ", "Digest =", "Digest a", "Digest a=\"", "Digest \u{e9}=1"] {
        assert!(Credentials::read(bad).is_none(), "{bad}");
    }
    let escaped = good.replace("Mufasa", "Mu\\\"fasa");
    assert_eq!(Credentials::read(&escaped).expect("credentials").username, "Mu\"fasa");
}
