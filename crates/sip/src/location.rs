//! Where telephones are: the contacts that each of them registered (RFC 3261 section 10.3).
//!
//! Invariant: a REGISTER is carried out whole or not at all. A telephone has at most
//! `limits::SIP_CONTACTS_PER_DEVICE_MAX` contacts, each until a second that is known, the newest
//! where there are more; one of a telephone that began anew (`+sip.instance`, RFC 5626 section 4.1)
//! takes its old one's place.
//! Pure: the second, and how much earlier than asked a contact ends, come from outside.

use std::collections::{BTreeMap, BTreeSet};

use model::DeviceId;
use model::id::Id as _;
use model::limits;
use model::sip::{PhoneContact, Transport};

use crate::addr;
use crate::way::Way;

/// One place at which a telephone can be rung.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Contact {
    /// What our requests to it name.
    pub(crate) uri: String,
    /// Where they are sent: behind an address translation that is not where the URI points.
    pub(crate) peer: Way,
    /// Preference in thousandths; 1,000 unless told.
    pub(crate) q: u16,
    /// The second from which on it is gone.
    pub(crate) until_s: u64,
    /// Names the telephone whatever its address is.
    instance: Option<String>,
    call_id: String,
    cseq: u32,
}

/// A contact as it is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wish {
    pub(crate) uri: String,
    pub(crate) q: u16,
    /// Seconds; 0 takes it away. `None` leaves it to us.
    pub(crate) expires_s: Option<u32>,
    pub(crate) instance: Option<String>,
}

/// What a REGISTER asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Wishes {
    /// Nothing: only to hear what there is.
    Ask,
    /// These.
    These(Vec<Wish>),
    /// All of them away (`Contact: *`).
    Clear,
}

/// A REGISTER of somebody who has proven who they are.
#[derive(Debug, Clone)]
pub(crate) struct Registration {
    pub(crate) wishes: Wishes,
    pub(crate) call_id: String,
    pub(crate) cseq: u32,
    /// Where its answer goes.
    pub(crate) peer: Way,
    /// It came through an address translation.
    pub(crate) is_translated: bool,
}

impl Registration {
    /// Where requests to a contact are sent: to its own address if that is the host which asks, on
    /// another port as it may be; else back the way its REGISTER came, which is open. So it always
    /// is with a connection (RFC 5626 section 5.3).
    fn way_to(&self, uri: &str) -> Way {
        if self.peer.is_stream() || self.is_translated {
            return self.peer;
        }
        let own = addr::socket_addr(uri).filter(|own| own.ip() == self.peer.ip());
        own.map_or(self.peer, Way::udp)
    }
}

/// Why a REGISTER is not carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refused {
    /// 423 with Min-Expires: contacts that end so soon cost more than they are worth.
    TooBrief,
    /// 500: it overtook one that was sent after it.
    OutOfOrder,
    /// 403: more contacts at once than a telephone may have.
    Full,
}

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Locations {
    contacts: BTreeMap<DeviceId, Vec<Contact>>,
    ends: BTreeSet<(u64, DeviceId)>,
    /// Who is reached over which connection.
    streams: BTreeSet<(Way, DeviceId)>,
    /// Connections over which nobody is reached any more, until somebody asks.
    left: Vec<Way>,
}

impl Locations {
    /// Carries a REGISTER out. `early` of 1,000 parts a contact ends earlier than it was asked for,
    /// at most `limits::SIP_EXPIRES_EARLY_MAX`: telephones that began together drift apart.
    ///
    /// # Errors
    /// [`Refused`], and nothing has changed.
    pub(crate) fn register(
        &mut self,
        now_s: u64,
        device: DeviceId,
        asked: &Registration,
        early: u32,
    ) -> Result<(), Refused> {
        let mut contacts = self.contacts.get(&device).cloned().unwrap_or_default();
        contacts.retain(|contact| contact.until_s > now_s);
        match &asked.wishes {
            Wishes::Ask => {}
            Wishes::Clear => {
                if contacts.iter().any(|contact| contact.is_after(asked)) {
                    return Err(Refused::OutOfOrder);
                }
                contacts.clear();
            }
            Wishes::These(wishes) if wishes.len() > limits::SIP_CONTACTS_PER_DEVICE_MAX => {
                return Err(Refused::Full);
            }
            Wishes::These(wishes) => {
                for wish in wishes {
                    let place = contacts.iter().position(|contact| contact.is_of(wish));
                    if place.is_some_and(|at| contacts[at].is_after(asked)) {
                        return Err(Refused::OutOfOrder);
                    }
                    if let Some(at) = place {
                        contacts.remove(at);
                    }
                    let expires_s = wish.expires_s.unwrap_or(limits::SIP_EXPIRES_S);
                    if expires_s == 0 {
                        continue;
                    }
                    if expires_s < limits::SIP_EXPIRES_S_MIN {
                        return Err(Refused::TooBrief);
                    }
                    contacts.insert(0, Contact::of(now_s, wish, expires_s, asked, early));
                }
            }
        }
        // One that began anew elsewhere leaves its old place behind, and nobody is there any more.
        contacts.truncate(limits::SIP_CONTACTS_PER_DEVICE_MAX);
        // The best first, and among equals the newest: the order is kept otherwise.
        contacts.sort_by_key(|contact| u16::MAX - contact.q);
        self.put(device, contacts);
        Ok(())
    }

