//! Calls that arrive, and where calls are to go: whose they are, by the number plan.
//!
//! Invariant: a call belongs to one tenant from its first moment, and a telephone's to its own.

use std::net::IpAddr;

use model::domain::Domain;
use model::id::{DeviceId, LegId, PartyId, TenantId};
use model::media::MediaDesc;
use model::number::DialString;
use model::sip::{Caller, SipCommand, SipEvent};

use super::Switchboard;
use crate::leg::{CallingParty, Leg};

/// When a call that came before the number plan was read may try again, in seconds.
const PLAN_RETRY_S: u32 = 5;

/// Whose call it is, the telephone that wants the house itself, and the number as the cell knows
/// it; or status and Retry-After.
type Wanted = Result<(TenantId, Option<DeviceId>, DialString), (u16, Option<u32>)>;

impl Switchboard {
    /// A call has arrived: it is somebody's, or refused.
    pub(super) fn incoming(&mut self, event: SipEvent) {
        let SipEvent::Incoming { leg, caller, dialled, domain, offer, source, telephone, .. } =
            event
        else {
            return;
        };
        let whose = match telephone {
            None => self.whose(domain.as_ref(), &dialled),
            Some((tenant, device)) => self.wanted_by(tenant, device, &dialled),
        };
        match whose {
            Ok((tenant, device, dialled)) => {
                // By what a telephone names itself, nobody can call it back.
                let number = caller.number.filter(|_| telephone.is_none());
                let from = self.caller(leg, device, Caller { number, ..caller });
                self.arrive(leg, tenant, (from, dialled), offer, source.ip());
            }
            Err((status, retry_after_s)) => {
                self.signal(SipCommand::Reject { leg, status, retry_after_s });
            }
        }
    }

    fn arrive(
        &mut self,
        leg: LegId,
        tenant: TenantId,
        (from, dialled): (CallingParty, DialString),
        offer: Option<MediaDesc>,
        source: IpAddr,
    ) {
        let (machine, outputs) = Leg::incoming(leg, from, dialled, offer, source);
        self.legs.insert(leg, (tenant, machine));
        self.carry_out(tenant, leg, outputs);
    }

    /// Who calls, as its cell is told. What shows of a customer is kept for the cell's rows.
    fn caller(&mut self, leg: LegId, device: Option<DeviceId>, caller: Caller) -> CallingParty {
        if let Some(device) = device {
            return CallingParty::Telephone(device);
        }
        let party: PartyId = self.mint.mint(self.clock.now());
        let number = caller.number.clone();
        self.callers.insert(leg, (party, caller));
        CallingParty::Customer { party, number }
    }

    /// Whose call it is and the number as its cell knows it, or the refusal.
    fn whose(&self, domain: Option<&Domain>, dialled: &DialString) -> Wanted {
        let plan = self.numbers.as_ref().ok_or((503, Some(PLAN_RETRY_S)))?;
        let (tenant, number) = plan.find(domain, dialled).ok_or((404, None))?;
        Ok((tenant, None, number.clone()))
    }

    /// What an agent's telephone wants: a number of its own company, which it calls as a customer
    /// does, or the house.
    fn wanted_by(&self, tenant: TenantId, device: DeviceId, dialled: &DialString) -> Wanted {
        let plan = self.numbers.as_ref().ok_or((503, Some(PLAN_RETRY_S)))?;
        Ok(match plan.find_of(tenant, dialled) {
            Some(number) => (tenant, None, number.clone()),
            None => (tenant, Some(device), dialled.clone()),
        })
    }

    /// A number that a call is to go to, as its company spells it.
    pub(super) fn spelt(&self, event: SipEvent) -> SipEvent {
        let SipEvent::Referred { leg, refer, to, replaces } = event else { return event };
        let tenant = self.legs.get(&leg).map(|(tenant, _)| *tenant);
        let plan = self.numbers.as_ref();
        let own = tenant.and_then(|tenant| plan?.find_of(tenant, &to)).cloned();
        SipEvent::Referred { leg, refer, to: own.unwrap_or(to), replaces }
    }
}
