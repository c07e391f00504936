//! The switchboard: carries SIP and media events to the cell they belong to and effects back.
//!
//! One task owns every leg of the house. It decides nothing: tenants come from the number plan,
//! calls from the cells, legs from their small machines.

mod arrival;
mod guard;

use std::collections::{HashMap, HashSet, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;

use model::Input;
use model::effect::Effect;
use model::id::{AgentId, CallId, DeviceId, IdMint, LegId, PartyId, RecordingId, TenantId};
use model::media::{ClipId, MediaCommand, MediaEvent, MediaFault};
use model::refusal::Refusal;
use model::sip::{Caller, LegCause, PhoneAccount, PhoneContact, SipCommand, SipEvent};
use store::FloorRow;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Duration, interval};

use crate::browser::{Claim, Phones, Taken};
use crate::caught::Caught;
use crate::clock::HouseClock;
use crate::contacts::Known;
use crate::keyboard::Keyboards;
use crate::leg::{Leg, LegOutput};
use crate::mailbox::{Mailbox, Message};
use crate::plan::NumberPlan;

use guard::About;

/// How often forgotten browser legs are looked for.
const SWEEP_EVERY: Duration = Duration::from_secs(5);
/// The planes below, as the switchboard sees them. False means: refused, too much at once.
#[derive(Clone)]
pub struct Ports {
    /// To the SIP plane.
    pub sip: Arc<dyn Fn(SipCommand) -> bool + Send + Sync>,
    /// To the media plane.
    pub media: Arc<dyn Fn(MediaCommand) -> bool + Send + Sync>,
}

impl std::fmt::Debug for Ports {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Ports")
    }
}

/// What cells and the hub ask of the switchboard.
#[derive(Debug)]
pub(crate) enum Request {
    /// A tenant's cell is running.
    Tenant { tenant: TenantId, mailbox: Mailbox },
    /// The whole number plan.
    Numbers(NumberPlan),
    /// The telephones of a tenant that may register.
    Phones {
        tenant: TenantId,
        accounts: Vec<PhoneAccount>,
        contacts: Vec<(DeviceId, Vec<PhoneContact>)>,
    },
    /// Those of all tenants were named.
    PhonesNamed,
    /// A cell wants something done now.
    Effect { tenant: TenantId, effect: Effect, recording_file: Option<PathBuf> },
    /// No graph names these clips any more.
    ClipsGone(Vec<ClipId>),
    /// A page offers its phone leg.
    BrowserOffer {
        tenant: TenantId,
        agent: AgentId,
        claim: Claim,
        sdp: String,
        reply: oneshot::Sender<Result<String, Refusal>>,
    },
    /// The socket of the page that owns the phone is gone.
    BrowserGone { tenant: TenantId, agent: AgentId, tab: String, epoch: u64 },
    /// The media plane would not take a page's offer of this number.
    BrowserRefused(u64),
    /// Take in every event that has arrived, then hand out the cells, so that they can be stopped.
    Drain(oneshot::Sender<Vec<Mailbox>>),
    /// A socket of the page that owns the phone is back.
    BrowserBack { tenant: TenantId, agent: AgentId, tab: String, epoch: u64 },
}

/// See the module.
pub(crate) struct Switchboard {
    ports: Ports,
    clock: Arc<HouseClock>,
    mint: IdMint,
    cells: HashMap<TenantId, Mailbox>,
    /// None until it was read: until then the house cannot know whose call it is.
    numbers: Option<NumberPlan>,
    legs: HashMap<LegId, (TenantId, Leg)>,
    /// Who shows on a leg that has not reached its cell yet.
    callers: HashMap<LegId, (PartyId, Caller)>,
    calls: HashMap<CallId, TenantId>,
    recordings: HashMap<RecordingId, TenantId>,
    phones: Phones,
    /// Telephones that are registered.
    up: HashSet<DeviceId>,
    /// To whoever keeps where they are.
    contacts: mpsc::UnboundedSender<Known>,
    /// What callers type, where it may be a secret.
    keyboards: Keyboards,
    offers: std::sync::mpsc::Sender<(LegId, u64, String)>,
    /// Endings that a plane was too busy for; losing one would leave somebody on a dead line. So
    /// may the telephones of a tenant wait.
    endings: VecDeque<Ending>,
    caught: Caught,
}

/// A command that has to arrive.
#[derive(Debug, Clone)]
enum Ending {
    Sip(SipCommand),
    Media(MediaCommand),
}

