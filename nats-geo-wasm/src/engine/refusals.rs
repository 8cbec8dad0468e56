//! This module handles refusals by servers. A name that is too long fails at the call, and a refused subscription ends
//! with an error.

use nats_geo::wire::{Complaint, Denied};

use super::ending::End;
use super::link::{Link, SocketId};
use super::requests::INBOX_SID;
use super::{Code, Engine, Refusal};

/// How often a link ended before its server had read a subscription, by subscription. Few, and mostly none.
#[derive(Debug, Default)]
pub(super) struct Strikes(Vec<(u32, u8)>);

impl Strikes {
    pub(super) fn contain(&self, sid: u32) -> bool {
        self.0.iter().any(|(suspect, _)| *suspect == sid)
    }

    pub(super) fn forget(&mut self, sid: u32) {
        self.0.retain(|(suspect, _)| *suspect != sid);
    }

    #[cfg(test)]
    pub(super) fn are_none(&self) -> bool {
        self.0.is_empty()
    }

    /// One more; returns how many that makes.
    fn add(&mut self, sid: u32) -> u8 {
        if !self.contain(sid) {
            self.0.push((sid, 0));
        }
        let strikes = self.0.iter_mut().find(|(suspect, _)| *suspect == sid);
        strikes.map_or(0, |(_, strikes)| {
            *strikes = strikes.saturating_add(1);
            *strikes
        })
    }
}

impl Engine {
    /// Refuses names that make a line longer than servers read. They would close the connection, and the next one too.
    pub(super) fn check_line(&self, name: &str, other: Option<&str>) -> Result<(), Refusal> {
        let limit = self.options.max_control_line;
        let length = line_length(name, other);
        if length <= limit {
            return Ok(());
        }
        let longer = other.filter(|other| other.len() > name.len()).unwrap_or(name);
        let shown: String = longer.chars().take(SHOWN_MAX).collect();
        let text = format!(
            "`{shown}...` makes a protocol line of up to {length} bytes, more than the {limit} that servers read \
             (max_control_line): shorten it, or set `maxControlLine` if all servers read more"
        );
        Err(Refusal::new(Code::InvalidSubject, text))
    }

    /// Ends a subscription that servers refuse. Its own reader is told why.
    pub(super) fn refuse_subscription(&mut self, sid: u32, code: Code, text: &str) {
        let Some(subject) = self.subscriptions.get(&sid).map(|it| it.subject.clone()) else { return };
        self.end_subscription(sid);
        self.notify_refused(sid, &subject, code, text);
    }

    /// The account may not publish or subscribe there. Returns whether this was a subscription, whose reader is told.
    pub(super) fn denied(&mut self, socket: SocketId, text: &str) -> bool {
        match Denied::parse(text) {
            Some(Denied::Subscription { subject, queue }) => {
                self.inbox_forbidden(socket, &subject, text);
                return self.subscription_denied(socket, &subject, queue.as_deref(), text);
            }
            Some(Denied::Publish { subject }) => {
                self.counters.denied += 1;
                self.request_forbidden(socket, &subject, text);
                self.notify_publish_refused(&subject, text);
            }
            Some(Denied::Reply { reply }) => {
                self.counters.denied += 1;
                self.reply_forbidden(&reply, text);
                self.notify_publish_refused(&reply, text);
            }
            _ => {}
        }
        false
    }

    fn subscription_denied(
        &mut self,
        socket: SocketId,
        subject: &str,
        queue: Option<&str>,
        text: &str,
    ) -> bool {
        let Some(link) = self.links.get(&socket) else { return false };
        let is_meant = |sid: &u32| {
            let its = self.subscriptions.get(sid);
            its.is_some_and(|it| it.subject == subject && it.queue.as_deref() == queue)
        };
        let meant: Vec<u32> = link.carried.keys().copied().filter(is_meant).collect();
        for sid in &meant {
            self.refuse_subscription(*sid, Code::PermissionViolation, text);
        }
        !meant.is_empty()
    }

