//! Which page is whose telephone: one leg per agent and one owning tab, which keeps it until it
//! goes or another one takes it over on purpose.

use std::collections::HashMap;

use model::id::{AgentId, LegId, TenantId};
use model::limits;
use model::refusal::Refusal;
use model::time::{Span, Timestamp};
use tokio::sync::oneshot;

/// A leg whose page is gone this long is closed.
const FORGET_AFTER: Span = Span::from_millis(limits::PHONE_GONE_MS_MAX);

/// Who a telephone belongs to.
pub(crate) type Owner = (TenantId, AgentId);

/// What a page says about itself when it offers its telephone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// The tab, named by itself.
    pub tab: String,
    /// Tells one telephone of this tab from its next.
    pub epoch: u64,
    /// Whether it takes the telephone over from a tab that has it.
    pub take: bool,
}

/// Who had the telephone before an offer that is not answered yet.
#[derive(Debug)]
struct Before {
    tab: String,
    epoch: u64,
    up: bool,
    gone_since: Option<Timestamp>,
}

#[derive(Debug)]
struct Phone {
    leg: LegId,
    tab: String,
    epoch: u64,
    /// The number of the offer by which it has the telephone.
    offer: u64,
    /// Whether media flows.
    up: bool,
    before: Option<Before>,
    /// Whether the cell believes that the telephone is up. It outlives a renewed offer, so that
    /// whatever ends that offer badly still tells the cell.
    told: bool,
    gone_since: Option<Timestamp>,
}

type Answer = oneshot::Sender<Result<String, Refusal>>;

/// What became of an offer.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    /// Hand the offer to the media plane under this leg and number.
    Leg(LegId, u64),
    /// Another tab owns the telephone; the reply was given.
    Refused,
}

/// A page that waits for the answer to its offer.
#[derive(Debug)]
struct Waiting {
    leg: LegId,
    tab: String,
    epoch: u64,
    answer: Answer,
}

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Phones {
    by_owner: HashMap<Owner, Phone>,
    owners: HashMap<LegId, Owner>,
    /// Who waits for an answer, by the number of the offer: what finds no room on its way is
    /// refused before older offers are answered.
    waiting: HashMap<u64, Waiting>,
    last_offer: u64,
}

impl Phones {
    /// A page offers. `fresh` names the leg if this agent has none yet. Who takes over wins over
    /// whoever has it, whatever the clocks of two computers say; who does not gets a telephone that
    /// is free, its own, or one whose page is gone.
    pub(crate) fn offer(
        &mut self,
        owner: Owner,
        claim: Claim,
        fresh: LegId,
        reply: oneshot::Sender<Result<String, Refusal>>,
    ) -> Taken {
        let Claim { tab, epoch, take } = claim;
        let known = self.by_owner.get(&owner);
        let owned = |phone: &Phone| !take && phone.tab != tab && phone.gone_since.is_none();
        if known.is_some_and(owned) {
            // The receiver may have given up; nobody else waits for this refusal.
            let _ = reply.send(Err(Refusal::WrongState));
            return Taken::Refused;
        }
        let leg = known.map_or(fresh, |phone| phone.leg);
        let told = known.is_some_and(|phone| phone.told);
        let before = self.by_owner.remove(&owner).map(|phone| {
            let Phone { tab, epoch, up, gone_since, .. } = phone;
            phone.before.unwrap_or(Before { tab, epoch, up, gone_since })
        });
        self.last_offer += 1;
        let offer = self.last_offer;
        // Who gave up waiting is not kept for an answer that may never come.
        self.waiting.retain(|_, known| known.leg != leg || !known.answer.is_closed());
        let waiting = Waiting { leg, tab: tab.clone(), epoch, answer: reply };
        self.waiting.insert(offer, waiting);
        let phone = Phone { leg, tab, epoch, offer, up: false, before, told, gone_since: None };
        self.by_owner.insert(owner, phone);
        self.owners.insert(leg, owner);
        Taken::Leg(leg, offer)
    }