/// The three streams the switchboard listens to.
pub(crate) struct Streams {
    pub(crate) requests: mpsc::UnboundedReceiver<Request>,
    pub(crate) sip: mpsc::Receiver<SipEvent>,
    pub(crate) media: mpsc::Receiver<MediaEvent>,
}

impl Switchboard {
    /// `requests` is where the maker of browser legs reports what the media plane refused.
    pub(crate) fn new(
        ports: Ports,
        clock: Arc<HouseClock>,
        seed: u64,
        requests: &mpsc::UnboundedSender<Request>,
        contacts: mpsc::UnboundedSender<Known>,
        caught: Caught,
    ) -> std::io::Result<Self> {
        let offers = browser_maker(ports.clone(), requests.downgrade(), caught.clone())?;
        Ok(Self {
            ports,
            clock,
            mint: IdMint::new(seed),
            cells: HashMap::new(),
            numbers: None,
            legs: HashMap::new(),
            callers: HashMap::new(),
            calls: HashMap::new(),
            recordings: HashMap::new(),
            phones: Phones::default(),
            up: HashSet::new(),
            contacts,
            keyboards: Keyboards::default(),
            offers,
            endings: VecDeque::new(),
            caught,
        })
    }

    /// Runs until the hub and all cells are gone.
    pub(crate) async fn run(mut self, mut streams: Streams) {
        let mut sweep = interval(SWEEP_EVERY);
        loop {
            tokio::select! {
                // What the hub asked for comes first: a call must find the number plan that was
                // handed in before it rang.
                biased;
                request = streams.requests.recv() => match request {
                    Some(Request::Drain(done)) => {
                        self.drain(&mut streams);
                        // Whoever stops the house may have given up waiting.
                        let _ = done.send(self.cells.values().cloned().collect());
                    }
                    Some(request) => {
                        self.guarded(About::from(&request), |board| board.request(request));
                    }
                    None => break,
                },
                Some(event) = streams.sip.recv() => self.hear_sip(event),
                Some(event) = streams.media.recv() => self.hear_media(event),
                _ = sweep.tick() => self.guarded(About::Nobody, Self::sweep),
            }
            self.flush_endings();
        }
    }

    fn drain(&mut self, streams: &mut Streams) {
        while let Ok(event) = streams.sip.try_recv() {
            self.hear_sip(event);
        }
        while let Ok(event) = streams.media.try_recv() {
            self.hear_media(event);
        }
    }

    fn hear_sip(&mut self, event: SipEvent) {
        let about = event.leg().map_or(About::Nobody, About::Leg);
        self.guarded(about, |board| board.sip(event));
    }

    fn hear_media(&mut self, event: MediaEvent) {
        self.guarded(About::from(&event), |board| board.media(event));
    }

    fn flush_endings(&mut self) {
        while let Some(ending) = self.endings.pop_front() {
            let taken = match ending.clone() {
                Ending::Sip(command) => (self.ports.sip)(command),
                Ending::Media(command) => (self.ports.media)(command),
            };
            if !taken {
                self.endings.push_front(ending);
                break;
            }
        }
    }

    /// Hands a command to the SIP plane. False when it was refused and will not be tried again.
    fn signal(&mut self, command: SipCommand) -> bool {
        let phones = matches!(command, SipCommand::Phones { .. } | SipCommand::PhonesNamed);
        let ends = matches!(command, SipCommand::Hangup { .. } | SipCommand::Reject { .. });
        // Of two lists of telephones the newer comes last.
        if phones && !self.endings.is_empty() {
            self.endings.push_back(Ending::Sip(command));
            return true;
        }
        let spare = (ends || phones).then(|| command.clone());
        let taken = (self.ports.sip)(command);
        if let (false, Some(command)) = (taken, spare) {
            self.endings.push_back(Ending::Sip(command));
            return true;
        }
        taken
    }

    /// Hands a command to the media plane. False when it was refused and will not be tried again.
    fn direct(&mut self, command: MediaCommand) -> bool {
        let ends = matches!(
            command,
            MediaCommand::Close { .. }
                | MediaCommand::CallEnded { .. }
                | MediaCommand::ClipGone { .. }
        );
        let spare = ends.then(|| command.clone());
        let taken = (self.ports.media)(command);
        if let (false, Some(command)) = (taken, spare) {
            self.endings.push_back(Ending::Media(command));
            return true;
        }
        taken
    }

