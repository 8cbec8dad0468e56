//! This module counts the bytes of a probe.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A socket whose bytes, those of TLS and WebSocket included, are added to a count.
#[derive(Debug)]
pub(crate) struct Metered<'a, S> {
    socket: S,
    bytes: &'a AtomicU64,
}

impl<'a, S> Metered<'a, S> {
    pub(crate) const fn new(socket: S, bytes: &'a AtomicU64) -> Self {
        Self { socket, bytes }
    }

    fn count(&self, bytes: usize) {
        self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Metered<'_, S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.socket).poll_read(cx, buffer);
        self.count(buffer.filled().len() - before);
        polled
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Metered<'_, S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.socket).poll_write(cx, bytes);
        if let Poll::Ready(Ok(written)) = &polled {
            self.count(*written);
        }
        polled
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    #[tokio::test]
    async fn both_directions_count() {
        let bytes = AtomicU64::new(0);
        let (near, mut far) = tokio::io::duplex(64);
        let mut near = Metered::new(near, &bytes);
        near.write_all(b"ping").await.unwrap();
        far.write_all(b"pong\r\n").await.unwrap();
        let mut read = [0; 6];
        near.read_exact(&mut read).await.unwrap();
        assert_eq!(bytes.load(Ordering::Relaxed), 10);
    }
}
