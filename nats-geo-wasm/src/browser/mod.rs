//! The driver of the engine in a page, a worker or a service worker: WebSockets, one timer, the clocks.
//!
//! The driver reports facts to the engine at once, and then calls the sink of the application. Commands of the
//! application take effect in a microtask. So no command calls the sink before the command has returned, and many
//! publishes become one write.

use std::cell::{Cell, RefCell};

use std::rc::{Rc, Weak};

use nats_geo::core::{SortedMap, Time};
use wasm_bindgen::JsValue;

use crate::engine::{Effect, Engine, Outlet, Refusal, SocketEnd, SocketId};

mod clock;
mod global;
mod sink;
mod socket;
mod timer;

use clock::Clock;
pub(crate) use global::{is_secure_page, random_bytes};
pub(crate) use sink::{JsSink, Sink};
use socket::Socket;
use timer::{Microtask, Timer};

/// Runs an engine until it is dropped.
pub(crate) struct Driver(Rc<Inner>);

struct Inner {
    engine: RefCell<Engine>,
    sockets: RefCell<Sockets>,
    sink: Sink,
    clock: Clock,
    timer: Timer,
    microtask: Microtask,
    /// The sink is being called: who comes in between leaves the rest to us.
    is_turning: Cell<bool>,
    is_scheduled: Cell<bool>,
    me: Weak<Self>,
}

#[derive(Default)]
struct Sockets(SortedMap<SocketId, Socket>);

impl Outlet for Sockets {
    fn buffered(&mut self, socket: SocketId) -> usize {
        self.0.get(&socket).map_or(0, Socket::buffered)
    }

    fn send(&mut self, socket: SocketId, bytes: &[u8]) {
        if let Some(socket) = self.0.get(&socket) {
            socket.send(bytes);
        }
    }
}

impl Driver {
    pub(crate) fn new(
        make: impl FnOnce(Time) -> Result<Engine, Refusal>,
        sink: Sink,
    ) -> Result<Self, Refusal> {
        let clock = Clock::new();
        let engine = make(clock.now())?;
        Ok(Self(Rc::new_cyclic(|me: &Weak<Inner>| {
            let (woken, commanded) = (me.clone(), me.clone());
            Inner {
                engine: RefCell::new(engine),
                sockets: RefCell::default(),
                sink,
                clock,
                timer: Timer::new(move || {
                    if let Some(inner) = woken.upgrade() {
                        inner.timer_fired();
                    }
                }),
                microtask: Microtask::new(move || {
                    if let Some(inner) = commanded.upgrade() {
                        inner.is_scheduled.set(false);
                        inner.turn();
                    }
                }),
                is_turning: Cell::new(false),
                is_scheduled: Cell::new(false),
                me: me.clone(),
            }
        })))
    }

    /// Carries out a command of the user; what follows from it comes after this has returned.
    pub(crate) fn command<T>(&self, command: impl FnOnce(&mut Engine, Time) -> T) -> T {
        let result = command(&mut self.0.engine.borrow_mut(), self.0.clock.now());
        self.0.schedule();
        result
    }

    /// As [`command`](Self::command), on the fast path: it reads no clock while a link is live, when nothing depends on
    /// the time of a publish.
    pub(crate) fn publish<T>(&self, publish: impl FnOnce(&mut Engine, Time) -> T) -> T {
        let inner = &*self.0;
        let mut engine = inner.engine.borrow_mut();
        let now = if engine.is_live() { engine.now() } else { inner.clock.now() };
        let result = publish(&mut engine, now);
        if engine.is_full() {
            engine.transmit(&mut *inner.sockets.borrow_mut(), inner.clock.now());
        }
        drop(engine);
        inner.schedule();
        result
    }

    /// Looks at the engine.
    pub(crate) fn look<T>(&self, look: impl FnOnce(&Engine, Time) -> T) -> T {
        look(&self.0.engine.borrow(), self.0.clock.now())
    }

