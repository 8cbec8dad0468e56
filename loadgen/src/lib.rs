//! Starts a real NATS super-cluster on one machine, breaks it, and measures failover.
