//! Load: requests on an open-loop schedule, message flows that are counted one by one, and who answers.

pub mod flow;
pub mod pacer;
pub mod requests;
pub mod responder;
