//! The DNS names of a client. Without the feature `dns`, a client has no DNS names.

use tokio::sync::mpsc;

#[cfg(feature = "dns")]
use super::dns::{self, Dns};
use super::found::{Finding, Origin};

/// Names that stand for servers.
#[derive(Clone, Debug, Default)]
pub(crate) struct Names {
    #[cfg(feature = "dns")]
    all: Vec<Dns>,
}

/// News that may wait for the driver; more make those who ask wait.
const FINDINGS_MAX: usize = 8;

#[cfg(feature = "dns")]
impl Names {
    pub(crate) fn push(&mut self, name: Dns) {
        self.all.push(name);
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    pub(crate) fn have_tls(&self) -> bool {
        self.all.iter().any(Dns::has_tls)
    }

    /// Looks them up from now on, until the receiver is dropped.
    pub(crate) fn watch(&self) -> (Vec<Origin>, mpsc::Receiver<Finding>) {
        let (sender, findings) = mpsc::channel(FINDINGS_MAX);
        for (origin, name) in self.all.iter().enumerate() {
            tokio::spawn(dns::watch(origin, name.clone(), sender.clone()));
        }
        (self.all.iter().map(Dns::origin).collect(), findings)
    }
}

#[cfg(not(feature = "dns"))]
impl Names {
    pub(crate) const fn is_empty(&self) -> bool {
        true
    }

    pub(crate) const fn have_tls(&self) -> bool {
        false
    }

    pub(crate) fn watch(&self) -> (Vec<Origin>, mpsc::Receiver<Finding>) {
        (Vec::new(), mpsc::channel(FINDINGS_MAX).1)
    }
}