    fn request(&mut self, request: Request) {
        match request {
            Request::Tenant { tenant, mailbox } => {
                self.cells.insert(tenant, mailbox);
            }
            Request::Numbers(numbers) => self.numbers = Some(numbers),
            Request::Phones { tenant, accounts, contacts } => {
                self.signal(SipCommand::Phones { tenant, accounts, contacts });
            }
            Request::PhonesNamed => _ = self.signal(SipCommand::PhonesNamed),
            Request::ClipsGone(clips) => {
                for clip in clips {
                    self.direct(MediaCommand::ClipGone { clip });
                }
            }
            Request::BrowserRefused(offer) => self.phones.refused(offer, Refusal::Overloaded),
            // Answered by the loop, which has the streams.
            Request::Drain(_) => {}
            Request::Effect { tenant, effect, recording_file } => {
                self.effect(tenant, effect, recording_file);
            }
            Request::BrowserOffer { tenant, agent, claim, sdp, reply } => {
                let fresh = self.mint.mint(self.clock.now());
                let taken = self.phones.offer((tenant, agent), claim, fresh, reply);
                if let Taken::Leg(leg, offer) = taken
                    && self.offers.send((leg, offer, sdp)).is_err()
                {
                    self.phones.refused(offer, Refusal::Overloaded);
                }
            }
            Request::BrowserGone { tenant, agent, tab, epoch } => {
                if let Some(leg) = self.phones.gone((tenant, agent), &tab, epoch, self.clock.now())
                {
                    self.tell(tenant, Input::DeviceDown { agent, leg });
                }
            }
            Request::BrowserBack { tenant, agent, tab, epoch } => {
                if let Some(leg) = self.phones.back((tenant, agent), &tab, epoch) {
                    self.tell(tenant, Input::DeviceUp { agent, leg });
                }
            }
        }
    }

    fn effect(&mut self, tenant: TenantId, effect: Effect, recording_file: Option<PathBuf>) {
        let (leg, outputs) = match effect {
            Effect::Answer { leg } => (leg, self.machine(leg).map(Leg::answer)),
            Effect::Ring { leg } => (leg, self.machine(leg).map(|machine| machine.ring())),
            Effect::Refer { leg, refer, status } => {
                (leg, self.machine(leg).map(|machine| machine.refer(refer, status)))
            }
            Effect::Refuse { leg, status } => {
                (leg, self.machine(leg).map(|machine| machine.refuse(status)))
            }
            Effect::Hangup { leg, cause } => {
                (leg, self.machine(leg).map(|machine| machine.hang_up(cause)))
            }
            Effect::Dial { leg, callee, caller } => {
                let (machine, outputs) = Leg::outgoing(leg, callee, caller);
                self.legs.insert(leg, (tenant, machine));
                (leg, Some(outputs))
            }
            Effect::Keys { leg, mode, confirm } => {
                if self.legs.contains_key(&leg) {
                    let inputs = self.keyboards.announce(leg, mode, confirm);
                    inputs.into_iter().for_each(|input| self.tell(tenant, input));
                }
                return;
            }
            Effect::Media { call, rev, graph } => {
                self.calls.insert(call, tenant);
                let new = graph.record.as_ref().map(|wish| wish.recording);
                let new = new.filter(|new| self.recordings.insert(*new, tenant).is_none());
                let command = MediaCommand::Graph { call, tenant, rev, graph, recording_file };
                if !self.direct(command) {
                    tracing::error!(%call, rev, "the media plane refused a graph");
                    if let Some(recording) = new {
                        self.never_recorded(call, recording);
                    }
                    self.tell(tenant, Input::CallFailed { call });
                }
                return;
            }
            Effect::MediaEnd { call } => {
                self.calls.remove(&call);
                self.direct(MediaCommand::CallEnded { call });
                return;
            }
            Effect::SaveFact { .. }
            | Effect::SaveIntent { .. }
            | Effect::SaveNote { .. }
            | Effect::ListCallback { .. }
            | Effect::Reply { .. } => return,
        };
        self.carry_out(tenant, leg, outputs.unwrap_or_default());
    }

    fn machine(&mut self, leg: LegId) -> Option<&mut Leg> {
        self.legs.get_mut(&leg).map(|(_, machine)| machine)
    }

