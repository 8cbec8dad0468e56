//! Network namespaces without a name. None remains: the kernel removes a namespace with its last process and
//! descriptor.

use std::fs::File;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use nix::sched::{CloneFlags, setns, unshare};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpSocket, TcpStream};

/// A network of its own: addresses, routes and ports that no other namespace sees.
#[derive(Clone, Debug)]
pub struct Namespace {
    handle: Arc<File>,
}

impl Namespace {
    /// Creates an empty one, which has an interface `lo` that is down.
    pub(super) fn create() -> io::Result<Self> {
        let handle = on_own_thread(|| {
            unshare(CloneFlags::CLONE_NEWNET)?;
            // A named one would outlive a killed process.
            File::open("/proc/thread-self/ns/net")
        })?;
        Ok(Self { handle: Arc::new(handle) })
    }

    /// Runs `task` inside of it, on a thread that ends with the task. Sockets, threads and processes that the task creates stay
    /// in this namespace.
    ///
    /// # Errors
    /// The operating system refuses a thread or the change of the namespace, or the task panics.
    pub fn run<T: Send>(&self, task: impl FnOnce() -> T + Send) -> io::Result<T> {
        on_own_thread(|| {
            setns(&*self.handle, CloneFlags::CLONE_NEWNET)?;
            Ok(task())
        })
    }

    /// Dials `address` from inside of it.
    ///
    /// # Errors
    /// As a dial from outside; and as [`Namespace::run`].
    pub async fn connect(&self, address: SocketAddr) -> io::Result<TcpStream> {
        // A socket belongs to the namespace in which it was created, whichever thread uses it.
        let socket =
            self.run(|| Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP)))??;
        socket.set_nonblocking(true)?;
        TcpSocket::from_std_stream(socket.into()).connect(address).await
    }
}

/// A thread that changes its namespace is of no other use.
fn on_own_thread<T: Send>(task: impl FnOnce() -> io::Result<T> + Send) -> io::Result<T> {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().name("netns".to_owned()).spawn_scoped(scope, task)?;
        thread
            .join()
            .unwrap_or_else(|_| Err(io::Error::other("the thread in the network namespace panicked")))
    })
}