    /// The network may have come or gone, or the host may have slept.
    pub(crate) fn look_around(&self, is_wake_up: bool) {
        self.0.look_around(is_wake_up);
        self.0.schedule();
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        // Nothing is done or told from now on, whatever is still queued.
        self.0.is_turning.set(true);
        self.0.timer.cancel();
        self.0.sockets.borrow_mut().0.clear();
        // A microtask that is queued calls a closure of ours; it must still be there then.
        timer::drop_later(Rc::clone(&self.0));
    }
}

impl Inner {
    fn schedule(&self) {
        if !self.is_scheduled.replace(true) {
            self.microtask.queue();
        }
    }

    /// A fact for the engine, and all that follows from it.
    fn tell(&self, fact: impl FnOnce(&mut Engine, Time)) {
        let now = self.clock.now();
        let has_slept = self.clock.has_jumped(now);
        let mut engine = self.engine.borrow_mut();
        if has_slept {
            engine.resumed(now);
        }
        fact(&mut engine, now);
        drop(engine);
        self.turn();
    }

    fn timer_fired(&self) {
        if self.timer.puts_off(self.clock.now()) {
            return;
        }
        self.look_around(false);
        self.transmit();
        self.tell(Engine::handle_timeout);
    }

    fn look_around(&self, is_wake_up: bool) {
        let now = self.clock.now();
        let mut engine = self.engine.borrow_mut();
        if let Some(is_online) = global::is_online() {
            engine.set_online(is_online, now);
        }
        if is_wake_up {
            engine.resumed(now);
        }
    }

    fn transmit(&self) {
        let mut engine = self.engine.borrow_mut();
        if engine.has_output() {
            engine.transmit(&mut *self.sockets.borrow_mut(), self.clock.now());
        }
    }

    /// Does what the engine wants done, until there is nothing more.
    fn turn(&self) {
        if self.is_turning.replace(true) {
            return;
        }
        loop {
            let (frames, effect) = {
                let mut engine = self.engine.borrow_mut();
                (engine.take_frames(), engine.poll_effect())
            };
            let has_frames = !frames.is_empty();
            if has_frames {
                self.sink.deliver(&frames);
                self.engine.borrow_mut().reuse_frames(frames);
            }
            match effect {
                Some(effect) => self.perform(effect),
                None if !has_frames => break,
                None => {}
            }
        }
        self.is_turning.set(false);
        self.transmit();
        self.arm();
    }

    fn perform(&self, effect: Effect) {
        match effect {
            Effect::OpenSocket { socket, url } => self.open(socket, &url),
            Effect::CloseSocket { socket } => {
                // What was said before the end is still sent: a socket that is closed by us is flushed.
                self.sockets.borrow_mut().0.remove(&socket);
            }
            Effect::Authenticate { socket, nonce } => self.sink.authenticate(socket.0, nonce),
            Effect::Opened => self.sink.opened(),
            Effect::Closed { code, text } => {
                self.sink.closed(code.map_or(0, |code| code.number()), text);
            }
            Effect::Completed { op, code, text, value } => {
                self.sink.completed(op, code.map_or(0, |code| code.number()), text, value);
            }
            Effect::Notice(json) => self.sink.notice(&parsed(&json)),
        }
    }

    fn open(&self, id: SocketId, url: &str) {
        match Socket::open(id, url, &self.me) {
            Ok(socket) => {
                self.sockets.borrow_mut().0.insert(id, socket);
            }
            // Such as a scheme or a port that browsers forbid.
            Err(text) => {
                let end = SocketEnd::Closed(0, text);
                self.engine.borrow_mut().socket_closed(id, end, self.clock.now());
            }
        }
    }

    /// Sets the timer to what is due next.
    fn arm(&self) {
        match self.engine.borrow().poll_timeout() {
            Some(due) => self.timer.set(due, &self.clock),
            None => self.timer.cancel(),
        }
    }
}

/// JSON of ours as an object.
pub(crate) fn parsed(json: &str) -> JsValue {
    js_sys::JSON::parse(json).unwrap_or(JsValue::UNDEFINED)
}
