//! This module requests the confirmation of publishes shortly after the client has sent them. The PINGs of the core are
//! too rare for this purpose.

use std::sync::Arc;
use std::time::Duration;

use super::ResendBuffer;
use crate::native::link::Link;

/// Asks for confirmation whenever something was published on the link, until it ends.
pub(crate) async fn confirm(link: Arc<Link>, kept: Arc<ResendBuffer>) {
    loop {
        tokio::select! {
            () = link.published() => {}
            () = link.ended() => return,
        }
        tokio::select! {
            () = tokio::time::sleep(PAUSE) => {}
            () = kept.wanted() => {}
        }
        if link.round_trip().await.is_err() {
            return;
        }
    }
}

/// A confirmation costs some 200 bytes and a wakeup. Fifty per second are few for who publishes, and what was published
/// within 20 ms is little to send again.
const PAUSE: Duration = Duration::from_millis(20);
