//! What shell and people make of what the cell put out.

use model::{Event, Output};

use super::{Happening, World};

/// Calls and offers that nonsense may name.
const REMEMBERED: usize = 16;

impl World {
    pub(super) fn react(&mut self, output: &Output) {
        match output {
            Output::Event(recorded) => self.react_to_event(&recorded.event),
            Output::Effect(effect) => self.react_to_effect(effect),
            Output::Touched(_) => {}
        }
    }

    fn react_to_event(&mut self, event: &Event) {
        match event {
            Event::CallStarted { call, leg, .. } => {
                self.calls.insert(*call, *leg);
                remember(&mut self.recent_calls, *call);
                if let Some(customer) = self.customers.get_mut(leg) {
                    customer.call = Some(*call);
                }
                if self.chance(self.scenario.faults.call_failed) {
                    let at = self.soon(60_000);
                    self.agenda.add(at, Happening::CallFails(*call));
                }
            }
            Event::CallEnded { call, .. } => {
                self.calls.remove(call);
                self.graphs.remove(call);
            }
            Event::Offered { call, offer, agent, .. } => {
                remember(&mut self.recent_offers, *offer);
                self.offered(*call, *offer, *agent);
            }
            Event::ConsultStarted { call, consult, agent, colleague } => {
                remember(&mut self.recent_offers, *consult);
                self.confers(*call, *agent);
                self.offered(*call, *consult, *colleague);
            }
            Event::ConsultJoined { call, colleague, leg, .. } => {
                self.joined(*call, *colleague, *leg);
            }
            Event::Connected { call, agent, leg, .. } => self.connected(*call, *agent, *leg),
            Event::WrapUpStarted { call, agent, .. } => self.wraps_up(*call, *agent),
            Event::AgentState { agent, state, .. } => self.state_changed(*agent, *state),
            _ => {}
        }
    }
}

fn remember<T>(list: &mut Vec<T>, thing: T) {
    if list.len() == REMEMBERED {
        list.remove(0);
    }
    list.push(thing);
}