    fn of_leg(&mut self, leg: LegId) -> Option<(Owner, &mut Phone)> {
        let owner = *self.owners.get(&leg)?;
        self.by_owner.get_mut(&owner).map(|phone| (owner, phone))
    }

    /// The media plane answered.
    pub(crate) fn answered(&mut self, offer: u64, sdp: String) {
        let Some(Waiting { leg, tab, epoch, answer }) = self.waiting.remove(&offer) else { return };
        if let Some((_, phone)) = self.of_leg(leg)
            && phone.before.is_some()
        {
            // Should a newer offer find no room, the page of this one has the telephone.
            let page = Before { tab, epoch, up: false, gone_since: None };
            phone.before = (phone.offer != offer).then_some(page);
        }
        // The page may have given up.
        let _ = answer.send(Ok(sdp));
    }

    /// The media plane had no room for the offer or no use for it: the page before still has its
    /// telephone.
    pub(crate) fn refused(&mut self, offer: u64, why: Refusal) {
        let Some(Waiting { leg, answer, .. }) = self.waiting.remove(&offer) else { return };
        if let Some((_, phone)) = self.of_leg(leg)
            && phone.offer == offer
            && let Some(Before { tab, epoch, up, gone_since }) = phone.before.take()
        {
            (phone.tab, phone.epoch, phone.up, phone.gone_since) = (tab, epoch, up, gone_since);
        }
        let _ = answer.send(Err(why));
    }

    /// Media flows: whose device is up now, unless its page is gone already.
    pub(crate) fn up(&mut self, leg: LegId) -> Option<Owner> {
        let (owner, phone) = self.of_leg(leg)?;
        phone.up = true;
        let news = phone.gone_since.is_none() && !phone.told;
        phone.told |= news;
        news.then_some(owner)
    }

    /// Media is lost: whose device is down now, unless that was said already.
    pub(crate) fn down(&mut self, leg: LegId) -> Option<Owner> {
        let (owner, phone) = self.of_leg(leg)?;
        phone.up = false;
        std::mem::take(&mut phone.told).then_some(owner)
    }

    /// The socket of a page is gone: the leg that is down with it, if this page owned the phone.
    pub(crate) fn gone(
        &mut self,
        owner: Owner,
        tab: &str,
        epoch: u64,
        now: Timestamp,
    ) -> Option<LegId> {
        let phone = self.by_owner.get_mut(&owner)?;
        if phone.tab != tab || phone.epoch != epoch || phone.gone_since.is_some() {
            return None;
        }
        phone.gone_since = Some(now);
        std::mem::take(&mut phone.told).then_some(phone.leg)
    }

    /// The socket of the owning page is back: the leg that is up again, if its media still is.
    pub(crate) fn back(&mut self, owner: Owner, tab: &str, epoch: u64) -> Option<LegId> {
        let phone = self.by_owner.get_mut(&owner)?;
        let own = phone.tab == tab && phone.epoch == epoch;
        let news = own && phone.gone_since.take().is_some() && phone.up && !phone.told;
        phone.told |= news;
        news.then_some(phone.leg)
    }

    /// Legs whose page did not come back; they are forgotten here and closed by the caller.
    pub(crate) fn forgotten(&mut self, now: Timestamp) -> Vec<LegId> {
        let old =
            |phone: &Phone| phone.gone_since.is_some_and(|since| FORGET_AFTER <= now.since(since));
        let legs: Vec<LegId> =
            self.by_owner.values().filter(|phone| old(phone)).map(|phone| phone.leg).collect();
        self.by_owner.retain(|_, phone| !old(phone));
        for leg in &legs {
            self.owners.remove(leg);
        }
        self.waiting.retain(|_, waiting| !legs.contains(&waiting.leg));
        legs
    }
}

#[cfg(test)]
mod tests {
    use model::id::IdMint;

