//! Closing without taking the last word back.
//!
//! A socket that is closed over bytes nobody read is reset, and the reset overtakes what was
//! written before it (RFC 1122 section 4.2.2.13): whoever sends too much would lose the answer that
//! says so. Invariant: a connection is closed only when the other side has closed, or had
//! [`FAREWELL`] to do so.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio::net::TcpStream;
use tokio::runtime::Handle;
use tokio::time::timeout;

use crate::serve::Place;

/// How long the other side may take to read our last word and to close.
const FAREWELL: Duration = Duration::from_secs(2);
/// How much of what it still says is read away at once.
const AWAY_BYTES: usize = 16 * 1_024;

/// A connection that lingers when it is dropped, and keeps its place as long.
#[derive(Debug)]
pub(crate) struct Lingering {
    /// Taken when it is dropped.
    stream: Option<TcpStream>,
    place: Arc<Place>,
}

impl Lingering {
    pub(crate) fn new(stream: TcpStream, place: Arc<Place>) -> Self {
        Self { stream: Some(stream), place }
    }

    fn stream(self: Pin<&mut Self>) -> io::Result<Pin<&mut TcpStream>> {
        let stream = self.get_mut().stream.as_mut();
        stream.map(Pin::new).ok_or_else(|| io::ErrorKind::NotConnected.into())
    }
}

impl Drop for Lingering {
    fn drop(&mut self) {
        let place = Arc::clone(&self.place);
        // Without a runtime the program ends, and nobody is left to read.
        if let (Some(stream), Ok(runtime)) = (self.stream.take(), Handle::try_current()) {
            runtime.spawn(async move {
                let _ = timeout(FAREWELL, part(stream)).await;
                drop(place);
            });
        }
    }
}

/// Says that nothing more comes, and reads until the other side says so too.
async fn part(mut stream: TcpStream) -> io::Result<()> {
    stream.shutdown().await?;
    let mut away = vec![0; AWAY_BYTES];
    while stream.read(&mut away).await? > 0 {}
    Ok(())
}

impl AsyncRead for Lingering {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.stream()?.poll_read(cx, buffer)
    }
}

impl AsyncWrite for Lingering {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.stream()?.poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.stream()?.poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream()?.poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream()?.poll_shutdown(cx)
    }
}
