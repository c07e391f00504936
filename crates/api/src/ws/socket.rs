//! One live connection, from hello to close.

mod phone;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use axum::extract::ws::{CloseFrame, Message, WebSocket};
use futures::future::BoxFuture;
use futures::stream::{BoxStream, FuturesUnordered, SplitSink};
use futures::{SinkExt, StreamExt};
use model::{AgentId, Refusal, Topic, limits};
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};

use crate::app::App;
use crate::at::At;
use crate::guard::Caller;
use crate::ports::{Change, PhoneOwner, TopicData};
use crate::problem::Problem;
use crate::stay;
use crate::ws::frame::{ClientFrame, Hello, RtcOffer, ServerFrame, Subscribe, too_many};
use crate::ws::topic::{ME, TopicView, allowed, name_of};
use crate::ws::{CLOSE_FORBIDDEN, CLOSE_SESSION_OVER};

/// How often the session and the rights are looked up again.
const RECHECK: Duration = Duration::from_secs(3);
/// A connection that says nothing for so long is gone; pages ping more often.
const SILENCE_MAX: Duration = Duration::from_secs(75);
/// A page that does not take one frame in this time is too slow.
const SEND_TIME_MAX: Duration = Duration::from_secs(20);
/// Frames a page may send in [`RECHECK`]; more is no page of ours.
const FRAMES_MAX: u32 = 400;
/// Faults after which talking on makes no sense.
const FAULTS_MAX: u32 = 20;

const CLOSE_GOING_AWAY: u16 = 1001;
const CLOSE_PROTOCOL: u16 = 1002;
const CLOSE_UNSUPPORTED: u16 = 1003;
const CLOSE_NOT_UTF8: u16 = 1007;
const CLOSE_POLICY: u16 = 1008;
const CLOSE_TOO_BIG: u16 = 1009;
const CLOSE_TOO_SLOW: u16 = 1013;

/// Why a connection ends: a close code with a word for people.
type Ending = (u16, &'static str);

type Offer = BoxFuture<'static, Result<String, Refusal>>;

struct Socket {
    app: App,
    caller: Caller,
    agent: Option<AgentId>,
    /// The page, after its hello.
    page: Option<PhoneOwner>,
    said_hello: bool,
    since: BTreeMap<String, u64>,
    topics: BTreeSet<Topic>,
    /// Topics whose newest state is still to be sent.
    dirty: BTreeSet<Topic>,
    /// Other frames to be sent.
    outgoing: VecDeque<String>,
    outgoing_bytes: usize,
    phone_up: Option<bool>,
    offers: FuturesUnordered<Offer>,
    frames: u32,
    faults: u32,
    heard: Instant,
}

/// Serves a connection until it ends.
pub(crate) async fn run(app: App, caller: Caller, socket: WebSocket) {
    let (sink, mut incoming) = socket.split();
    let (outgoing, queue) = mpsc::channel(1);
    let writer = tokio::spawn(write(sink, queue));
    let changes = app.floor.watch(caller.tenant);
    let agent = caller.user.as_ref().map(|user| AgentId::of_user(user.id));
    let mut socket = Socket {
        app,
        caller,
        agent,
        page: None,
        said_hello: false,
        since: BTreeMap::new(),
        topics: BTreeSet::new(),
        dirty: BTreeSet::new(),
        outgoing: VecDeque::new(),
        outgoing_bytes: 0,
        phone_up: None,
        offers: FuturesUnordered::new(),
        frames: 0,
        faults: 0,
        heard: Instant::now(),
    };
    let changes = changes.unwrap_or_else(|| futures::stream::pending().boxed());
    let ending = socket.serve(&mut incoming, changes, &outgoing).await;
    socket.leave();
    if let Err((code, reason)) = ending {
        let close = Message::Close(Some(CloseFrame { code, reason: reason.into() }));
        // Also a page that reads nothing must not keep this task.
        let _ = timeout(SEND_TIME_MAX, outgoing.send(close)).await;
    }
    drop(outgoing);
    if timeout(SEND_TIME_MAX, writer).await.is_err() {
        tracing::debug!("a page did not take its last frame");
    }
}

/// Writes frames one after the other; ends when a page takes too long.
async fn write(mut sink: SplitSink<WebSocket, Message>, mut queue: mpsc::Receiver<Message>) {
    while let Some(message) = queue.recv().await {
        match timeout(SEND_TIME_MAX, sink.send(message)).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) | Err(_) => return,
        }
    }
}

