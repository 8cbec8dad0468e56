//! The servers of a login one by one: a command that watches regions connects to each of them.

use async_nats::ServerAddr;

use super::{Login, OpenError};

/// The address of a server's client port.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct ClientPort {
    /// Name or number.
    pub host: String,
    /// Port.
    pub port: u16,
    /// Whether the TLS handshake comes before INFO.
    pub tls_first: bool,
}

impl Login {
    /// Returns one login for each server of this one. Those of the super-cluster that is up are asked for anew each time.
    ///
    /// # Errors
    /// The super-cluster that is up does not say where it is.
    pub async fn apart(&self) -> Result<Vec<Self>, OpenError> {
        let all = match &self.running {
            Some(running) => match running.access().await? {
                Some(access) => Self::into(&access, running.login(&access)),
                None => self.clone(),
            },
            None => self.clone(),
        };
        let one = |server: &ServerAddr| Self { servers: vec![server.clone()], running: None, ..all.clone() };
        Ok(all.servers.iter().map(one).collect())
    }

    /// Returns the addresses of its servers, without those of plain WebSocket ports: they have no certificate.
    pub fn client_ports(&self) -> Vec<ClientPort> {
        let with_tls = self.servers.iter().filter(|server| server.scheme() != "ws");
        let port = |server: &ServerAddr| ClientPort {
            host: server.host().to_owned(),
            port: server.port(),
            tls_first: self.tls_first || server.scheme() == "wss",
        };
        with_tls.map(port).collect()
    }

    /// Returns the address that a server tells its clients, such as `10.0.0.7:4222`; `None`, if it is none.
    pub fn announced(&self, address: &str) -> Option<ClientPort> {
        let (host, port) = address.rsplit_once(':')?;
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        Some(ClientPort { host, port: port.parse().ok()?, tls_first: self.tls_first })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::look::opts::ConnectOpts;

    fn login(servers: &[&str]) -> Login {
        let server = servers.iter().map(|server| server.parse().unwrap()).collect();
        Login::new(&ConnectOpts { server, ..ConnectOpts::default() }, &|_| None).unwrap()
    }

    #[tokio::test]
    async fn each_server_has_a_login_of_its_own() {
        let apart = login(&["nats://a:1,tls://b", "ws://c:80", "wss://[::1]:443"]).apart().await.unwrap();
        let ports: Vec<_> = apart.iter().flat_map(Login::client_ports).collect();
        let port = |host: &str, port, tls_first| ClientPort { host: host.to_owned(), port, tls_first };
        assert_eq!(ports, [port("a", 1, false), port("b", 4222, false), port("::1", 443, true)]);
        assert_eq!(apart.len(), 4);
    }

    #[test]
    fn an_announced_address_is_taken_apart() {
        let login = login(&["nats://a"]);
        let found = login.announced("[fd00::1]:4222").unwrap();
        assert_eq!((found.host.as_str(), found.port), ("fd00::1", 4222));
        assert_eq!((login.announced("a"), login.announced("a:b")), (None, None));
    }
}