    /// The contacts of a telephone, the best first.
    pub(crate) fn of(&self, now_s: u64, device: DeviceId) -> impl Iterator<Item = &Contact> {
        let all = self.contacts.get(&device).map_or(&[][..], Vec::as_slice);
        all.iter().filter(move |contact| contact.until_s > now_s)
    }

    /// Whether a telephone can be rung at all.
    pub(crate) fn has(&self, now_s: u64, device: DeviceId) -> bool {
        self.of(now_s, device).next().is_some()
    }

    /// The contacts of a telephone, to be kept.
    pub(crate) fn told(&self, now_s: u64, device: DeviceId) -> Vec<PhoneContact> {
        let told = |contact: &Contact| PhoneContact {
            uri: contact.uri.clone(),
            peer: contact.peer.address,
            transport: contact.peer.transport,
            q: contact.q,
            left_s: contact.until_s - now_s,
            instance: contact.instance.clone(),
            call_id: contact.call_id.clone(),
            cseq: contact.cseq,
        };
        self.of(now_s, device).map(told).collect()
    }

    /// Puts back what was kept of a telephone that is not known. True when it can be rung now.
    pub(crate) fn restore(
        &mut self,
        now_s: u64,
        device: DeviceId,
        kept: Vec<PhoneContact>,
    ) -> bool {
        let contacts: Vec<Contact> = kept
            .into_iter()
            .take(limits::SIP_CONTACTS_PER_DEVICE_MAX)
            // No connection outlives what it leads to.
            .filter(|contact| contact.transport == Transport::Udp)
            .map(|PhoneContact { uri, peer, q, left_s, instance, call_id, cseq, .. }| {
                let peer = Way::udp(peer);
                let until_s = now_s + left_s.min(u64::from(limits::SIP_EXPIRES_S_MAX));
                Contact { uri, peer, q, until_s, instance, call_id, cseq }
            })
            .filter(|contact| contact.until_s > now_s)
            .collect();
        let is_news = !contacts.is_empty() && !self.contacts.contains_key(&device);
        if is_news {
            self.put(device, contacts);
        }
        is_news
    }

    /// How many telephones have contacts.
    pub(crate) fn len(&self) -> usize {
        self.contacts.len()
    }

    /// When the next contact ends.
    pub(crate) fn due_s(&self) -> Option<u64> {
        self.ends.first().map(|(until_s, _)| *until_s)
    }

    /// Takes away what has ended; the telephones that can be rung nowhere any more.
    pub(crate) fn expire(&mut self, now_s: u64) -> Vec<DeviceId> {
        let mut gone = Vec::new();
        while let Some((until_s, device)) = self.ends.first().copied()
            && until_s <= now_s
        {
            let mut contacts = self.contacts.get(&device).cloned().unwrap_or_default();
            contacts.retain(|contact| contact.until_s > now_s);
            if contacts.is_empty() {
                gone.push(device);
            }
            self.put(device, contacts);
        }
        gone
    }

    /// A connection is over: nobody is reached over it. The telephones of which that was true.
    pub(crate) fn lost(&mut self, way: Way) -> Vec<DeviceId> {
        let devices: Vec<DeviceId> = self.over(way).collect();
        for device in &devices {
            let mut contacts = self.contacts.get(device).cloned().unwrap_or_default();
            contacts.retain(|contact| contact.peer != way);
            self.put(*device, contacts);
        }
        devices
    }