    fn carry_out(&mut self, tenant: TenantId, leg: LegId, outputs: Vec<LegOutput>) {
        for output in outputs {
            match output {
                LegOutput::Sip(command) => {
                    let dialling = matches!(command, SipCommand::Dial { .. });
                    if !self.signal(command) {
                        let step = |machine: &mut Leg| match dialling {
                            true => machine.not_dialled(),
                            false => machine.hang_up(LegCause::InternalError),
                        };
                        self.with_leg(leg, step);
                    }
                }
                LegOutput::Media(command) => {
                    let preparing = matches!(command, MediaCommand::Prepare { .. });
                    if !self.direct(command) {
                        let step = |machine: &mut Leg| match preparing {
                            true => machine.prepare_failed(MediaFault::Overloaded),
                            // Its sound would go to where the far side no longer listens.
                            false => machine.hang_up(LegCause::InternalError),
                        };
                        self.with_leg(leg, step);
                    }
                }
                LegOutput::Cell(input) => self.hand_in(tenant, leg, input),
                LegOutput::Finished => {
                    self.legs.remove(&leg);
                    self.callers.remove(&leg);
                    self.keyboards.forget(leg);
                }
            }
        }
    }

    /// A key goes to the cell as far as it may be seen there.
    fn key(&mut self, tenant: TenantId, leg: LegId, digit: char) {
        let inputs = self.keyboards.key(leg, digit);
        inputs.into_iter().for_each(|input| self.tell(tenant, input));
    }

    fn hand_in(&mut self, tenant: TenantId, leg: LegId, input: Input) {
        if let Input::Digit { leg, digit } = input {
            return self.key(tenant, leg, digit);
        }
        if !matches!(input, Input::CallOffered { .. } | Input::PhoneDialled { .. }) {
            self.tell(tenant, input);
            return;
        }
        let rows = self.callers.remove(&leg).map(|(party, caller)| FloorRow::Party {
            party,
            number: caller.number.map(String::from),
            name: caller.name,
        });
        let message = Message::Input { input, rows: rows.into_iter().collect(), reply: None };
        let taken = self.cells.get(&tenant).is_some_and(|mailbox| mailbox.offer(message));
        if !taken {
            let outputs = self.machine(leg).map(|machine| machine.refuse(503));
            self.carry_out(tenant, leg, outputs.unwrap_or_default());
        }
    }

    fn tell(&self, tenant: TenantId, input: Input) {
        if let Some(mailbox) = self.cells.get(&tenant) {
            mailbox.input(input);
        }
    }

    fn sip(&mut self, event: SipEvent) {
        if matches!(event, SipEvent::Incoming { .. }) {
            return self.incoming(event);
        }
        if let SipEvent::Registered { tenant, device, contacts } = event {
            return self.registered(tenant, device, contacts);
        }
        let Some(leg) = event.leg() else { return };
        let event = self.spelt(event);
        let Some((tenant, machine)) = self.legs.get_mut(&leg) else { return };
        let tenant = *tenant;
        let outputs = machine.sip(self.clock.now(), event);
        self.carry_out(tenant, leg, outputs);
    }

    /// The cell is told of what changes for it, and all is kept for the time after a restart.
    fn registered(&mut self, tenant: TenantId, device: DeviceId, contacts: Vec<PhoneContact>) {
        let is_up = !contacts.is_empty();
        let changed = if is_up { self.up.insert(device) } else { self.up.remove(&device) };
        if changed {
            self.tell(tenant, Input::Phone { device, is_up });
        }
        // Ends with the house.
        let _ = self.contacts.send(Known { tenant, device, contacts });
    }

