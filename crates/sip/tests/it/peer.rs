//! A hand-made SIP peer: a socket and text. It repeats nothing and forgives nothing.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpStream, UdpSocket};
use tokio::sync::Mutex;

use crate::support::PATIENCE;

pub(crate) const SDP: &str = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n\
    m=audio 6000 RTP/AVP 0 101\r\na=rtpmap:101 telephone-event/8000\r\n";

pub(crate) struct Peer {
    wire: Wire,
    pub(crate) plane: SocketAddr,
    pub(crate) address: SocketAddr,
}

enum Wire {
    Datagrams(UdpSocket),
    /// What is sent is cut into pieces of this size.
    Stream(Mutex<(TcpStream, Vec<u8>)>, usize),
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
        Self { wire: Wire::Datagrams(socket), plane, address }
    }

    /// A peer with a connection; what it sends goes out in pieces of `size`.
    pub(crate) async fn connected(plane: SocketAddr, size: usize) -> Self {
        let stream = TcpStream::connect(plane).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let address = stream.local_addr().unwrap();
        Self { wire: Wire::Stream(Mutex::new((stream, Vec::new())), size), plane, address }
    }

    fn transport(&self) -> &'static str {
        match self.wire {
            Wire::Datagrams(_) => "UDP",
            Wire::Stream(..) => "TCP",
        }
    }

    /// What a Via of this peer begins with.
    pub(crate) fn via(&self) -> String {
        format!("SIP/2.0/{} {}", self.transport(), self.address)
    }

    pub(crate) async fn send(&self, text: &str) {
        self.send_bytes(text.as_bytes()).await;
    }

    pub(crate) async fn send_bytes(&self, bytes: &[u8]) {
        match &self.wire {
            Wire::Datagrams(socket) => _ = socket.send_to(bytes, self.plane).await.unwrap(),
            Wire::Stream(stream, size) => {
                let mut stream = stream.lock().await;
                for piece in bytes.chunks(*size) {
                    // The plane may have heard enough.
                    if stream.0.write_all(piece).await.is_err() {
                        return;
                    }
                }
            }
        }
    }

    /// The next message, or `None` when nothing comes in time.
    pub(crate) async fn hear_within(&self, wait: Duration) -> Option<Message> {
        tokio::time::timeout(wait, self.next()).await.ok()?
    }

    /// `None` when the connection is over.
    async fn next(&self) -> Option<Message> {
        let mut buf = vec![0; 65_536];
        let stream = match &self.wire {
            Wire::Datagrams(socket) => {
                let (length, _) = socket.recv_from(&mut buf).await.unwrap();
                return Some(Message(String::from_utf8_lossy(&buf[..length]).into_owned()));
            }
            Wire::Stream(stream, _) => stream,
        };
        let (stream, rest) = &mut *stream.lock().await;
        loop {
            let text = String::from_utf8_lossy(rest).into_owned();
            if let Some((head, _)) = text.split_once("\r\n\r\n") {
                let length = Message(head.to_owned()).header("Content-Length");
                let end = head.len() + 4 + length.parse::<usize>().expect("every message has it");
                if rest.len() >= end {
                    rest.drain(..end);
                    return Some(Message(text[..end].to_owned()));
                }
            }
            match stream.read(&mut buf).await {
                Ok(length) if length > 0 => rest.extend_from_slice(&buf[..length]),
                _ => return None,
            }
        }
    }

    /// Waits until the plane has closed the connection.
    pub(crate) async fn until_closed(&self) {
        assert!(tokio::time::timeout(PATIENCE, self.next()).await.expect("an end").is_none());
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
        let param = match self.wire {
            Wire::Datagrams(_) => "",
            Wire::Stream(..) => ";transport=tcp",
        };
        format!("Contact: <sip:peer@{}{param}>\r\n", self.address)
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
        let (own, via, plane) = (peer.address, peer.via(), peer.plane);
        let tag = if to_tag.is_empty() { String::new() } else { format!(";tag={to_tag}") };
        format!(
            "{method} sip:100@{plane} SIP/2.0\r\nVia: {via};branch=z9hG4bK{id}{branch}\r\n\
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
