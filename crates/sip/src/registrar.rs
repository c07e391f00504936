//! The registrar: which telephones may register, and where those are that did (RFC 3261, 10).
//!
//! Invariant: a username belongs to one tenant, and whoever proves to know its secret changes the
//! contacts of that one telephone and of no other. Nothing is kept of anybody else but how often
//! they were wrong.

mod wishes;

use std::collections::HashMap;

use model::sip::{Ha1, PhoneAccount, PhoneContact, REALM};
use model::{DeviceId, TenantId};

use crate::addr;
use crate::counters::Why;
use crate::digest::{Credentials, Nonces, Worth};
use crate::filter::{busy, warning};
use crate::location::{Locations, Refused, Registration};
use crate::lockout::Lockouts;
use crate::message::{Message, Method};
use crate::reply::Refusal;
use crate::way::Way;
use crate::wire::Name;

/// A telephone that may register.
#[derive(Debug)]
struct Account {
    tenant: TenantId,
    device: DeviceId,
    ha1: Ha1,
}

/// Where a telephone can be rung from now on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct News {
    pub(crate) tenant: TenantId,
    pub(crate) device: DeviceId,
    pub(crate) contacts: Vec<PhoneContact>,
}

/// What is said to a REGISTER.
#[derive(Debug)]
pub(crate) enum Answer {
    /// This, and nothing is kept.
    Refuse(Why, Refusal),
    /// 200 with every contact there is now.
    Done(News),
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Registrar {
    /// All telephones were named: whoever is not among them is nobody's.
    is_open: bool,
    nonces: Nonces,
    lockouts: Lockouts,
    /// By username.
    accounts: HashMap<String, Account>,
    owners: HashMap<DeviceId, TenantId>,
    locations: Locations,
}

impl Registrar {
    pub(crate) fn new() -> Self {
        Self {
            is_open: false,
            nonces: Nonces::new(),
            lockouts: Lockouts::default(),
            accounts: HashMap::new(),
            owners: HashMap::new(),
            locations: Locations::default(),
        }
    }

    /// The telephones of all tenants were named.
    pub(crate) fn open(&mut self) {
        self.is_open = true;
    }

    /// Takes the telephones of a tenant, all of them, and where some of them were. Whoever is not
    /// among them any more, or has another secret, is registered no longer.
    pub(crate) fn set(
        &mut self,
        now_s: u64,
        tenant: TenantId,
        phones: Vec<PhoneAccount>,
        kept_contacts: Vec<(DeviceId, Vec<PhoneContact>)>,
    ) -> Vec<News> {
        let kept = |username: &str, account: &Account| {
            phones.iter().any(|phone| {
                phone.username.as_str() == username
                    && phone.device == account.device
                    && phone.ha1 == account.ha1
            })
        };
        let mut news = Vec::new();
        self.accounts.retain(|username, account| {
            let stays = account.tenant != tenant || kept(username, account);
            if !stays {
                if self.locations.has(now_s, account.device) {
                    news.push(News { tenant, device: account.device, contacts: Vec::new() });
                }
                self.locations.forget(account.device);
                self.owners.remove(&account.device);
                self.lockouts.forgive(username);
            }
            stays
        });
        for PhoneAccount { device, username, ha1 } in phones {
            let account = Account { tenant, device, ha1 };
            let known = self.accounts.entry(username.as_str().to_owned()).or_insert(account);
            if known.tenant != tenant {
                tracing::error!(%username, "two tenants have a telephone of one username");
                continue;
            }
            self.owners.insert(device, tenant);
        }
        for (device, contacts) in kept_contacts {
            if self.owners.get(&device) == Some(&tenant)
                && self.locations.restore(now_s, device, contacts)
            {
                news.push(self.news(now_s, tenant, device));
            }
        }
        news
    }

    fn news(&self, now_s: u64, tenant: TenantId, device: DeviceId) -> News {
        News { tenant, device, contacts: self.locations.told(now_s, device) }
    }

    /// Where a telephone is rung: what to name in the request, and where to send it.
    pub(crate) fn find(&self, now_s: u64, device: DeviceId) -> Option<(String, Way)> {
        let best = self.locations.of(now_s, device).next()?;
        // Headers in a contact are no part of a Request-URI (RFC 3261 section 19.1.1).
        let uri = best.uri.split('?').next().unwrap_or_default();
        Some((uri.to_owned(), best.peer))
    }

    /// A connection is over, and with it the contacts of those who registered over it.
    pub(crate) fn lost(&mut self, now_s: u64, way: Way) -> Vec<News> {
        let changed = self.locations.lost(way).into_iter();
        changed
            .filter_map(|device| Some(self.news(now_s, *self.owners.get(&device)?, device)))
            .collect()
    }

    /// The connections over which nobody is reached any more, since the last time.
    pub(crate) fn left(&mut self) -> Vec<Way> {
        self.locations.left()
    }

    /// How many telephones can be rung.
    pub(crate) fn len(&self) -> usize {
        self.locations.len()
    }

    /// When the next contact ends.
    pub(crate) fn due_s(&self) -> Option<u64> {
        self.locations.due_s()
    }

    /// Forgets the contacts that have ended.
    pub(crate) fn expire(&mut self, now_s: u64) -> Vec<News> {
        let gone = self.locations.expire(now_s).into_iter();
        gone.filter_map(|device| Some(self.news(now_s, *self.owners.get(&device)?, device)))
            .collect()
    }

