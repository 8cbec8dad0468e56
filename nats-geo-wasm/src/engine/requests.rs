//! Requests. Each link has its own inbox, so that the answer to a request on an old link arrives on this link.

use std::time::Duration;

use nats_geo::core::{SortedMap, SortedSet, Time};
use nats_geo::wire::{ClientOp, Msg};

use super::frames::{self, FrameKind};
use super::link::SocketId;
use super::options::Options;
use super::{Code, Engine, Phase, Refusal};

/// All requests that wait for an answer, or for a link.
#[derive(Debug)]
pub(super) struct Requests {
    /// `_INBOX.<secret>.`
    inbox: String,
    pending: SortedMap<u32, Pending>,
    deadlines: SortedSet<(Time, u32)>,
    /// Bytes of those that wait for a link.
    waiting_bytes: usize,
}

#[derive(Debug)]
struct Pending {
    place: Place,
    subject: String,
    deadline: Time,
}

#[derive(Debug)]
enum Place {
    Asked(SocketId),
    /// Headers and payload.
    Waiting(Option<Vec<u8>>, Vec<u8>),
}

/// The subscription of the inbox. Those of users have 32 bits.
pub(super) const INBOX_SID: u64 = 1 << 32;

impl Requests {
    pub(super) fn new(options: &Options) -> Self {
        let inbox = format!("{}.{}.", options.inbox_prefix, token(options.inbox_secret));
        Self { inbox, pending: SortedMap::new(), deadlines: SortedSet::new(), waiting_bytes: 0 }
    }

    pub(super) fn next_deadline(&self) -> Option<Time> {
        self.deadlines.first().map(|(deadline, _)| *deadline)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.pending.is_empty()
    }

    /// Returns whether a request waits for its answer on this link.
    pub(super) fn any_on(&self, socket: SocketId) -> bool {
        self.pending.values().any(|pending| matches!(pending.place, Place::Asked(at) if at == socket))
    }

    fn take(&mut self, op: u32) -> Option<Pending> {
        let pending = self.pending.remove(&op)?;
        self.deadlines.remove(&(pending.deadline, op));
        if let Place::Waiting(headers, payload) = &pending.place {
            self.waiting_bytes -= size(headers.as_deref(), payload);
        }
        Some(pending)
    }

    /// Those for which `is_meant` holds.
    fn filtered(&self, is_meant: &dyn Fn(&Pending) -> bool) -> Vec<u32> {
        self.pending.iter().filter(|(_, pending)| is_meant(pending)).map(|(op, _)| *op).collect()
    }

    fn asked_on(&self, socket: SocketId) -> Vec<u32> {
        self.filtered(&|pending| matches!(pending.place, Place::Asked(at) if at == socket))
    }

    fn inbox_of(&self, socket: SocketId, last: &str) -> String {
        format!("{}{}.{last}", self.inbox, socket.0)
    }
}

impl Engine {
    /// Sends a request, which fails if no answer arrives within `limit`. The answer is a frame; a failure is an
    /// [`Effect::Completed`](super::Effect::Completed).
    ///
    /// # Errors
    /// The server would refuse the subject, header block or payload; the buffer for requests is full while the client
    /// is offline; `op` is in use; or the client drains or has ended.
    pub fn request(
        &mut self,
        op: u32,
        subject: &str,
        headers: Option<&[u8]>,
        payload: &[u8],
        limit: Duration,
        now: Time,
    ) -> Result<(), Refusal> {
        match self.phase {
            Phase::Closed => return Err(Refusal::closed()),
            Phase::Draining(_) => return Err(Refusal::draining()),
            _ => {}
        }
        if self.requests.pending.contains_key(&op) {
            return Err(Refusal::new(Code::InvalidArgument, format!("operation {op} is in use")));
        }
        let size = size(headers, payload);
        let place = match self.live {
            Some(live) => {
                self.ask(live, op, (subject, headers, payload), now)?;
                Place::Asked(live)
            }
            None => {
                // As the link would check it.
                let probe = ClientOp::Pub { subject, reply: None, headers, payload: b"" };
                probe.encode(&mut Vec::new())?;
                self.check_line(subject, Some(&self.requests.inbox_of(SocketId(u32::MAX), &op.to_string())))?;
                if self.requests.waiting_bytes + size > self.options.kept_bytes_max {
                    return Err(Refusal::new(
                        Code::Connection,
                        "the client is offline, and its buffer for requests is full",
                    ));
                }
                self.requests.waiting_bytes += size;
                Place::Waiting(headers.map(<[u8]>::to_vec), payload.to_vec())
            }
        };
        let deadline = self.now.max(now) + limit;
        self.requests.pending.insert(op, Pending { place, subject: subject.into(), deadline });
        self.requests.deadlines.insert((deadline, op));
        self.counters.out_msgs += 1;
        self.counters.out_bytes += size as u64;
        Ok(())
    }

    /// Cancels a request, because the application no longer waits for its answer.
    pub fn cancel_request(&mut self, op: u32, now: Time) {
        self.advance(now);
        self.finished(op);
        self.pump();
    }

