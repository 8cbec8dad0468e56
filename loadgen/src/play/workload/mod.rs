//! The traffic of a play: who writes (`publisher`, `bucket_user`, `object_user`), who receives and answers (`receivers`,
//! `brakes`, `responders`), where messages are stored (`streams`, `objects`), and the messages themselves (`number`, `sizes`).
//!
//! Owns one operation at a time. Must not know of populations or faults: `play::population` says when an operation begins.

pub(crate) mod brakes;
pub(crate) mod bucket_user;
pub(crate) mod number;
pub(crate) mod object_user;
pub(crate) mod objects;
pub(crate) mod publisher;
pub(crate) mod receivers;
pub(crate) mod responders;
pub(crate) mod sizes;
pub(crate) mod streams;
