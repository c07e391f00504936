//! Many calls in one task: one socket for SIP, one per call for RTP from a pool, one clock.
//!
//! No thread and no timer per call: every 5 ms a quarter of the calls speaks, so that the packets
//! of many calls leave evenly. Everything that happened goes into the diary.

mod talk;
mod turn;

use std::collections::{BTreeSet, HashMap};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use model::media::{Codec, Direction};
use socket2::SockRef;
use tokio::net::UdpSocket;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::oneshot;
use tokio::task::AbortHandle;
use tokio::time::{MissedTickBehavior, interval};

use crate::clock::Clock;
use crate::dialog::{Dialog, Ended, Identity};
use crate::diary::{Entry, Report, What};
use crate::line::{Leg, Line, Role};
use crate::message::{Message, tag};
use crate::phone::{Config, Order};
use crate::plan::{Agent, Plan};
use crate::sdp;
use crate::voice::{Ear, Mouth, Noticed, Sound};

/// Between two turns of the clock.
const TURN: Duration = Duration::from_millis(5);
/// A call speaks in one of these turns.
const PHASES: u64 = 4;
/// How long a call that is over still answers retransmissions.
const LINGER_US: i64 = 5_000_000;
/// Datagrams taken in one go before the clock is looked at again.
const BURST_MAX: usize = 64;
const DATAGRAM_BYTES_MAX: usize = 65_535;

/// What ears notice: which call, when, what.
pub(crate) type Notices = UnboundedReceiver<(u64, i64, Noticed)>;

/// The task behind a [`crate::Phone`].
#[derive(Debug)]
pub(crate) struct Exchange {
    sip: UdpSocket,
    local: SocketAddr,
    clock: Clock,
    agent: Option<Agent>,
    trace: bool,
    diary: UnboundedSender<Entry>,
    lines: HashMap<u64, Line>,
    by_call_id: HashMap<String, u64>,
    deadlines: BTreeSet<(i64, u64)>,
    idle: Vec<Arc<UdpSocket>>,
    noticed: UnboundedSender<(u64, i64, Noticed)>,
    next_incoming: u64,
    seed: u64,
    closing: Option<oneshot::Sender<()>>,
}

impl Exchange {
    pub(crate) fn new(
        sip: UdpSocket,
        config: Config,
        diary: UnboundedSender<Entry>,
    ) -> io::Result<(Self, Notices)> {
        let (noticed, notices) = unbounded_channel();
        let local = sip.local_addr()?;
        let clock = Clock::start();
        let seed = clock.now_us().unsigned_abs() ^ u64::from(local.port()) << 48;
        let exchange = Self {
            sip,
            local,
            clock,
            agent: config.agent,
            trace: config.trace,
            diary,
            lines: HashMap::new(),
            by_call_id: HashMap::new(),
            deadlines: BTreeSet::new(),
            idle: Vec::new(),
            noticed,
            next_incoming: 1 << 32,
            seed,
            closing: None,
        };
        Ok((exchange, notices))
    }

    /// Runs until the last handle is gone and the last call is over.
    pub(crate) async fn run(mut self, mut orders: UnboundedReceiver<Order>, mut notices: Notices) {
        let mut clock = interval(TURN);
        clock.set_missed_tick_behavior(MissedTickBehavior::Burst);
        let mut buffer = vec![0; DATAGRAM_BYTES_MAX];
        let mut turn = 0;
        loop {
            tokio::select! {
                order = orders.recv() => match order {
                    Some(order) => self.obey(order),
                    None => return,
                },
                _ = clock.tick() => {
                    self.turn(turn % PHASES);
                    turn += 1;
                    if self.lines.values().all(|line| line.ended.is_some())
                        && let Some(done) = self.closing.take()
                    {
                        let _ = done.send(());
                        return;
                    }
                }
                Some((key, at, noticed)) = notices.recv() => self.notice(key, at, noticed),
                Ok(()) = self.sip.readable() => self.receive_burst(&mut buffer),
            }
        }
    }