    use super::*;

    struct Desk {
        phones: Phones,
        owner: Owner,
        mint: IdMint,
    }

    type AnswerOf = oneshot::Receiver<Result<String, Refusal>>;

    const NOW: Timestamp = Timestamp::from_micros(1_000_000);

    impl Desk {
        fn new() -> Self {
            let mut mint = IdMint::new(3);
            let owner = (mint.mint(NOW), mint.mint(NOW));
            Self { phones: Phones::default(), owner, mint }
        }

        fn offer(&mut self, tab: &str, epoch: u64) -> (Taken, AnswerOf) {
            self.claim(tab, epoch, false)
        }

        fn take(&mut self, tab: &str, epoch: u64) -> (Taken, AnswerOf) {
            self.claim(tab, epoch, true)
        }

        fn claim(&mut self, tab: &str, epoch: u64, take: bool) -> (Taken, AnswerOf) {
            let (reply, answer) = oneshot::channel();
            let fresh = self.mint.mint(NOW);
            let claim = Claim { tab: tab.to_owned(), epoch, take };
            (self.phones.offer(self.owner, claim, fresh, reply), answer)
        }
    }

    fn leg_of(taken: &Taken) -> Option<LegId> {
        match taken {
            Taken::Leg(leg, _) => Some(*leg),
            Taken::Refused => None,
        }
    }

    #[test]
    fn a_phone_is_taken_over_on_purpose_only() {
        let mut desk = Desk::new();
        let (Taken::Leg(leg, _), _) = desk.offer("a", 5) else { panic!("first") };
        let (taken, mut answer) = desk.offer("b", 9);
        assert_eq!(taken, Taken::Refused, "a newer page alone is no reason");
        assert_eq!(answer.try_recv(), Ok(Err(Refusal::WrongState)));
        assert_eq!(leg_of(&desk.take("b", 2).0), Some(leg), "the leg stays, slow clock or not");
        assert_eq!(desk.offer("a", 6).0, Taken::Refused, "who lost it does not fight");
        assert_eq!(desk.phones.gone(desk.owner, "a", 5, NOW), None, "not the owner any more");
        assert_eq!(leg_of(&desk.take("a", 6).0), Some(leg), "and may have it back");
    }

    #[test]
    fn a_takeover_in_mid_call_never_takes_the_device_down() {
        let mut desk = Desk::new();
        let (Taken::Leg(leg, _), _) = desk.offer("a", 1) else { panic!("first") };
        assert_eq!(desk.phones.up(leg), Some(desk.owner));
        desk.take("b", 1);
        assert_eq!(desk.phones.gone(desk.owner, "a", 1, NOW), None, "the old page is no matter");
        assert_eq!(desk.phones.up(leg), None, "the cell was told of no loss");
    }

    #[test]
    fn a_reload_goes_down_once_and_comes_up_again() {
        let mut desk = Desk::new();
        let (Taken::Leg(leg, _), _) = desk.offer("a", 1) else { panic!("first") };
        assert_eq!(desk.phones.up(leg), Some(desk.owner));
        assert_eq!(desk.phones.gone(desk.owner, "a", 1, NOW), Some(leg));
        assert_eq!(desk.phones.down(leg), None, "already told");
        assert_eq!(leg_of(&desk.offer("a", 2).0), Some(leg));
        assert_eq!(desk.phones.up(leg), Some(desk.owner));
    }

    #[test]
    fn a_renewed_offer_that_fails_still_takes_the_device_down() {
        let mut desk = Desk::new();
        let (Taken::Leg(leg, _), _) = desk.offer("a", 1) else { panic!("first") };
        assert_eq!(desk.phones.up(leg), Some(desk.owner));
        assert_eq!(leg_of(&desk.offer("a", 1).0), Some(leg));
        assert_eq!(desk.phones.down(leg), Some(desk.owner));
        assert_eq!(desk.phones.down(leg), None, "told once");
        assert_eq!(desk.phones.up(leg), Some(desk.owner));
        assert_eq!(leg_of(&desk.take("b", 2).0), Some(leg));
        assert_eq!(desk.phones.gone(desk.owner, "b", 2, NOW), Some(leg));
    }