    /// Answers a REGISTER that is no copy. `early` is how many thousandths before its time a
    /// contact may end.
    pub(crate) fn register(&mut self, now_s: u64, request: &Message, early: u32) -> Answer {
        // An address of record is a SIP one (RFC 3261 section 10.2), whoever asks.
        if addr::name_addr(request.to()).is_none_or(|to| addr::sip_uri(to.uri).is_none()) {
            let refusal = Refusal::new(400, "Bad Request").with("Warning", &warning("To"));
            return Answer::Refuse(Why::Malformed, refusal);
        }
        if !self.is_open {
            return Answer::Refuse(Why::Full, busy(NOT_OPEN_RETRY_S));
        }
        let (tenant, device) = match self.prove(now_s, request, request.to()) {
            Ok(owner) => owner,
            Err((why, refusal)) => return Answer::Refuse(why, refusal),
        };
        let wishes = match wishes::read(&request.head, request.peer.transport) {
            Ok(wishes) => wishes,
            Err(refusal) => return Answer::Refuse(Why::Registration, refusal),
        };
        let asked = Registration {
            wishes,
            call_id: request.call_id().to_owned(),
            cseq: request.cseq().unwrap_or(0),
            peer: request.peer,
            is_translated: request.is_translated(),
        };
        match self.locations.register(now_s, device, &asked, early) {
            Ok(()) => Answer::Done(self.news(now_s, tenant, device)),
            Err(refused) => Answer::Refuse(Why::Registration, refusal(refused)),
        }
    }

    /// Whether a call says that a telephone of the house begins it.
    pub(crate) fn knows_caller(&self, request: &Message) -> bool {
        user(request.from()).is_some_and(|user| self.accounts.contains_key(&user))
    }

    /// Whose telephone begins a call, if it knows the secret.
    ///
    /// # Errors
    /// What is answered instead.
    pub(crate) fn caller(
        &mut self,
        now_s: u64,
        request: &Message,
    ) -> Result<(TenantId, DeviceId), (Why, Refusal)> {
        if !self.is_open {
            return Err((Why::Full, busy(NOT_OPEN_RETRY_S)));
        }
        self.prove(now_s, request, request.from())
    }

    /// Whose telephone sent the request, if its sender knows the secret. `about` is the header that
    /// must name the telephone.
    fn prove(
        &mut self,
        now_s: u64,
        request: &Message,
        about: &str,
    ) -> Result<(TenantId, DeviceId), (Why, Refusal)> {
        let said = request.head.all(Name::Authorization).filter_map(Credentials::read);
        let Some(credentials) = said.into_iter().find(|said| said.realm == REALM) else {
            return Err((Why::Unproven, self.challenge(now_s, request, about, false)));
        };
        let (source, username) = (request.peer.ip(), &credentials.username);
        if self.lockouts.holds(now_s, source, username) {
            let refusal = forbidden("too many wrong secrets: try again in some minutes");
            return Err((Why::LockedOut, refusal));
        }
        let account = self.accounts.get(username.as_ref());
        let ha1 = account.map(|account| &account.ha1);
        let method = request.method().map_or("", Method::name);
        let worth = self.nonces.weigh((now_s, source), method, &credentials, ha1);
        // What was proven is that this was asked for, and nothing else (RFC 7616 section 3.4.6).
        let is_meant = addr::user(&credentials.uri) == addr::user(request.uri());
        match (worth, account) {
            // Nobody speaks for another telephone: its address of record is its own (RFC 3261
            // section 10.3, step 4), and so is who calls.
            (Worth::Proven, Some(account))
                if is_meant && user(about).as_deref() == Some(username) =>
            {
                Ok((account.tenant, account.device))
            }
            // Who knows a secret guesses none; only this is not theirs to say.
            (Worth::Proven, _) => Err((Why::WrongSecret, forbidden(WRONG))),
            (Worth::Stale, _) => Err((Why::Unproven, self.challenge(now_s, request, about, true))),
            (Worth::Wrong, _) => {
                self.lockouts.wrong(now_s, source, username);
                Err((Why::WrongSecret, forbidden(WRONG)))
            }
            // Whoever did not hear the challenge may not be where it says it is.
            (Worth::Unasked, _) => {
                Err((Why::Unproven, self.challenge(now_s, request, about, false)))
            }
        }
    }

    /// By the algorithm of the telephone that the request is about; nobody's is challenged as most.
    fn challenge(&self, now_s: u64, request: &Message, about: &str, is_stale: bool) -> Refusal {
        let account = user(about).and_then(|user| self.accounts.get(&user));
        let digest = account.map(|account| account.ha1.digest()).unwrap_or_default();
        let challenge = self.nonces.challenge((now_s, request.peer.ip()), is_stale, digest.into());
        Refusal::new(401, "Unauthorized").with("WWW-Authenticate", &challenge)
    }
}

/// The user part of a From or To.
fn user(header: &str) -> Option<String> {
    addr::user(addr::name_addr(header)?.uri)
}

/// When a telephone that came before its account was named may try again, in seconds.
const NOT_OPEN_RETRY_S: u32 = 5;

/// Which of them it was is nobody's business.
const WRONG: &str =
    "no such telephone, another secret, another algorithm than asked for, or another one's address";

fn forbidden(detail: &str) -> Refusal {
    Refusal::new(403, "Forbidden").with("Warning", &warning(detail))
}

fn refusal(refused: Refused) -> Refusal {
    match refused {
        Refused::TooBrief => {
            let least = model::limits::SIP_EXPIRES_S_MIN.to_string();
            Refusal::new(423, "Interval Too Brief").with("Min-Expires", &least)
        }
        Refused::OutOfOrder => Refusal::new(500, "Server Internal Error")
            .with("Warning", &warning("a newer registration came before")),
        Refused::Full => forbidden("too many contacts"),
    }
}

#[cfg(test)]
mod tests;