    fn obey(&mut self, order: Order) {
        let now = self.clock.now_us();
        match order {
            Order::Call(key, plan) => self.call(key, *plan),
            Order::Press(key, digit) => self.press(key, digit),
            Order::Hold(key, hold) => self.hold(key, hold),
            Order::HangUp(key) => self.with_dialog(key, |dialog| dialog.hang_up(now)),
            Order::Close(done) => {
                let keys: Vec<u64> = self.lines.keys().copied().collect();
                for key in keys {
                    self.with_dialog(key, |dialog| dialog.hang_up(now));
                }
                self.agent = None;
                self.closing = Some(done);
            }
        }
    }

    fn receive_burst(&mut self, buffer: &mut [u8]) {
        for _ in 0..BURST_MAX {
            let Ok((length, from)) = self.sip.try_recv_from(buffer) else { return };
            // Keep-alives and rubbish are passed over.
            if let Ok(message) = Message::parse(&buffer[..length]) {
                self.receive(&message, from);
            }
        }
    }

    fn receive(&mut self, message: &Message, from: SocketAddr) {
        let Some(call_id) = message.header("Call-ID") else { return };
        if let Some(key) = self.by_call_id.get(call_id).copied() {
            self.write_message(key, message.title());
            let now = self.clock.now_us();
            return self.with_dialog(key, |dialog| dialog.receive(now, message));
        }
        let begins = message.method() == Some("INVITE")
            && message.header("To").is_some_and(|to| tag(to).is_none());
        if begins && let Some(agent) = self.agent.clone() {
            return self.called(message, from, agent);
        }
        let status = match message.method() {
            None | Some("ACK") => return,
            Some("OPTIONS") => 200,
            Some("INVITE") if begins => 480,
            Some(_) => 481,
        };
        let response = Message::response(message, status, "none").to_string();
        send(&self.sip, response.as_bytes(), from);
    }

    fn identity(&mut self, peer: SocketAddr, key: u64) -> Identity {
        Identity { local: self.local, peer, unique: format!("{:x}-{key:x}", self.seed) }
    }

    fn call(&mut self, key: u64, plan: Plan) {
        let now = self.clock.now_us();
        let leg = match self.leg(key, plan.sound.clone(), plan.keep, plan.codec) {
            Ok(leg) => leg,
            Err(error) => return self.no_socket(key, &plan, &error),
        };
        let offer = leg.describe(&[plan.codec], Direction::SendRecv);
        let offer = (!plan.late_offer).then(|| sdp::write(&offer, key, 0));
        let identity = self.identity(plan.peer, key);
        let from = (plan.number.as_str(), plan.name.as_deref());
        let host = plan.domain.clone().unwrap_or_else(|| plan.peer.to_string());
        let whom = format!("{}@{host}", plan.dialled);
        let dialog = Dialog::call(now, identity, &whom, from, offer);
        let line = Line::new(now, dialog, Role::Caller(Box::new(plan)), leg);
        self.admit(key, line);
    }

    /// Without a socket there is no call; it ends as one that was never answered.
    fn no_socket(&self, key: u64, plan: &Plan, error: &io::Error) {
        let at = self.clock.now_us();
        let caller = format!("{}: no socket: {error}", plan.number);
        let report = Report::unborn(key, caller, at, Ended::Timeout);
        self.write(key, What::Over(Box::new(report)));
    }

    fn called(&mut self, invite: &Message, from: SocketAddr, agent: Agent) {
        let now = self.clock.now_us();
        let key = self.next_incoming;
        self.next_incoming += 1;
        let identity = self.identity(from, key);
        let Some(dialog) = Dialog::called(identity, invite) else { return };
        let Ok(leg) = self.leg(key, agent.sound.clone(), agent.keep, Codec::Pcmu) else { return };
        let mut line = Line::new(now, dialog, Role::Agent(agent), leg);
        line.offer = (!invite.body.is_empty()).then(|| invite.body.clone());
        let caller = line.dialog.remote_user().to_owned();
        line.dialog.ring();
        self.write(key, What::Incoming { caller });
        self.write_message(key, invite.title());
        self.admit(key, line);
    }

    fn admit(&mut self, key: u64, line: Line) {
        self.by_call_id.insert(line.dialog.call_id().to_owned(), key);
        self.lines.insert(key, line);
        self.with_dialog(key, |_| ());
    }