    fn over(&self, way: Way) -> impl Iterator<Item = DeviceId> {
        let first = (way, DeviceId::from_uuid(uuid::Uuid::nil()));
        let over_it = self.streams.range(first..).take_while(move |(of, _)| *of == way);
        over_it.map(|(_, device)| *device)
    }

    /// The connections over which nobody is reached any more, since the last time.
    pub(crate) fn left(&mut self) -> Vec<Way> {
        std::mem::take(&mut self.left)
    }

    /// Forgets a telephone that nobody has any more.
    pub(crate) fn forget(&mut self, device: DeviceId) {
        self.put(device, Vec::new());
    }

    /// Invariant: `ends` holds the first end of each telephone, `streams` its connections, and
    /// neither holds anything else.
    fn put(&mut self, device: DeviceId, contacts: Vec<Contact>) {
        let first = |contacts: &[Contact]| contacts.iter().map(|one| one.until_s).min();
        let streams = |contacts: &[Contact]| -> Vec<(Way, DeviceId)> {
            let ways = contacts.iter().map(|one| one.peer).filter(Way::is_stream);
            ways.map(|way| (way, device)).collect()
        };
        let old = self.contacts.remove(&device).unwrap_or_default();
        if let Some(end) = first(&old) {
            self.ends.remove(&(end, device));
        }
        streams(&old).iter().for_each(|of| _ = self.streams.remove(of));
        self.streams.extend(streams(&contacts));
        for (way, _) in streams(&old) {
            if self.over(way).next().is_none() {
                self.left.push(way);
            }
        }
        if let Some(until_s) = first(&contacts) {
            self.ends.insert((until_s, device));
            self.contacts.insert(device, contacts);
        }
    }
}

impl Contact {
    fn of(now_s: u64, wish: &Wish, expires_s: u32, asked: &Registration, early: u32) -> Self {
        // A translation forgets the way there when nothing comes along it for a while; that of a
        // connection is kept open by other means.
        let most_s = match asked.is_translated && !asked.peer.is_stream() {
            true => limits::SIP_EXPIRES_S_MIN,
            false => limits::SIP_EXPIRES_S_MAX,
        };
        let granted_s = u64::from(expires_s.min(most_s));
        let early = u64::from(early.min(limits::SIP_EXPIRES_EARLY_MAX));
        let granted_s = granted_s - granted_s * early / 1_000;
        Self {
            uri: wish.uri.clone(),
            peer: asked.way_to(&wish.uri),
            q: wish.q.min(1_000),
            until_s: now_s + granted_s.max(u64::from(limits::SIP_EXPIRES_S_MIN)),
            instance: wish.instance.clone(),
            call_id: asked.call_id.clone(),
            cseq: asked.cseq,
        }
    }

    /// Whether a wish is about this contact.
    fn is_of(&self, wish: &Wish) -> bool {
        let same_instance = wish.instance.is_some() && wish.instance == self.instance;
        same_instance || self.uri == wish.uri
    }

    /// Whether this contact is newer than the request (RFC 3261 section 10.3, step 7).
    fn is_after(&self, asked: &Registration) -> bool {
        self.call_id == asked.call_id && self.cseq >= asked.cseq
    }
}

#[cfg(test)]
mod tests {
    use model::Timestamp;
    use model::id::IdMint;

    use super::*;

    fn device(n: u64) -> DeviceId {
        IdMint::new(n).mint(Timestamp::from_micros(1))
    }

    fn wish(uri: &str) -> Wish {
        Wish { uri: uri.to_owned(), q: 1_000, expires_s: Some(300), instance: None }
    }

    fn asked(cseq: u32, wishes: &[Wish]) -> Registration {
        let peer = Way::udp("192.0.2.7:5060".parse().expect("an address"));
        let wishes = Wishes::These(wishes.to_vec());
        let call_id = "boot-1".to_owned();
        Registration { wishes, call_id, cseq, peer, is_translated: false }
    }

    fn uris(locations: &Locations, now_s: u64) -> Vec<&str> {
        locations.of(now_s, device(1)).map(|contact| contact.uri.as_str()).collect()
    }

