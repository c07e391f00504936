//! REFER inside a dialog: the far side asks for its call to go elsewhere (RFC 3515, RFC 5589).
//!
//! Invariant: one wish of a leg at a time; whoever wants to know hears at once that it is being
//! seen to, and later once what became of it.

use model::LegId;
use model::number::DialString;
use model::sip::SipEvent;
use tokio::time::{Duration, Instant};

use super::Core;
use super::compose;
use super::leg::{Referral, State};
use super::transact::Asked;
use crate::addr;
use crate::counters::Why;
use crate::message::Message;
use crate::wire::Name;

/// How long we said that we are going to tell what becomes of a wish.
const FORGOTTEN: Duration = Duration::from_secs(compose::REFER_S);
/// It is being seen to (RFC 3261 section 21.1.1).
const TRYING: u16 = 100;

impl Core {
    /// Takes a wish, or refuses what nobody can do anything with.
    pub(super) fn referred(&mut self, leg: LegId, asked: &Asked) {
        let Some(state) = self.legs.get(&leg) else { return };
        let is_up = matches!(state.state, State::Up);
        // Nobody waits for an end that was lost.
        let waits = state.referral.as_ref().is_some_and(|wish| wish.since.elapsed() < FORGOTTEN);
        let wish = match refer_to(&asked.request) {
            _ if !is_up || waits => Err((491, Why::Pending)),
            Ok((to, None)) => Ok((to, None)),
            // What is to be put together stands, or nothing is done.
            Ok((to, Some(dialog))) => match self.replaced(&dialog) {
                Some(leg) => Ok((to, Some(leg))),
                None => Err((481, Why::NoDialog)),
            },
            Err(refusal) => Err(refusal),
        };
        let (to, replaces) = match wish {
            Ok(wish) => wish,
            Err((status, why)) => {
                self.env.shared.tally.refuse(why);
                self.env.respond_plainly(asked, status, "");
                return;
            }
        };
        let refer = asked.request.cseq().unwrap_or(0);
        // RFC 4488: it does not want to know.
        let wants = asked.request.head.first(Name::ReferSub).is_none_or(|value| value != "false");
        let mut reply = self.reply(asked, 202).with_target(&self.env.shared);
        if !wants {
            reply = reply.with("Refer-Sub", "false");
        }
        self.env.respond(asked, reply);
        if let Some(state) = self.legs.get_mut(&leg) {
            state.referral = Some(Referral { refer, wants, since: Instant::now() });
        }
        self.notify(leg, refer, TRYING);
        self.tell(leg, SipEvent::Referred { leg, refer, to, replaces });
    }

    /// The hub says what became of it.
    pub(super) fn refer_ended(&mut self, leg: LegId, refer: u32, status: u16) {
        let status = if (200..700).contains(&status) { status } else { 500 };
        self.notify(leg, refer, status);
        if let Some(state) = self.legs.get_mut(&leg) {
            state.referral.take_if(|wish| wish.refer == refer);
        }
    }

    fn notify(&mut self, leg: LegId, refer: u32, status: u16) {
        self.aim(leg);
        let Some(state) = self.legs.get_mut(&leg) else { return };
        let is_wanted = |wish: &Referral| wish.refer == refer && wish.wants;
        if !state.referral.as_ref().is_some_and(is_wanted) || !matches!(state.state, State::Up) {
            return;
        }
        let request = compose::notify(&self.env.shared, &mut state.dialog, (refer, status));
        let peer = state.dialog.next_hop();
        self.env.request(request, peer, None);
    }

    /// The leg of a dialog that is to be replaced (RFC 3891 section 3), if it stands.
    fn replaced(&self, dialog: &Replaces) -> Option<LegId> {
        let leg = *self.by_tag.get(&dialog.ours)?;
        let state = self.legs.get(&leg).filter(|state| !state.ended)?;
        let is_it =
            state.dialog.call_id == dialog.call_id && state.dialog.remote_tag == dialog.theirs;
        is_it.then_some(leg)
    }
}

/// A dialog as Replaces names it: the tags as its far side knows them.
struct Replaces {
    call_id: String,
    ours: String,
    theirs: String,
}

/// Where a call is to go, and in whose place.
fn refer_to(request: &Message) -> Result<(DialString, Option<Replaces>), (u16, Why)> {
    let malformed = (400, Why::Malformed);
    let value = request.head.only(Name::ReferTo).ok_or(malformed)?;
    let uri = addr::name_addr(value).ok_or(malformed)?.uri;
    let scheme = addr::scheme(uri).ok_or(malformed)?;
    if !scheme.eq_ignore_ascii_case("sip") && !scheme.eq_ignore_ascii_case("sips") {
        return Err((416, Why::UriScheme));
    }
    let parsed = addr::sip_uri(uri).ok_or(malformed)?;
    let to = addr::user(uri).and_then(|user| user.parse().ok()).ok_or((404, Why::NoSuchNumber))?;
    let mut pairs = parsed.headers.split('&').filter_map(|pair| pair.split_once('='));
    let named = pairs.find(|(name, _)| name.eq_ignore_ascii_case("replaces"));
    let dialog = named.map(|(_, value)| replaces(value).ok_or(malformed)).transpose()?;
    Ok((to, dialog))
}

/// `call-id%3Bto-tag%3Da%3Bfrom-tag%3Db`, as it stands among the headers of a URI.
fn replaces(value: &str) -> Option<Replaces> {
    let value = addr::unescape(value);
    let (call_id, params) = value.split_at(value.find(';')?);
    Some(Replaces {
        call_id: call_id.to_owned(),
        ours: addr::param(params, "to-tag")?.to_owned(),
        theirs: addr::param(params, "from-tag")?.to_owned(),
    })
}
