//! Orders to any server about one of its clients: lame duck, and disconnect. nats-server accepts them since version
//! 2.10.

use serde_json::{Value, json};

/// An order about one client.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum ClientOrder {
    /// The server sends the client an INFO with `ldm`, and closes nothing.
    LameDuck,
    /// The server closes the connection of the client.
    Disconnect,
}

impl ClientOrder {
    /// Returns the subject of the order to the server with this id.
    fn subject(self, server_id: &str) -> String {
        let order = match self {
            Self::LameDuck => "LDM",
            Self::Disconnect => "KICK",
        };
        format!("$SYS.REQ.SERVER.{server_id}.{order}")
    }

    /// Sends the order over a connection of the system account, and waits for the answer. `cid` is the number of the client in
    /// CONNZ.
    ///
    /// # Errors
    /// The reason for which the server did not carry it out.
    pub(crate) async fn send(
        self,
        client: &async_nats::Client,
        server_id: &str,
        cid: u64,
    ) -> Result<(), String> {
        let request = json!({ "cid": cid }).to_string();
        let answer = client.request(self.subject(server_id), request.into()).await;
        let answer = answer.map_err(|error| error.to_string())?;
        refusal(&answer.payload).map_or(Ok(()), Err)
    }
}

/// The reason in a server's answer, if it refused.
fn refusal(answer: &[u8]) -> Option<String> {
    match serde_json::from_slice::<Value>(answer) {
        Ok(answer) => {
            let error = answer.get("error")?;
            Some(error["description"].as_str().unwrap_or("no description").to_owned())
        }
        Err(error) => Some(format!("its answer is no JSON: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_gives_its_reason() {
        assert_eq!(ClientOrder::LameDuck.subject("NA"), "$SYS.REQ.SERVER.NA.LDM");
        assert_eq!(ClientOrder::Disconnect.subject("NA"), "$SYS.REQ.SERVER.NA.KICK");
        assert_eq!(refusal(br#"{"server": {}}"#), None);
        let refused = refusal(br#"{"server": {}, "error": {"code": 500, "description": "no such client"}}"#);
        assert_eq!(refused.as_deref(), Some("no such client"));
        assert!(refusal(b"").is_some_and(|reason| reason.contains("no JSON")));
    }
}
