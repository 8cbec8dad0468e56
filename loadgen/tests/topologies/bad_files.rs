//! Files that are refused before anything starts.
