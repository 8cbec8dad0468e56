//! This module keeps the newest publishes of a link, so that the client can resend them.

use std::collections::VecDeque;

use async_nats::Subject;
use async_nats::message::OutboundMessage;
use bytes::Bytes;

/// A ring of the newest messages, oldest first.
///
/// A small message is copied into a buffer that an older one has left. To share it would take an allocation, and two
/// threads that count references in the same cache line.
#[derive(Debug)]
pub(super) struct Recent {
    slots: VecDeque<Slot>,
    /// Slots that are not in use, with their buffers.
    spare: Vec<Slot>,
    keep: usize,
}

#[derive(Debug, Default)]
struct Slot {
    content: Content,
    /// Subject, reply subject and payload of what is copied, one after the other.
    bytes: Vec<u8>,
}

#[derive(Debug, Default)]
enum Content {
    /// Not to be had back.
    #[default]
    Nothing,
    Copied {
        subject_len: usize,
        reply_len: Option<usize>,
    },
    Shared(Box<OutboundMessage>),
}

/// What is larger is shared: to copy it would take longer, and memory that stays. As many copies of this size as a link
/// keeps take 256 KiB.
const COPIED_MAX: usize = 1_024;

impl Recent {
    /// Keeps the newest `keep`.
    pub(super) const fn new(keep: usize) -> Self {
        Self { slots: VecDeque::new(), spare: Vec::new(), keep }
    }

    /// Adds a message, or that there was one.
    pub(super) fn push(&mut self, message: Option<&OutboundMessage>) {
        let mut slot = if self.slots.len() == self.keep { self.slots.pop_front() } else { self.spare.pop() }
            .unwrap_or_default();
        slot.fill(message);
        self.slots.push_back(slot);
    }

    /// Takes the newest away again.
    pub(super) fn pop_newest(&mut self) -> Option<OutboundMessage> {
        let mut slot = self.slots.pop_back()?;
        let message = slot.take();
        self.spare.push(slot);
        message
    }

    /// Forgets all but the newest `count`.
    pub(super) fn keep_newest(&mut self, count: usize) {
        while self.slots.len() > count {
            if let Some(mut slot) = self.slots.pop_front() {
                slot.content = Content::Nothing;
                self.spare.push(slot);
            }
        }
    }

    /// Empties the ring, and returns those that can be had back.
    pub(super) fn drain(&mut self) -> Vec<OutboundMessage> {
        self.spare.clear();
        self.slots.drain(..).filter_map(|mut slot| slot.take()).collect()
    }
}

impl Slot {
    fn fill(&mut self, message: Option<&OutboundMessage>) {
        self.content = match message {
            None => Content::Nothing,
            Some(message) if is_small(message) => {
                self.bytes.clear();
                self.bytes.extend_from_slice(message.subject.as_bytes());
                if let Some(reply) = &message.reply {
                    self.bytes.extend_from_slice(reply.as_bytes());
                }
                self.bytes.extend_from_slice(&message.payload);
                Content::Copied {
                    subject_len: message.subject.len(),
                    reply_len: message.reply.as_ref().map(|reply| reply.len()),
                }
            }
            Some(message) => Content::Shared(Box::new(message.clone())),
        };
    }

    fn take(&mut self) -> Option<OutboundMessage> {
        match std::mem::take(&mut self.content) {
            Content::Nothing => None,
            Content::Shared(message) => Some(*message),
            Content::Copied { subject_len, reply_len } => {
                let (subject, rest) = self.bytes.split_at(subject_len);
                let (reply, payload) = rest.split_at(reply_len.unwrap_or(0));
                Some(OutboundMessage {
                    subject: to_subject(subject),
                    reply: reply_len.map(|_| to_subject(reply)),
                    payload: Bytes::copy_from_slice(payload),
                    headers: None,
                })
            }
        }
    }
}

fn is_small(message: &OutboundMessage) -> bool {
    let reply_len = message.reply.as_ref().map_or(0, |reply| reply.len());
    message.headers.is_none() && message.subject.len() + reply_len + message.payload.len() <= COPIED_MAX
}

/// It was a subject before: nothing in it is replaced.
fn to_subject(bytes: &[u8]) -> Subject {
    Subject::from(String::from_utf8_lossy(bytes).as_ref())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(payload: impl Into<Bytes>) -> OutboundMessage {
        OutboundMessage { subject: "a.b".into(), reply: None, payload: payload.into(), headers: None }
    }

    fn payloads(recent: &mut Recent) -> Vec<Bytes> {
        recent.drain().into_iter().map(|message| message.payload).collect()
    }

    #[test]
    fn what_comes_back_is_what_went_in() {
        let replied = OutboundMessage { reply: Some("_INBOX.1".into()), ..message("x") };
        let empty_reply = OutboundMessage { reply: Some("".into()), ..message("x") };
        let mut headers = async_nats::HeaderMap::new();
        headers.insert("Colour", "red");
        let headed = OutboundMessage { headers: Some(headers), ..message("x") };
        let large = message(vec![7; COPIED_MAX]);
        let largest_copy = message(vec![7; COPIED_MAX - "a.b".len()]);
        let all = [message("x"), message(""), replied, empty_reply, headed, large, largest_copy];
        let mut recent = Recent::new(all.len());
        for _reusing_buffers in 0..2 {
            for message in &all {
                recent.push(Some(message));
            }
            for (back, went) in recent.drain().iter().zip(&all) {
                assert_eq!((&back.subject, &back.reply), (&went.subject, &went.reply));
                assert_eq!(back.payload, went.payload);
                assert_eq!(back.headers, went.headers);
            }
        }
    }

    #[test]
    fn only_the_newest_are_there() {
        let mut recent = Recent::new(3);
        for payload in ["1", "2", "3", "4"] {
            recent.push(Some(&message(payload)));
        }
        recent.push(None);
        assert_eq!(payloads(&mut recent), ["3", "4"], "of the newest three, one is not to be had back");
    }

    #[test]
    fn the_newest_is_taken_away_and_the_oldest_are_forgotten() {
        let mut recent = Recent::new(9);
        for payload in ["1", "2", "3", "4"] {
            recent.push(Some(&message(payload)));
        }
        assert_eq!(recent.pop_newest().unwrap().payload, "4");
        recent.keep_newest(2);
        recent.keep_newest(5);
        assert_eq!(payloads(&mut recent), ["2", "3"]);
        assert!(recent.pop_newest().is_none());
    }
}