    fn ask(
        &mut self,
        socket: SocketId,
        op: u32,
        (subject, headers, payload): (&str, Option<&[u8]>, &[u8]),
        now: Time,
    ) -> Result<(), Refusal> {
        let reply = self.requests.inbox_of(socket, &op.to_string());
        let inbox = self.requests.inbox_of(socket, "*");
        self.check_line(subject, Some(&reply))?;
        self.check_line(&inbox, None)?;
        let Some(link) = self.links.get_mut(&socket) else { return Ok(()) };
        link.check_message(size(headers, payload), headers.is_some())?;
        if !link.has_inbox {
            link.subscribe(&inbox, None, INBOX_SID, now);
            link.has_inbox = true;
        }
        link.sends_line(subject, Some(&reply));
        link.out.push(&ClientOp::Pub { subject, reply: Some(&reply), headers, payload }, now)?;
        Ok(())
    }

    /// Requests that waited for a link are asked now.
    pub(super) fn send_waiting_requests(&mut self) {
        let Some(live) = self.live else { return };
        let now = self.now;
        for op in self.requests.filtered(&|pending| matches!(pending.place, Place::Waiting(..))) {
            let Some(Pending { place, subject, deadline }) = self.requests.take(op) else { continue };
            let Place::Waiting(headers, payload) = place else { continue };
            if let Err(refusal) = self.ask(live, op, (&subject, headers.as_deref(), &payload), now) {
                self.failed(op, refusal.code, &refusal.text);
                continue;
            }
            self.requests.pending.insert(op, Pending { place: Place::Asked(live), subject, deadline });
            self.requests.deadlines.insert((deadline, op));
        }
    }

    /// A message for the inbox.
    pub(super) fn replied(&mut self, message: &Msg<'_>) {
        let last = message.subject.rsplit(|byte| *byte == b'.').next().unwrap_or_default();
        let Some(op) = std::str::from_utf8(last).ok().and_then(|op| op.parse::<u32>().ok()) else { return };
        let Some(pending) = self.finished(op) else { return };
        if message.status() == Some(503) {
            let text = format!("no client subscribes to `{}` (no responders)", pending.subject);
            return self.failed(op, Code::NoResponders, &text);
        }
        self.counters.received(message);
        frames::write(&mut self.frames, FrameKind::Reply, op, message);
    }

    /// Requests whose link is gone fail at once: only the caller knows whether asking twice is harmless.
    pub(super) fn requests_lost(&mut self, socket: SocketId) {
        for op in self.requests.asked_on(socket) {
            self.fail_request(
                op,
                Code::LinkLost,
                "the link was lost before the answer; the request may have been executed",
            );
        }
    }

    /// Requests that got no answer in time.
    pub(super) fn expire_requests(&mut self) {
        while let Some((deadline, op)) = self.requests.deadlines.first().copied() {
            if deadline > self.now {
                break;
            }
            let was_asked =
                self.requests.pending.get(&op).is_none_or(|pending| matches!(pending.place, Place::Asked(_)));
            match was_asked {
                true => self.fail_request(op, Code::Timeout, "no answer in time"),
                false => self.fail_request(
                    op,
                    Code::Connection,
                    "no server answered in time; the request was not sent",
                ),
            }
        }
    }

    pub(super) fn fail_all_requests(&mut self, code: Code, text: &str) {
        for op in self.requests.filtered(&|_| true) {
            self.fail_request(op, code, text);
        }
    }

    /// Replies cannot arrive: the account may not subscribe to the inbox.
    pub(super) fn inbox_forbidden(&mut self, socket: SocketId, subject: &str, text: &str) {
        if subject == self.requests.inbox_of(socket, "*") {
            self.inbox_refused(socket, text);
        }
    }

    /// The server does not take the subscription for replies.
    pub(super) fn inbox_refused(&mut self, socket: SocketId, text: &str) {
        // The next request asks for it again.
        if let Some(link) = self.links.get_mut(&socket) {
            link.has_inbox = false;
        }
        for op in self.requests.asked_on(socket) {
            self.fail_request(op, Code::PermissionViolation, text);
        }
    }

    /// The account may not publish there.
    pub(super) fn request_forbidden(&mut self, socket: SocketId, subject: &str, text: &str) {
        let meant = |pending: &Pending| {
            pending.subject == subject && matches!(pending.place, Place::Asked(at) if at == socket)
        };
        for op in self.requests.filtered(&meant) {
            self.fail_request(op, Code::PermissionViolation, text);
        }
    }

    /// The account may not ask for an answer to this reply subject.
    pub(super) fn reply_forbidden(&mut self, reply: &str, text: &str) {
        let op = reply.strip_prefix(&self.requests.inbox).and_then(|rest| rest.split_once('.'));
        if let Some(op) = op.and_then(|(_, op)| op.parse().ok()) {
            self.fail_request(op, Code::PermissionViolation, text);
        }
    }

    fn fail_request(&mut self, op: u32, code: Code, text: &str) {
        self.finished(op);
        self.failed(op, code, text);
    }

    /// Takes a request out; a link that waited for its answer may go.
    fn finished(&mut self, op: u32) -> Option<Pending> {
        let pending = self.requests.take(op)?;
        if let Place::Asked(socket) = pending.place {
            self.finish_if_answered(socket);
        }
        Some(pending)
    }
}

fn size(headers: Option<&[u8]>, payload: &[u8]) -> usize {
    payload.len() + headers.map_or(0, <[u8]>::len)
}

/// 128 bits as 22 characters that need no escape in a subject.
fn token(secret: [u64; 2]) -> String {
    const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let mut text = String::new();
    for mut half in secret {
        for _ in 0..11 {
            // A remainder of 62 fits.
            text.push(char::from(DIGITS[(half % 62) as usize]));
            half /= 62;
        }
    }
    text
}
