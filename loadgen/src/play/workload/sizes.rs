//! The size of the next message.

use std::sync::{Arc, Mutex, PoisonError};

use crate::scenario::MessageSizes;
use crate::scenario::spec::PAGE_VIEW;
use crate::seed::Lcg;

/// The sizes of one client's messages. The same seed gives the same sizes.
#[derive(Clone, Debug)]
pub(crate) struct Sizes {
    of: MessageSizes,
    random: Arc<Mutex<Lcg>>,
}

impl Sizes {
    pub(crate) fn new(of: MessageSizes, seed: u64) -> Self {
        Self { of, random: Arc::new(Mutex::new(Lcg::new(seed))) }
    }

    /// Returns the bytes of the next message.
    pub(crate) fn draw(&self) -> usize {
        match self.of {
            MessageSizes::Bytes(bytes) => bytes,
            MessageSizes::Mix => {
                let all: u32 = PAGE_VIEW.iter().map(|(_, count)| count).sum();
                let mut random = self.random.lock().unwrap_or_else(PoisonError::into_inner);
                let mut left = random.below(all as usize) as u32;
                let drawn = PAGE_VIEW.iter().find(|(_, count)| {
                    let is_here = left < *count;
                    left = left.saturating_sub(*count);
                    is_here
                });
                drawn.map_or(0, |(bytes, _)| usize::try_from(*bytes).unwrap_or_default())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mix_has_the_messages_of_page_views() {
        let sizes = Sizes::new(MessageSizes::Mix, 7);
        let drawn: Vec<_> = (0..12_000).map(|_| sizes.draw()).collect();
        for (bytes, count) in PAGE_VIEW {
            let found = drawn.iter().filter(|it| **it as u64 == bytes).count() as u32;
            assert!((count * 900..=count * 1_100).contains(&found), "{found} of {bytes} bytes");
        }
        let same = Sizes::new(MessageSizes::Mix, 7);
        assert!(drawn.iter().all(|bytes| *bytes == same.draw()));
        assert_eq!(Sizes::new(MessageSizes::Bytes(64), 7).draw(), 64);
    }
}
