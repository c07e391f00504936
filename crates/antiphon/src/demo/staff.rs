//! Synthetic agents: each has a SIP telephone that answers, and wraps up as a person would.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hub::{Hub, TopicData, Update};
use model::config::Device;
use model::event::AgentState;
use model::input::Command;
use model::random::Random;
use model::sip::SipTarget;
use model::view::AgentView;
use model::{AgentId, TenantId};
use phone::plan::{Agent, Then};
use phone::{Config, Phone};
use store::{Ctx, Edit};
use tokio::sync::broadcast::error::RecvError;
use tokio::task::JoinSet;

use super::{pick, spoken};
use crate::house::House;

/// How long one takes to pick up.
const RING: Duration = Duration::from_millis(2_500);
/// How long one wraps up, in milliseconds.
const WRAP_UP_MS: std::ops::Range<u64> = 4_000..12_000;
/// Of ten requests so many are resolved at once.
const RESOLVED_OF_TEN: u64 = 8;

/// All of them; they are gone once this is dropped.
pub(super) struct Staff {
    _phones: Vec<Phone>,
    _desks: JoinSet<()>,
}

impl Staff {
    /// Gives every agent a telephone and begins their shifts.
    ///
    /// # Errors
    /// When a telephone cannot be opened, or the house does not take it.
    pub(super) async fn hire(
        house: &House,
        tenant: TenantId,
        agents: &[AgentId],
        speech: &Arc<[Arc<[i16]>]>,
    ) -> anyhow::Result<Self> {
        let mut random = Random::new(getrandom::u64()?);
        let mut phones = Vec::new();
        for _ in agents {
            let bind = SocketAddr::new(house.sip_address.ip(), 0);
            let sound = spoken(speech, &mut random);
            let agent = Agent { ring: RING, then: Then::Answer, talk: None, sound, keep: false };
            let config = Config { bind, agent: Some(agent), trace: false };
            phones.push(Phone::start(config, None).await?);
        }
        let addresses: Vec<_> = phones.iter().map(Phone::local).collect();
        equip(house, tenant, agents, &addresses).await?;
        let mut desks = JoinSet::new();
        for agent in agents {
            let random = Random::new(getrandom::u64()?);
            let desk = Desk { hub: house.hub.clone(), tenant, agent: *agent, random };
            desks.spawn(desk.work());
        }
        Ok(Self { _phones: phones, _desks: desks })
    }
}

/// Tells the house where the telephones of this start are.
async fn equip(
    house: &House,
    tenant: TenantId,
    agents: &[AgentId],
    addresses: &[SocketAddr],
) -> anyhow::Result<()> {
    let now = house.hub.now();
    let edit = Edit { expected: None, summary: "demo: telephones".to_owned(), at: now };
    let user: model::DialString = "agent".parse()?;
    let db = house.store.tenant(Ctx::system(tenant));
    db.edit_config(edit, |draft| -> anyhow::Result<()> {
        for (agent, address) in agents.iter().zip(addresses) {
            let target = SipTarget { user: user.clone(), address: *address };
            if let Some(profile) = draft.config.agents.get_mut(agent) {
                profile.device = Device::Sip { device: store::fresh_id(now), target };
            }
        }
        Ok(())
    })
    .await?;
    Ok(house.hub.config_changed(tenant).await?)
}

/// One agent at work.
struct Desk {
    hub: Hub,
    tenant: TenantId,
    agent: AgentId,
    random: Random,
}

impl Desk {
    async fn work(mut self) {
        let Some(mut changes) = self.hub.watch(self.tenant) else { return };
        self.say(Command::SignIn).await;
        self.say(Command::Ready).await;
        loop {
            match changes.recv().await {
                Ok(Update { data: TopicData::Agent(view), .. }) if view.agent == self.agent => {
                    self.see(&view).await;
                }
                Ok(_) => {}
                Err(RecvError::Lagged(_)) => {
                    if let Some(view) = self.hub.agent_view(self.tenant, self.agent) {
                        self.see(&view).await;
                    }
                }
                Err(RecvError::Closed) => return,
            }
        }
    }

    async fn see(&mut self, view: &AgentView) {
        match view.state {
            AgentState::DidNotAnswer => self.say(Command::Ready).await,
            AgentState::WrapUp => {
                let Some(wrap_up) = &view.wrap_up else { return };
                let length =
                    WRAP_UP_MS.start + self.random.below(WRAP_UP_MS.end - WRAP_UP_MS.start);
                tokio::time::sleep(Duration::from_millis(length)).await;
                let Some(disposition) = self.disposition() else { return };
                let resolved = self.random.below(10) < RESOLVED_OF_TEN;
                let (call, note) = (wrap_up.contact.call, String::new());
                self.say(Command::WrapUp { call, disposition, resolved, note }).await;
            }
            _ => {}
        }
    }

    fn disposition(&mut self) -> Option<String> {
        pick(&mut self.random, &["order_placed", "order_placed", "answered", "call_back", "other"])
            .map(|code| (*code).to_owned())
    }

    /// A refusal means that the moment has passed: the next change tells what to do.
    async fn say(&self, command: Command) {
        let _ = self.hub.command(self.tenant, self.agent, command).await;
    }
}