    /// The server takes no further subscription. It refuses the newest ones, and names none.
    pub(super) fn too_many_subscriptions(&mut self, socket: SocketId, text: &str) {
        let Some((sid, _)) = self.links.get_mut(&socket).and_then(|link| link.unread.pop()) else { return };
        if sid == INBOX_SID {
            return self.inbox_refused(socket, text);
        }
        if let Ok(sid) = u32::try_from(sid) {
            self.refuse_subscription(sid, Code::PermissionViolation, text);
        }
    }

    /// A link ended by itself. If a subscription was the cause, it would end the next link too.
    pub(super) fn find_culprit(&mut self, link: &Link, end: &End) {
        let reason = match end {
            // Payloads are published, and not sent again.
            End::Reset(text) if text.to_ascii_lowercase().contains("payload") => return,
            End::Reset(text) if Complaint::of(text) == Complaint::Protocol => Some(text.clone()),
            End::Reset(_) | End::Closed(_) => None,
            _ => return,
        };
        if let Some(text) = reason.as_deref().filter(|text| text.contains(LINE_TOO_LONG)) {
            return self.line_was_too_long(link.longest_line, text);
        }
        let unread = link.unread.iter().filter_map(|(sid, _)| u32::try_from(*sid).ok());
        let mut suspects: Vec<u32> = unread.filter(|sid| self.subscriptions.contains_key(sid)).collect();
        // Behind each suspect went a PING of its own: the first without an answer was being read.
        let were_apart = suspects.iter().all(|sid| self.strikes.contain(*sid));
        suspects.truncate(if were_apart { 1 } else { suspects.len() });
        let strikes = suspects.iter().map(|sid| self.strikes.add(*sid)).max().unwrap_or_default();
        let [culprit] = suspects[..] else { return };
        let is_proven = strikes >= if reason.is_some() { STRIKES_WITH_REASON } else { STRIKES_MAX };
        if is_proven {
            let text = reason
                .unwrap_or_else(|| "servers close the connection whenever they get this subscription".into());
            self.refuse_subscription(culprit, Code::Protocol, &text);
        }
    }

    /// The server of this link has read a subscription that links may have ended for.
    pub(super) fn has_read(&mut self, socket: SocketId) {
        let Some(link) = self.links.get(&socket) else { return };
        let is_unread = |sid: &u32| link.unread.iter().any(|(unread, _)| *unread == u64::from(*sid));
        self.strikes.0.retain(|(sid, _)| is_unread(sid) || !link.carried.contains_key(sid));
    }

    /// A server closed a link because of a line, the longest one that was sent. No line of that length is sent again.
    fn line_was_too_long(&mut self, longest: usize, text: &str) {
        let learned = longest.saturating_sub(1).max(LEARNED_MIN);
        self.options.max_control_line = self.options.max_control_line.min(learned);
        let is_longer = |(sid, it): (&u32, &super::Subscription)| {
            (line_length(&it.subject, it.queue.as_deref()) > learned).then_some(*sid)
        };
        for sid in self.subscriptions.iter().filter_map(is_longer).collect::<Vec<_>>() {
            self.refuse_subscription(sid, Code::InvalidSubject, text);
        }
    }
}

/// The length of a line with these names, as servers count it: with two numbers of 20 digits, and blanks.
pub(super) const fn line_length(name: &str, other: Option<&str>) -> usize {
    let other = match other {
        Some(other) => other.len(),
        None => 0,
    };
    name.len() + other + NUMBERS_MAX
}

const NUMBERS_MAX: usize = 42;

/// Enough to recognise a name.
const SHOWN_MAX: usize = 48;

/// The server's words for such a line.
const LINE_TOO_LONG: &str = "control line";

/// No operator allows less: INFO alone is longer.
const LEARNED_MIN: usize = 128;

/// The server said that it could not read something. The second time nothing else was unread.
const STRIKES_WITH_REASON: u8 = 2;

/// Links also end for other reasons, and once is chance. This often in a row, and always before the server has read the same
/// subscription, is none.
const STRIKES_MAX: u8 = 5;