    #[test]
    fn contacts_come_refresh_and_go() {
        let mut all = Locations::default();
        let low = Wish { q: 500, ..wish("sip:b") };
        assert_eq!(all.register(0, device(1), &asked(1, &[low, wish("sip:a")]), 0), Ok(()));
        assert_eq!(uris(&all, 299), ["sip:a", "sip:b"], "by preference");
        assert_eq!(all.register(200, device(1), &asked(2, &[wish("sip:a")]), 0), Ok(()));
        assert_eq!(all.due_s(), Some(300));
        assert_eq!(all.expire(300), [], "one is left");
        assert_eq!(uris(&all, 300), ["sip:a"]);
        assert_eq!(all.due_s(), Some(500));
        let away = Wish { expires_s: Some(0), ..wish("sip:a") };
        assert_eq!(all.register(310, device(1), &asked(3, &[away]), 0), Ok(()));
        assert!(!all.has(310, device(1)));
        assert_eq!((all.due_s(), all.ends.len(), all.contacts.len()), (None, 0, 0));
    }

    #[test]
    fn what_was_kept_comes_back_with_the_time_it_has_left() {
        let mut before = Locations::default();
        let phone = Wish { instance: Some("<urn:uuid:1>".to_owned()), ..wish("sip:a") };
        before.register(0, device(1), &asked(7, &[phone, wish("sip:b")]), 0).expect("room");
        let kept = before.told(100, device(1));
        let mut after = Locations::default();
        assert!(after.restore(5, device(1), kept.clone()));
        assert_eq!(after.told(5, device(1)), kept);
        assert_eq!(after.due_s(), Some(205));
        assert!(!after.restore(6, device(1), kept), "what is known goes before it");
        let again = after.register(6, device(1), &asked(7, &[wish("sip:b")]), 0);
        assert_eq!(again, Err(Refused::OutOfOrder), "also a request of before");
        let over = vec![PhoneContact { left_s: 0, ..after.told(6, device(1)).remove(0) }];
        assert!(!after.restore(6, device(2), over));
    }

    #[test]
    fn a_contact_is_reached_where_it_is_or_the_way_it_came() {
        let asks = asked(1, &[]);
        let behind = Registration { is_translated: true, ..asks.clone() };
        for (uri, own, other) in [
            ("sip:7@192.0.2.7:6060", "192.0.2.7:6060", "192.0.2.7:5060"),
            ("sip:7@192.0.2.7", "192.0.2.7:5060", "192.0.2.7:5060"),
            ("sip:7@10.0.0.7:6060", "192.0.2.7:5060", "192.0.2.7:5060"),
            ("sip:7@phone.example", "192.0.2.7:5060", "192.0.2.7:5060"),
        ] {
            let ways = [asks.way_to(uri), behind.way_to(uri)].map(|way| way.to_string());
            assert_eq!(ways, [own, other], "{uri}");
        }
    }

    #[test]
    fn a_contact_over_a_connection_lives_as_long_as_that() {
        let mut all = Locations::default();
        let way = |port| Way { transport: Transport::Tcp, address: ([192, 0, 2, 7], port).into() };
        let over = |cseq, port, uri: &str| {
            let asks = Registration { is_translated: true, ..asked(cseq, &[wish(uri)]) };
            Registration { peer: way(port), ..asks }
        };
        all.register(0, device(1), &over(1, 1, "sip:a@192.0.2.7"), 0).expect("room");
        all.register(0, device(1), &over(2, 2, "sip:b@10.0.0.7"), 0).expect("room");
        all.register(0, device(2), &over(1, 2, "sip:c"), 0).expect("room");
        assert_eq!(all.of(0, device(1)).map(|one| one.peer).collect::<Vec<_>>(), [way(2), way(1)]);
        assert_eq!(all.due_s(), Some(300), "nothing has to be kept open");
        let kept = all.told(0, device(1));
        assert_eq!(all.lost(way(2)).len(), 2);
        assert_eq!((uris(&all, 1), all.has(1, device(2))), (vec!["sip:a@192.0.2.7"], false));
        // Over a new connection it is the same telephone.
        all.register(1, device(1), &over(3, 3, "sip:a@192.0.2.7"), 0).expect("room");
        assert_eq!(all.left(), [way(2), way(1)], "each once, when nobody is left");
        assert_eq!((all.lost(way(1)), uris(&all, 1).len()), (vec![], 1));
        assert_eq!((all.lost(way(3)), all.streams.len()), (vec![device(1)], 0));
        assert!(!Locations::default().restore(0, device(1), kept), "after a restart it is gone");
    }

    #[test]
    fn whoever_is_not_heard_again_is_gone() {
        let mut all = Locations::default();
        for n in 1..=3 {
            let wish = Wish { expires_s: Some(100 * n), ..wish("sip:a") };
            all.register(0, device(u64::from(n)), &asked(1, &[wish]), 0).expect("room");
        }
        assert_eq!(all.expire(99), []);
        assert_eq!(all.expire(200), [device(1), device(2)]);
        assert!(all.has(299, device(3)) && !all.has(300, device(3)), "to the second");
    }

