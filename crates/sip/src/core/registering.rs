//! Telephones that register: what the registrar says goes out, and the hub hears of what changes.

use std::time::Duration;

use model::limits;
use model::sip::{PhoneAccount, PhoneContact, SipEvent};
use model::{DeviceId, TenantId};
use tokio::time::Instant;

use super::Core;
use super::compose::Reply;
use super::transact::Asked;
use crate::counters::Why;
use crate::message::Message;
use crate::registrar::{Answer, News};
use crate::reply::Refusal;
use crate::tags;
use crate::transaction::Key;
use crate::way::Way;

impl Core {
    /// A REGISTER that is no copy. Only one that was carried out is kept, for its copies: whoever
    /// proves nothing takes no room.
    pub(super) fn register(&mut self, key: Key, request: Box<Message>) {
        let early = tags::chance(limits::SIP_EXPIRES_EARLY_MAX);
        match self.registrar.register(self.second(), &request, early) {
            Answer::Refuse(why, refusal) => {
                self.env.shared.tally.refuse(why);
                self.env.refuse_at_once(&request, &refusal);
            }
            Answer::Done(news) => {
                self.env.transactions.begin(&key, &request);
                let shared = &self.env.shared;
                let tag = shared.tags.stateless(request.call_id(), request.via());
                let reply = Reply::new(shared, &request, 200, &tag);
                let reply = news.contacts.iter().fold(reply, |reply, contact| {
                    reply.with("Contact", &format!("<{}>;expires={}", contact.uri, contact.left_s))
                });
                self.env.respond(&Asked { key, request }, reply);
                self.tell_of(news);
            }
        }
    }

    /// The telephone that begins a call, where its sender says that it is one, or may call only as
    /// one.
    pub(super) fn telephone(
        &mut self,
        request: &Message,
    ) -> Result<Option<(TenantId, DeviceId)>, (Why, Refusal)> {
        let is_trusted = self.env.shared.is_trusted(request.peer.ip());
        if is_trusted && !self.registrar.knows_caller(request) {
            return Ok(None);
        }
        self.registrar.caller(self.second(), request).map(Some)
    }

    /// The telephones of a tenant that may register.
    pub(super) fn phones(
        &mut self,
        tenant: TenantId,
        accounts: Vec<PhoneAccount>,
        contacts: Vec<(DeviceId, Vec<PhoneContact>)>,
    ) {
        let news = self.registrar.set(self.second(), tenant, accounts, contacts);
        news.into_iter().for_each(|news| self.tell_of(news));
    }

    pub(super) fn registration_due(&self) -> Option<Instant> {
        self.registrar.due_s().map(|second| self.started + Duration::from_secs(second))
    }

    pub(super) fn registrations_end(&mut self) {
        let news = self.registrar.expire(self.second());
        news.into_iter().for_each(|news| self.tell_of(news));
    }

    pub(super) fn registrations_lost(&mut self, way: Way) {
        let news = self.registrar.lost(self.second(), way);
        news.into_iter().for_each(|news| self.tell_of(news));
    }

    /// Whole seconds since the plane started.
    pub(super) fn second(&self) -> u64 {
        self.started.elapsed().as_secs()
    }

    fn tell_of(&mut self, News { tenant, device, contacts }: News) {
        for way in self.registrar.left() {
            self.env.port.release(way);
        }
        for contact in &contacts {
            let way = Way { transport: contact.transport, address: contact.peer };
            self.env.port.keep(way);
        }
        let homes = contacts.iter().map(|contact| contact.peer.ip().to_canonical());
        self.env.port.homes().set(device, homes.collect());
        self.events.push(SipEvent::Registered { tenant, device, contacts });
    }
}
