//! This module repeats a refused subscription once, to find out whether the server now permits it.

use async_nats::Subscriber;
use futures_util::{FutureExt as _, StreamExt as _};

use super::{Feed, NEVER_REACHED};
use crate::core::ConnId;
use crate::native::Message;
use crate::native::hub::lock;
use crate::native::link::{Ended, Link};
use crate::native::subscription::state::State;

impl Feed {
    /// Subscribes once more on this link, and ends that at once: the server says whether it permits it.
    pub(crate) async fn ask(&self, link: &Link) -> Result<Subscriber, Ended> {
        let mut subscriber = link.subscribe(self.subject.clone(), self.queue.clone()).await?;
        subscriber.unsubscribe_after(NEVER_REACHED).await.map_err(|_| Ended)?;
        Ok(subscriber)
    }

    /// Keeps what came in while the server was [asked](Self::ask), if it came to nobody else. Returns how much of it was lost.
    pub(crate) fn keep(&self, conn: ConnId, mut subscriber: Subscriber) -> u64 {
        let mut state = lock(&self.state);
        let State { inputs, kept, .. } = &mut *state;
        let input = inputs.iter_mut().find(|input| input.conn == conn).filter(|_| self.queue.is_some());
        let Some(input) = input else { return 0 };
        let mut lost = 0;
        while let Some(Some(message)) = subscriber.next().now_or_never() {
            match kept.has_room_for(&message, self.max_bytes) {
                true => input.buffered.push_back(Message::new(message, &input.route)),
                false => lost += 1,
            }
        }
        state.wake();
        lost
    }
}
