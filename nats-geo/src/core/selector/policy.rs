//! The configuration of a selector: owned, or shared by many selectors.

use std::ops::Deref;

use super::super::Config;

/// The configuration.
#[derive(Clone, Debug)]
pub(super) enum Policy {
    Own(Box<Config>),
    Shared(&'static Config),
}

impl Deref for Policy {
    type Target = Config;

    fn deref(&self) -> &Config {
        match self {
            Self::Own(config) => config,
            Self::Shared(config) => config,
        }
    }
}
