//! The clients of a play: their number (`crowd`), the work of each (`member`), and their regions, for watchers
//! (`watch`).
//!
//! This folder owns the life of every client. It must not know faults: `play::faults` orders clients through `crowd`.

pub(crate) mod crowd;
pub(crate) mod member;
pub(crate) mod watch;