    fn media(&mut self, event: MediaEvent) {
        match event {
            MediaEvent::Prepared { leg, local } => {
                self.with_leg(leg, |machine| machine.prepared(local));
            }
            MediaEvent::PrepareFailed { leg, why } => {
                self.with_leg(leg, |machine| machine.prepare_failed(why));
            }
            MediaEvent::BrowserAnswer { offer, sdp, .. } => self.phones.answered(offer, sdp),
            MediaEvent::BrowserRefused { offer, why, .. } => {
                let overloaded = why == MediaFault::Overloaded;
                let refusal = if overloaded { Refusal::Overloaded } else { Refusal::NoDevice };
                self.phones.refused(offer, refusal);
            }
            MediaEvent::BrowserUp { leg } => {
                if let Some((tenant, agent)) = self.phones.up(leg) {
                    self.tell(tenant, Input::DeviceUp { agent, leg });
                }
            }
            MediaEvent::BrowserDown { leg } => {
                if let Some((tenant, agent)) = self.phones.down(leg) {
                    self.tell(tenant, Input::DeviceDown { agent, leg });
                }
            }
            // Nothing waits for it: a graph that is late is only late.
            MediaEvent::Applied { .. } => {}
            MediaEvent::PlayEnded { call, play, .. } => {
                self.about(call, Input::PlayEnded { call, play });
            }
            MediaEvent::Digit { leg, digit } => {
                let now = self.clock.now();
                self.with_leg(leg, |machine| machine.key(now, digit));
            }
            MediaEvent::Silent { leg, silent_ms } => self.silent(leg, silent_ms),
            MediaEvent::RecordingEnded { call, recording, length_ms, sha256, complete } => {
                let message =
                    Message::RecordingEnded { call, recording, length_ms, sha256, complete };
                self.recorded(recording, message);
            }
            MediaEvent::Closed { leg, quality } => {
                tracing::debug!(%leg, ?quality, "a leg was closed");
                // We close legs that have ended; any other was closed by a fault of the plane.
                self.with_leg(leg, |machine| machine.hang_up(LegCause::InternalError));
                if let Some((tenant, agent)) = self.phones.down(leg) {
                    self.tell(tenant, Input::DeviceDown { agent, leg });
                }
            }
        }
    }

    /// A recording whose graph the media plane never saw: nobody else will say that it ended, and
    /// the books keep a call until all its recordings have.
    fn never_recorded(&mut self, call: CallId, recording: RecordingId) {
        let (length_ms, sha256, complete) = (0, String::new(), false);
        let message = Message::RecordingEnded { call, recording, length_ms, sha256, complete };
        self.recorded(recording, message);
    }

    fn recorded(&mut self, recording: RecordingId, ended: Message) {
        let tenant = self.recordings.remove(&recording);
        if let Some(mailbox) = tenant.and_then(|tenant| self.cells.get(&tenant)) {
            mailbox.post(ended);
        }
    }

    fn with_leg(&mut self, leg: LegId, step: impl FnOnce(&mut Leg) -> Vec<LegOutput>) {
        let Some((tenant, machine)) = self.legs.get_mut(&leg) else { return };
        let tenant = *tenant;
        let outputs = step(machine);
        self.carry_out(tenant, leg, outputs);
    }

    /// A peer that sends nothing for `limits::SILENT_MS_MAX` is gone without a BYE.
    fn silent(&mut self, leg: LegId, silent_ms: i64) {
        if silent_ms >= model::limits::SILENT_MS_MAX {
            self.with_leg(leg, |machine| machine.hang_up(LegCause::MediaTimeout));
        }
    }

    fn about(&self, call: CallId, input: Input) {
        if let Some(tenant) = self.calls.get(&call) {
            self.tell(*tenant, input);
        }
    }

    fn sweep(&mut self) {
        if let Some(by_us) = self.clock.jumped() {
            tracing::warn!(by_us, "the wall clock was set; house time follows it slowly");
            for mailbox in self.cells.values() {
                mailbox.input(Input::ClockJumped { by_us });
            }
        }
        for leg in self.phones.forgotten(self.clock.now()) {
            self.direct(MediaCommand::Close { leg });
        }
    }
}

/// A thread that makes browser legs: each costs a millisecond of certificates and parsing, which a
/// hundred pages at once must not take from the calls. A fault in one refuses that page.
fn browser_maker(
    ports: Ports,
    requests: mpsc::WeakUnboundedSender<Request>,
    caught: Caught,
) -> std::io::Result<std::sync::mpsc::Sender<(LegId, u64, String)>> {
    let (offers, received) = std::sync::mpsc::channel::<(LegId, u64, String)>();
    std::thread::Builder::new().name("browser-legs".to_owned()).spawn(move || {
        while let Ok((leg, offer, sdp)) = received.recv() {
            let command = MediaCommand::BrowserOffer { leg, offer, sdp };
            let taken = caught.catch(|| (ports.media)(command)).unwrap_or_else(|_| {
                tracing::error!(leg.id = %leg, "making the leg of a page failed");
                false
            });
            if !taken && let Some(requests) = requests.upgrade() {
                let _ = requests.send(Request::BrowserRefused(offer));
            }
        }
    })?;
    Ok(offers)
}

#[cfg(test)]
mod tests;