impl Socket {
    /// Until the page leaves (`Ok`) or is sent away.
    async fn serve(
        &mut self,
        incoming: &mut futures::stream::SplitStream<WebSocket>,
        mut changes: BoxStream<'static, Change>,
        outgoing: &mpsc::Sender<Message>,
    ) -> Result<(), Ending> {
        let mut recheck = interval(RECHECK);
        recheck.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut takeovers = self.app.pages.takeovers();
        loop {
            let waiting = !self.dirty.is_empty() || !self.outgoing.is_empty();
            tokio::select! {
                permit = outgoing.reserve(), if waiting => {
                    let permit = permit.map_err(|_| (CLOSE_TOO_SLOW, "too slow"))?;
                    if let Some(text) = self.next_frame().await? {
                        permit.send(Message::Text(text.into()));
                    }
                }
                message = incoming.next() => match message {
                    None | Some(Ok(Message::Close(_))) => return Ok(()),
                    Some(Ok(message)) => self.hear(message).await?,
                    Some(Err(error)) => return Err(unreadable(&error)),
                },
                change = changes.next() => self.change(change)?,
                Ok(owner) = takeovers.recv() => self.taken(&owner),
                Some(answer) = self.offers.next() => self.answered(answer)?,
                _ = recheck.tick() => self.recheck().await?,
            }
        }
    }

    async fn hear(&mut self, message: Message) -> Result<(), Ending> {
        self.heard = Instant::now();
        self.frames += 1;
        if self.frames > FRAMES_MAX {
            return Err((CLOSE_POLICY, "too many frames"));
        }
        let text = match message {
            Message::Text(text) => text,
            Message::Binary(_) => return Err((CLOSE_UNSUPPORTED, "text frames only")),
            // The library answers pings itself.
            Message::Ping(_) | Message::Pong(_) | Message::Close(_) => return Ok(()),
        };
        if text.len() > limits::WS_FRAME_BYTES_MAX {
            return Err((CLOSE_TOO_BIG, "too big"));
        }
        match ClientFrame::read(&text) {
            Ok(frame) => self.obey(frame).await,
            Err(problem) => self.fault(problem),
        }
    }

    fn fault(&mut self, problem: Problem) -> Result<(), Ending> {
        self.faults += 1;
        self.app.refused.count(problem.code);
        self.queue(&ServerFrame::refused(problem))?;
        if self.faults > FAULTS_MAX { Err((CLOSE_POLICY, "too many faults")) } else { Ok(()) }
    }

    async fn obey(&mut self, frame: ClientFrame) -> Result<(), Ending> {
        if self.said_hello == matches!(frame, ClientFrame::Hello(_)) {
            let detail = "Say hello first, and once.";
            return self.fault(Problem::bad_request("wrong_order", detail).at("/type"));
        }
        match frame {
            ClientFrame::Hello(Hello { tab, epoch, since }) => self.hello(tab, epoch, since),
            ClientFrame::Subscribe(Subscribe { topics }) => self.subscribe(topics).await,
            ClientFrame::RtcOffer(RtcOffer { sdp, epoch, take }) => {
                self.raise(epoch);
                self.offer(sdp, take).await
            }
            ClientFrame::RtcClose => {
                if let Some(page) = &self.page {
                    self.app.floor.browser_gone(page.clone());
                }
                Ok(())
            }
            ClientFrame::Ping => self.queue(&ServerFrame::Pong),
        }
    }

    fn hello(
        &mut self,
        tab: String,
        epoch: u64,
        since: BTreeMap<String, u64>,
    ) -> Result<(), Ending> {
        self.said_hello = true;
        self.since = since;
        if let Some(agent) = self.agent {
            let page = PhoneOwner { tenant: self.caller.tenant, agent, tab, epoch };
            self.app.pages.arrive(&page);
            self.app.floor.browser_back(page.clone());
            self.page = Some(page);
        }
        let server_at = At(self.app.now());
        self.queue(&ServerFrame::Welcome { server_at, build: env!("CARGO_PKG_VERSION") })
    }