    #[test]
    fn answers_go_to_who_offered_and_a_left_phone_is_free() {
        let mut desk = Desk::new();
        let (Taken::Leg(leg, first_offer), mut first) = desk.offer("a", 9) else { panic!("first") };
        let (Taken::Leg(_, second_offer), mut second) = desk.take("b", 10) else { panic!("taken") };
        desk.phones.refused(second_offer, Refusal::NoDevice);
        desk.phones.answered(first_offer, "for a".to_owned());
        assert_eq!(first.try_recv(), Ok(Ok("for a".to_owned())));
        assert_eq!(second.try_recv(), Ok(Err(Refusal::NoDevice)));
        desk.phones.gone(desk.owner, "a", 9, NOW);
        assert_eq!(leg_of(&desk.offer("c", 1).0), Some(leg), "a slower clock is no lock");
    }

    #[test]
    fn a_takeover_that_is_refused_leaves_the_telephone_where_it_was() {
        for why in [Refusal::Overloaded, Refusal::NoDevice] {
            let mut desk = Desk::new();
            let (Taken::Leg(leg, first_offer), _) = desk.offer("a", 1) else { panic!("first") };
            desk.phones.answered(first_offer, "for a".to_owned());
            assert_eq!(desk.phones.up(leg), Some(desk.owner));
            let (Taken::Leg(_, offer), mut second) = desk.take("b", 2) else { panic!("taken") };
            desk.phones.refused(offer, why);
            assert_eq!(second.try_recv(), Ok(Err(why)));
            assert_eq!(desk.phones.gone(desk.owner, "b", 2, NOW), None, "it never had it");
            assert_eq!(desk.phones.gone(desk.owner, "a", 1, NOW), Some(leg));
            assert_eq!(desk.phones.back(desk.owner, "a", 1), Some(leg), "its media never went");
        }
    }

    #[test]
    fn an_offer_without_room_is_refused_before_older_ones_are_answered() {
        let mut desk = Desk::new();
        let (Taken::Leg(leg, one), mut first) = desk.offer("a", 1) else { panic!("first") };
        let (Taken::Leg(_, two), mut second) = desk.take("b", 2) else { panic!("second") };
        let (Taken::Leg(_, three), mut third) = desk.take("c", 3) else { panic!("third") };
        desk.phones.refused(two, Refusal::Overloaded);
        assert_eq!(second.try_recv(), Ok(Err(Refusal::Overloaded)), "and nobody else");
        desk.phones.answered(one, "for a".to_owned());
        assert_eq!(first.try_recv(), Ok(Ok("for a".to_owned())));
        desk.phones.refused(three, Refusal::Overloaded);
        assert_eq!(third.try_recv(), Ok(Err(Refusal::Overloaded)));
        desk.phones.up(leg);
        assert_eq!(desk.phones.gone(desk.owner, "a", 1, NOW), Some(leg), "it has the telephone");
    }

    #[test]
    fn a_short_loss_of_the_socket_keeps_the_leg() {
        let mut desk = Desk::new();
        let (Taken::Leg(leg, _), _) = desk.offer("a", 1) else { panic!("first") };
        desk.phones.up(leg);
        desk.phones.gone(desk.owner, "a", 1, NOW);
        assert_eq!(desk.phones.back(desk.owner, "a", 1), Some(leg));
        desk.phones.gone(desk.owner, "a", 1, NOW);
        assert!(desk.phones.forgotten(NOW + Span::from_secs(59)).is_empty());
        assert_eq!(desk.phones.forgotten(NOW + Span::from_secs(60)), [leg]);
        assert_eq!(desk.phones.back(desk.owner, "a", 1), None);
    }
}
