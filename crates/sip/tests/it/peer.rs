//! A hand-made SIP peer: a socket and text. It repeats nothing and forgives nothing.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tokio::net::UdpSocket;

use crate::support::PATIENCE;

pub(crate) const SDP: &str = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n\
    m=audio 6000 RTP/AVP 0 101\r\na=rtpmap:101 telephone-event/8000\r\n";

pub(crate) struct Peer {
    socket: UdpSocket,
    pub(crate) plane: SocketAddr,
    pub(crate) address: SocketAddr,
}

/// A received message.
#[derive(Debug, Clone)]
pub(crate) struct Message(pub(crate) String);

impl Message {
    pub(crate) fn start(&self) -> &str {
        self.0.lines().next().unwrap_or("")
    }

    pub(crate) fn status(&self) -> Option<u16> {
        self.start().strip_prefix("SIP/2.0 ")?.get(..3)?.parse().ok()
    }

    pub(crate) fn headers<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.split("\r\n\r\n").next().unwrap_or("").split("\r\n").filter_map(move |line| {
            let (n, value) = line.split_once(':')?;
            n.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    pub(crate) fn header(&self, name: &str) -> String {
        self.headers(name).next().unwrap_or("").to_owned()
    }

    pub(crate) fn to_tag(&self) -> String {
        self.header("To").split("tag=").nth(1).unwrap_or("").to_owned()
    }

    pub(crate) fn body(&self) -> &str {
        self.0.split_once("\r\n\r\n").map_or("", |(_, body)| body)
    }
}

impl Peer {
    pub(crate) async fn new(plane: SocketAddr) -> Self {
        Self::at(plane.ip(), plane).await
    }

    /// A peer on another address of this machine than the plane's.
    pub(crate) async fn at(own: IpAddr, plane: SocketAddr) -> Self {
        let socket = UdpSocket::bind((own, 0)).await.unwrap();
        let address = socket.local_addr().unwrap();
        Self { socket, plane, address }
    }

    pub(crate) async fn send(&self, text: &str) {
        self.send_bytes(text.as_bytes()).await;
    }

    pub(crate) async fn send_bytes(&self, bytes: &[u8]) {
        self.socket.send_to(bytes, self.plane).await.unwrap();
    }

    /// The next message, or `None` when nothing comes in time.
    pub(crate) async fn hear_within(&self, wait: Duration) -> Option<Message> {
        let mut buf = vec![0; 65_536];
        let read = tokio::time::timeout(wait, self.socket.recv_from(&mut buf)).await.ok()?;
        let (length, _) = read.unwrap();
        Some(Message(String::from_utf8_lossy(&buf[..length]).into_owned()))
    }

    pub(crate) async fn hear(&self) -> Message {
        self.hear_within(PATIENCE).await.expect("a message")
    }

    /// The next message with this status.
    pub(crate) async fn status(&self, wanted: u16) -> Message {
        loop {
            let message = self.hear().await;
            if message.status() == Some(wanted) {
                return message;
            }
            assert!(message.status().is_none_or(|s| s < 200), "wanted {wanted}: {}", message.0);
        }
    }

    /// The next request of this method.
    pub(crate) async fn request(&self, method: &str) -> Message {
        loop {
            let message = self.hear().await;
            if message.start().starts_with(&format!("{method} ")) {
                return message;
            }
        }
    }

    /// Answers a request with the headers it brought.
    pub(crate) async fn reply(
        &self,
        request: &Message,
        status: &str,
        tag: &str,
        more: &str,
        body: &str,
    ) {
        let vias: String = request.headers("Via").map(|v| format!("Via: {v}\r\n")).collect();
        let to = request.header("To");
        let to = if to.contains("tag=") || tag.is_empty() { to } else { format!("{to};tag={tag}") };
        let kind = if body.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
        self.send(&format!(
            "SIP/2.0 {status}\r\n{vias}From: {}\r\nTo: {to}\r\nCall-ID: {}\r\nCSeq: {}\r\n\
             {more}{kind}Content-Length: {}\r\n\r\n{body}",
            request.header("From"),
            request.header("Call-ID"),
            request.header("CSeq"),
            body.len(),
        ))
        .await;
    }

    /// A Contact header line of this peer.
    pub(crate) fn contact(&self) -> String {
        format!("Contact: <sip:peer@{}>\r\n", self.address)
    }

    /// A call of this peer into the plane.
    pub(crate) fn call(&self, call_id: &str) -> Call<'_> {
        Call { peer: self, id: call_id.to_owned(), to_tag: String::new() }
    }
}

/// One dialog of a peer that called.
pub(crate) struct Call<'a> {
    pub(crate) peer: &'a Peer,
    pub(crate) id: String,
    pub(crate) to_tag: String,
}

impl Call<'_> {
    pub(crate) fn text(
        &self,
        method: &str,
        cseq: u32,
        branch: &str,
        more: &str,
        body: &str,
    ) -> String {
        let Self { peer, id, to_tag } = self;
        let (own, plane) = (peer.address, peer.plane);
        let tag = if to_tag.is_empty() { String::new() } else { format!(";tag={to_tag}") };
        format!(
            "{method} sip:100@{plane} SIP/2.0\r\nVia: SIP/2.0/UDP {own};branch=z9hG4bK{id}{branch}\r\n\
             Max-Forwards: 70\r\nFrom: \"Ann\" <sip:200@{own}>;tag=a1\r\nTo: <sip:100@{plane}>{tag}\r\n\
             Call-ID: {id}\r\nCSeq: {cseq} {method}\r\nContact: <sip:200@{own}>\r\n{more}\
             Content-Length: {}\r\n\r\n{body}",
            body.len(),
        )
    }

    pub(crate) async fn send(&self, method: &str, cseq: u32, branch: &str, more: &str, body: &str) {
        self.peer.send(&self.text(method, cseq, branch, more, body)).await;
    }

    pub(crate) async fn invite(&self, cseq: u32, branch: &str, body: &str) {
        let kind = if body.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
        self.send("INVITE", cseq, branch, kind, body).await;
    }

    /// Takes the To tag of a response as the dialog's.
    pub(crate) fn adopt(&mut self, response: &Message) {
        self.to_tag = response.to_tag();
    }

    pub(crate) async fn ack(&self, cseq: u32, branch: &str, body: &str) {
        let kind = if body.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
        self.send("ACK", cseq, branch, kind, body).await;
    }
}
