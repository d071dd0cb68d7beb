//! A watchdog over a conversation: an answer that stops for too long is an error.
//!
//! A query has no deadline, for a large table takes hours. But a server, a firewall or a cable that went silent must not
//! hold a run for ever. The clock runs only while an answer is awaited, and begins anew whenever the socket had
//! something: a reader that is busy elsewhere is never blamed, nor is a value that takes its time.

use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use futures_util::task::AtomicWaker;
use tokio::time::{Instant, Sleep, sleep};

use crate::error::SourceError;

/// See the module.
pub(crate) struct Silence {
    limit: Duration,
    deadline: Pin<Box<Sleep>>,
    socket: Arc<Socket>,
    waker: Waker,
}

/// What the socket wakes. Whoever else wakes the task, a timer of the run's, doesn't count as a sign of life.
#[derive(Default)]
struct Socket {
    woke: AtomicBool,
    task: AtomicWaker,
}

impl Wake for Socket {
    fn wake(self: Arc<Socket>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Socket>) {
        self.woke.store(true, Ordering::Release);
        self.task.wake();
    }
}

impl Silence {
    /// Must be called within a runtime with a timer.
    pub(crate) fn new(limit: Duration) -> Silence {
        let socket = Arc::new(Socket::default());
        let waker = Waker::from(Arc::clone(&socket));
        Silence { limit, deadline: Box::pin(sleep(limit)), socket, waker }
    }

    /// The result of a conversation that waits for nothing but its socket.
    pub(crate) async fn watch<F: Future>(&mut self, conversation: F) -> Result<F::Output, Silent> {
        let mut conversation = pin!(conversation);
        let mut begun = false;
        poll_fn(|cx| {
            self.socket.task.register(cx.waker());
            if self.socket.woke.swap(false, Ordering::Acquire) || !begun {
                begun = true;
                if let Poll::Ready(result) = conversation.as_mut().poll(&mut Context::from_waker(&self.waker)) {
                    return Poll::Ready(Ok(result));
                }
                self.deadline.as_mut().reset(Instant::now() + self.limit);
            }
            self.deadline.as_mut().poll(cx).map(|()| Err(Silent(self.limit)))
        })
        .await
    }
}

/// Nothing came for so long.
#[derive(Debug)]
pub(crate) struct Silent(Duration);

impl Silent {
    /// As an error of the socket's.
    pub(crate) fn into_io(self) -> io::Error {
        let silence = format!("the server sent nothing for {} s (silence_timeout in the URL)", self.0.as_secs());
        io::Error::new(io::ErrorKind::TimedOut, silence)
    }
}

impl From<Silent> for SourceError {
    fn from(silent: Silent) -> SourceError {
        SourceError::Lost { message: silent.into_io().to_string() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    fn run<T>(work: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
    }

    #[test]
    fn a_conversation_that_goes_on_may_take_longer_than_the_limit() {
        run(async {
            let (mut near, mut far) = tokio::io::duplex(8);
            let limit = Duration::from_millis(400);
            let drip = async {
                for _ in 0..6 {
                    tokio::time::sleep(limit / 4).await;
                    far.write_all(b"x").await.unwrap();
                }
            };
            let mut silence = Silence::new(limit);
            let mut bytes = [0; 6];
            let read = silence.watch(near.read_exact(&mut bytes));
            let (read, ()) = futures_util::future::join(read, drip).await;
            assert_eq!(read.unwrap().unwrap(), 6);
        });
    }

    #[test]
    fn one_that_stops_is_ended_whoever_else_wakes_the_task() {
        run(async {
            let (mut near, _far) = tokio::io::duplex(8);
            let mut silence = Silence::new(Duration::from_millis(30));
            let noise = async {
                loop {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
            };
            let mut bytes = [0; 1];
            let read = silence.watch(near.read_exact(&mut bytes));
            match futures_util::future::select(pin!(read), pin!(noise)).await {
                futures_util::future::Either::Left((ended, _)) => assert!(ended.is_err()),
                futures_util::future::Either::Right(_) => unreachable!("noise has no end"),
            }
        });
    }
}