    #[test]
    fn a_register_that_is_refused_changes_nothing() {
        let mut all = Locations::default();
        all.register(0, device(1), &asked(5, &[wish("sip:a")]), 0).expect("room");
        let brief = Wish { expires_s: Some(limits::SIP_EXPIRES_S_MIN - 1), ..wish("sip:c") };
        let register = |all: &mut Locations, cseq, wishes: &[Wish]| {
            all.register(1, device(1), &asked(cseq, wishes), 0)
        };
        assert_eq!(register(&mut all, 6, &[wish("sip:b"), brief]), Err(Refused::TooBrief));
        assert_eq!(register(&mut all, 5, &[wish("sip:a")]), Err(Refused::OutOfOrder));
        let many: Vec<Wish> =
            (0..=limits::SIP_CONTACTS_PER_DEVICE_MAX).map(|n| wish(&format!("sip:{n}"))).collect();
        assert_eq!(register(&mut all, 6, &many), Err(Refused::Full));
        assert_eq!(uris(&all, 1), ["sip:a"]);
        let clear = Registration { wishes: Wishes::Clear, ..asked(4, &[]) };
        assert_eq!(all.register(1, device(1), &clear, 0), Err(Refused::OutOfOrder));
        assert_eq!(uris(&all, 1), ["sip:a"]);
        let clear = Registration { call_id: "boot-2".to_owned(), ..clear };
        assert_eq!(all.register(1, device(1), &clear, 0), Ok(()), "another life of the telephone");
        assert_eq!(uris(&all, 1), [""; 0]);
    }

    #[test]
    fn the_newest_is_rung_first_and_the_oldest_make_room() {
        let mut all = Locations::default();
        for n in 1..=u32::try_from(limits::SIP_CONTACTS_PER_DEVICE_MAX).expect("few") + 2 {
            // Each ends before the one before it.
            let expires_s = Some(1_000 - 10 * n);
            let wish = Wish { expires_s, ..wish(&format!("sip:{n}")) };
            all.register(0, device(1), &asked(n, &[wish]), 0).expect("room");
        }
        let most = limits::SIP_CONTACTS_PER_DEVICE_MAX;
        let newest: Vec<String> = (3..=most + 2).rev().map(|n| format!("sip:{n}")).collect();
        assert_eq!(uris(&all, 1), newest);
        let again = Wish { expires_s: Some(60), ..wish("sip:5") };
        all.register(0, device(1), &asked(99, &[again]), 0).expect("room");
        assert_eq!(uris(&all, 1)[0], "sip:5", "a refresh is news of it");
    }

    #[test]
    fn a_telephone_that_began_anew_takes_its_own_place() {
        let mut all = Locations::default();
        let phone = |uri: &str| Wish { instance: Some("<urn:uuid:1>".to_owned()), ..wish(uri) };
        all.register(0, device(1), &asked(1, &[phone("sip:old")]), 0).expect("room");
        let again = Registration { call_id: "boot-2".to_owned(), ..asked(1, &[phone("sip:new")]) };
        all.register(5, device(1), &again, 0).expect("room");
        assert_eq!(uris(&all, 5), ["sip:new"]);
    }

    #[test]
    fn contacts_end_a_little_earlier_than_asked_and_never_too_soon() {
        let granted = |expires_s: Option<u32>, early: u32| {
            let mut all = Locations::default();
            let wish = Wish { expires_s, ..wish("sip:a") };
            all.register(1_000, device(1), &asked(1, &[wish]), early).expect("room");
            let until_s = all.of(1_000, device(1)).next().map(|contact| contact.until_s);
            until_s.expect("one") - 1_000
        };
        assert_eq!(granted(Some(300), 100), 270);
        assert_eq!(granted(Some(300), 900), 240, "a fifth at most");
        assert_eq!(granted(Some(60), 200), 60);
        assert_eq!(granted(Some(u32::MAX), 0), u64::from(limits::SIP_EXPIRES_S_MAX));
        assert_eq!(granted(None, 0), u64::from(limits::SIP_EXPIRES_S));
        let mut all = Locations::default();
        let behind = Registration { is_translated: true, ..asked(1, &[wish("sip:a")]) };
        all.register(0, device(1), &behind, 0).expect("room");
        assert_eq!(all.due_s(), Some(60), "the way there is kept open");
    }
}