    async fn subscribe(&mut self, names: Vec<String>) -> Result<(), Ending> {
        let config = self.app.config(self.caller.tenant).await.map_err(|_| LATER)?;
        for name in names {
            let topic = allowed(&name, &config, self.caller.role, self.agent);
            let Some(topic) = topic else {
                self.forbid(&name)?;
                continue;
            };
            if self.topics.len() >= limits::WS_TOPICS_MAX && !self.topics.contains(&topic) {
                return self.fault(too_many("/topics"));
            }
            self.topics.insert(topic);
            let newest = self.app.floor.latest(self.caller.tenant, topic);
            let known = self.since.remove(&name);
            match newest {
                Some(update) if known == Some(self.app.seq_base + update.seq) => {}
                Some(_) => _ = self.dirty.insert(topic),
                None => {}
            }
        }
        Ok(())
    }

    fn change(&mut self, change: Option<Change>) -> Result<(), Ending> {
        match change {
            None => Err((CLOSE_GOING_AWAY, "the house stops")),
            Some(Change::Missed) => {
                self.dirty = self.topics.clone();
                Ok(())
            }
            Some(Change::Topic(update)) => {
                if self.topics.contains(&update.topic) {
                    self.dirty.insert(update.topic);
                }
                match (&update.data, update.topic) {
                    (TopicData::Agent(view), Topic::Agent(agent)) if self.agent == Some(agent) => {
                        self.phone(view.device_up)
                    }
                    _ => Ok(()),
                }
            }
        }
    }

    /// Whoever was signed out is sent away within seconds, and who lost a right hears no more.
    async fn recheck(&mut self) -> Result<(), Ending> {
        self.frames = 0;
        if self.heard.elapsed() > SILENCE_MAX {
            return Err((CLOSE_GOING_AWAY, "silent"));
        }
        let Ok(caller) = self.app.renew(&self.caller).await else { return Ok(()) };
        self.caller = caller.ok_or((CLOSE_SESSION_OVER, "session over"))?;
        stay::keep(&self.app, &self.caller).await;
        let Ok(config) = self.app.config(self.caller.tenant).await else { return Ok(()) };
        let may = |topic: &Topic| {
            allowed(&name_of(*topic), &config, self.caller.role, self.agent) == Some(*topic)
        };
        let lost: Vec<Topic> = self.topics.iter().filter(|topic| !may(topic)).copied().collect();
        for topic in lost {
            self.topics.remove(&topic);
            self.dirty.remove(&topic);
            self.forbid(&name_of(topic))?;
        }
        Ok(())
    }

    /// The page goes on without a queue; without its own seat it has to begin anew.
    fn forbid(&mut self, topic: &str) -> Result<(), Ending> {
        if topic == ME {
            return Err((CLOSE_FORBIDDEN, "forbidden topic"));
        }
        self.queue(&ServerFrame::forbidden_topic(topic))
    }

    /// The next frame to write: single ones first, then topics in their newest state.
    async fn next_frame(&mut self) -> Result<Option<String>, Ending> {
        if let Some(text) = self.outgoing.pop_front() {
            self.outgoing_bytes -= text.len();
            return Ok(Some(text));
        }
        let Some(topic) = self.dirty.pop_first() else { return Ok(None) };
        let Some(update) = self.app.floor.latest(self.caller.tenant, topic) else {
            return Ok(None);
        };
        let config = self.app.config(self.caller.tenant).await.map_err(|_| LATER)?;
        let frame = ServerFrame::Update {
            topic: name_of(topic),
            seq: self.app.seq_base + update.seq,
            data: TopicView::of(&update.data, &config),
        };
        Ok(Some(frame.text()))
    }

    fn queue(&mut self, frame: &ServerFrame) -> Result<(), Ending> {
        let text = frame.text();
        self.outgoing_bytes += text.len();
        if self.outgoing_bytes > limits::WS_QUEUED_BYTES_MAX {
            return Err((CLOSE_TOO_SLOW, "too slow"));
        }
        self.outgoing.push_back(text);
        Ok(())
    }

    fn leave(&mut self) {
        if let Some(page) = self.page.take()
            && self.app.pages.leave(&page)
        {
            self.app.floor.browser_gone(page);
        }
    }
}

/// The record cannot be read now: the page comes back by itself.
const LATER: Ending = (CLOSE_TOO_SLOW, "try again later");

/// The library tells what it could not read only in words.
fn unreadable(error: &axum::Error) -> Ending {
    let text = error.to_string();
    if text.contains("UTF-8") || text.contains("utf-8") {
        (CLOSE_NOT_UTF8, "not UTF-8")
    } else if text.contains("too long") || text.contains("too big") {
        (CLOSE_TOO_BIG, "too big")
    } else {
        (CLOSE_PROTOCOL, "protocol fault")
    }
}