    /// A leg with its own socket and listening task.
    fn leg(&mut self, key: u64, sound: Sound, keep: bool, codec: Codec) -> io::Result<Leg> {
        let socket = match self.idle.pop() {
            Some(socket) => socket,
            None => Arc::new(bind(self.local.ip())?),
        };
        let ear = Arc::new(Mutex::new(Ear::new(keep)));
        let task = tokio::spawn(listen(
            key,
            Arc::clone(&socket),
            Arc::clone(&ear),
            self.noticed.clone(),
            self.clock,
        ));
        let mut mouth = Mouth::new(sound, self.seed.rotate_left(8) ^ key.wrapping_mul(0x9e37_79b9));
        mouth.agree(codec, None);
        let local = socket.local_addr()?;
        Ok(Leg { socket, local, target: None, codec, mouth, ear, task: task.abort_handle() })
    }

    /// Lets the dialog of a call do something, then carries out what it puts out.
    fn with_dialog(&mut self, key: u64, act: impl FnOnce(&mut Dialog)) {
        let Some(line) = self.lines.get_mut(&key) else { return };
        act(&mut line.dialog);
        while let Some(output) = self.lines.get_mut(&key).and_then(|line| line.dialog.poll()) {
            self.carry_out(key, output);
        }
        let Some(line) = self.lines.get_mut(&key) else { return };
        let deadline = line.dialog.deadline();
        if line.deadline != deadline {
            if let Some(old) = line.deadline {
                self.deadlines.remove(&(old, key));
            }
            if let Some(new) = deadline {
                self.deadlines.insert((new, key));
            }
            line.deadline = deadline;
        }
    }

    fn notice(&mut self, key: u64, at: i64, noticed: Noticed) {
        let Some(line) = self.lines.get_mut(&key) else { return };
        let what = match noticed {
            Noticed::FirstPacket => {
                line.first_packet_us = Some(at);
                What::FirstPacket
            }
            Noticed::FirstSound => What::FirstSound,
            Noticed::Key(digit) => {
                line.heard_keys.push(digit);
                What::HeardKey { key: digit }
            }
        };
        let _ = self.diary.send(Entry { at, call: key, what });
    }

    fn write_message(&self, key: u64, message: String) {
        if self.trace {
            self.write(key, What::Received { message });
        }
    }

    fn write(&self, key: u64, what: What) {
        let _ = self.diary.send(Entry { at: self.clock.now_us(), call: key, what });
    }
}

/// Sends at once. Past the runtime: it believes that a fresh socket cannot be written to until it
/// has looked, and would lose the first datagram. A full buffer is a lost datagram, as on any line.
pub(crate) fn send(socket: &UdpSocket, datagram: &[u8], to: SocketAddr) {
    let _ = SockRef::from(socket).send_to(datagram, &to.into());
}

fn bind(address: IpAddr) -> io::Result<UdpSocket> {
    let socket = std::net::UdpSocket::bind((address, 0))?;
    socket.set_nonblocking(true)?;
    UdpSocket::from_std(socket)
}

/// Hears what comes to one socket until it is aborted.
async fn listen(
    key: u64,
    socket: Arc<UdpSocket>,
    ear: Arc<Mutex<Ear>>,
    noticed: UnboundedSender<(u64, i64, Noticed)>,
    clock: Clock,
) {
    let mut buffer = [0; media::rtp::PACKET_BYTES_MAX];
    while socket.readable().await.is_ok() {
        while let Ok((length, _)) = socket.try_recv_from(&mut buffer) {
            let now = clock.now_us();
            let found = locked(&ear).take(now, &buffer[..length]);
            for what in found.into_iter().flatten() {
                let _ = noticed.send((key, now, what));
            }
        }
    }
}

/// An ear stays usable whatever happened to whoever held it.
pub(crate) fn locked(ear: &Mutex<Ear>) -> MutexGuard<'_, Ear> {
    ear.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Ends a listening task when its call is over.
pub(crate) fn stop(task: &AbortHandle) {
    task.abort();
}
