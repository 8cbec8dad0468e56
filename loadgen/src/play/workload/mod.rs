//! The traffic of a play: the writers (`publisher`, `bucket_user`, `object_user`), the receivers and responders
//! (`receivers`, `brakes`, `responders`), the storage of messages (`streams`, `objects`), and the messages themselves
//! (`number`, `sizes`).
//!
//! This folder owns one operation at a time. It must not know populations or faults: `play::population` decides when an
//! operation begins.

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
