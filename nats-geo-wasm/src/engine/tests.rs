//! Tests of the engine without a server.
