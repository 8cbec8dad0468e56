//! WAN emulation between processes of one machine: by TCP proxies here, or by network namespaces in [`netns`]. [`Backend`]
//! has the differences.
//!
//! The proxies need no privileges and run on any Unix.
//!
//! ```text
//! dialler --- Path listener ---[ delay line, one per direction ]--- upstream server
//! ```
//!
//! A [`Path`] is one listener in front of one upstream address. The path that a program dials decides the delay, so
//! every (from, to) pair has its own path. A proxy cannot delay the kernel's handshake or its ACKs:
//!
//! * `connect()` returns at loopback speed. The first byte of the server therefore waits until two round trips
//!   after the accept (handshake + INFO), so that the *time to INFO* is that of a real link.
//! * While a path is silent, the kernel still accepts and acknowledges: the silence is in the bytes. Time-outs of TCP
//!   itself (SYN retries, RTO) are not exercised. NATS detects silence by its own PING, so the error is small.
//! * No loss and no slow start: bulk transfers are faster than over a real link.
//!
//! A [`LinkEffect`] breaks a path. [`Conditions`] combine all effects on one path, and [`Path::impose`] applies them.
//!
//! The proxies run on a thread and a runtime of their own, so that load on the caller's runtime does not add to the
//! delays that it measures.

mod acceptor;
mod backend;
mod delay_line;
mod effect;
mod link;
#[cfg(target_os = "linux")]
pub mod netns;
#[cfg(not(target_os = "linux"))]
#[path = "netns_elsewhere.rs"]
pub mod netns;
mod pace;
mod path;
mod port;
mod pump;
mod timer;

use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use tokio::sync::oneshot;

pub use backend::{Backend, UnsupportedError, WanChoice};
pub use effect::{Conditions, Latency, LinkEffect, LongDelayError, Loss, Silence};
pub use path::{OpenPathError, Path, PathOptions};
pub use port::{ReservePortError, ReservedPort};

use timer::Timer;

/// The emulator: owns the thread that runs every [`Path`]. Dropping it ends all of them.
#[derive(Debug)]
pub struct Wan {
    shared: Arc<Shared>,
    runtime: tokio::runtime::Handle,
    /// Dropped to end the thread.
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// Why the emulator did not start.
#[derive(Debug, thiserror::Error)]
#[error("cannot start the WAN emulation's thread: {0}")]
pub struct StartWanError(#[from] std::io::Error);

impl Wan {
    /// Starts the emulator's thread; it has no paths yet.
    pub fn start() -> Result<Self, StartWanError> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let timer = {
            let _context = runtime.enter();
            Timer::start()?
        };
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::Builder::new().name("wan".to_owned()).spawn(move || {
            // An error means that the sender was dropped, which is the way to stop.
            let _ = runtime.block_on(stopped);
        })?;
        let scratch = Mutex::new(vec![0; READ_BYTES].into_boxed_slice());
        let shared = Arc::new(Shared { timer, scratch });
        Ok(Self { shared, runtime: handle, stop: Some(stop), thread: Some(thread) })
    }

    /// Opens a listener whose connections reach `options.upstream` after half of `options.rtt`.
    pub fn open(&self, options: PathOptions) -> Result<Path, OpenPathError> {
        Path::open(options, Arc::clone(&self.shared), &self.runtime)
    }
}

impl Drop for Wan {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the WAN emulation's thread panicked");
        }
    }
}

/// What one read takes at most. Large enough that reads do not bound the throughput, and only one such buffer exists
/// (see [`Shared::scratch`]), so hundreds of idle connections cost nothing.
const READ_BYTES: usize = 64 * 1024;

/// What all connections of one emulator share. They run on one thread, so its locks are never contended.
#[derive(Debug)]
struct Shared {
    timer: Timer,
    /// Bytes are read into this and copied out at their exact size.
    scratch: Mutex<Box<[u8]>>,
}
