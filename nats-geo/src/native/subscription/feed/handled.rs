//! This module counts the messages that the application may still answer. A drain waits for them.

use super::Feed;
use crate::native::Message;
use crate::native::hub::lock;

impl Feed {
    /// Returns once the application has dropped all messages with a reply subject that it got.
    pub(crate) async fn answered(&self) {
        if let Some(handling) = &self.handling {
            handling.none().await;
        }
    }

    /// Returns once the application has read all that came in, up to the last message with a reply subject, and has
    /// dropped these messages. To be called when nothing more can come.
    pub(crate) async fn handled(&self) {
        while self.handling.is_some() {
            let read = self.read.notified();
            if !lock(&self.state).has_questions() {
                break;
            }
            read.await;
        }
        self.answered().await;
    }

    /// Nobody will read it any more.
    pub(crate) fn abandon(&self) {
        lock(&self.state).abandon();
        self.read.notify_waiters();
    }

    pub(super) fn handled_by_reader(&self, mut message: Message) -> Message {
        if let Some(handling) = self.handling.as_ref().filter(|_| message.reply.is_some()) {
            message.is_handled_as(handling.begin());
        }
        message
    }
}
