//! A real DNS server on loopback, over every transport. A test can change its answers.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hickory_server::Server as DnsServer;
use hickory_server::net::runtime::Time;
use hickory_server::proto::op::{Header, HeaderCounts, Metadata, ResponseCode};
use hickory_server::proto::rr::rdata::SRV;
use hickory_server::proto::rr::{Name, RData, Record, RecordType};
use hickory_server::server::{Request, RequestHandler, ResponseHandler, ResponseInfo};
use hickory_server::zone_handler::MessageResponseBuilder;
use nats_geo::dns::{Resolver, Transport};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use tokio::net::{TcpListener, UdpSocket};
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

use crate::support::PATIENCE;

/// The resolver of one test.
pub(crate) struct Dns {
    zone: Arc<Mutex<Zone>>,
    plain: SocketAddr,
    tls: SocketAddr,
    https: SocketAddr,
    /// The certificate of the encrypted ones, which is for `dns.test`.
    pub(crate) authority: String,
    server: DnsServer<Handler>,
}

#[derive(Default)]
pub(crate) struct Zone {
    records: BTreeMap<(String, RecordType), Vec<RData>>,
    pub(crate) ttl: u32,
    /// Every question is answered so, if it is set.
    pub(crate) failure: Option<ResponseCode>,
    /// Every answer takes this long.
    pub(crate) delay: Duration,
    /// How many questions came, by transport.
    pub(crate) asked: BTreeMap<String, usize>,
}

impl Zone {
    /// Replaces the SRV records of a name: (priority, weight, port, target).
    pub(crate) fn srv(&mut self, name: &str, records: &[(u16, u16, u16, &str)]) {
        let records = records.iter().map(|(priority, weight, port, target)| {
            RData::SRV(SRV::new(*priority, *weight, *port, Name::from_ascii(target).unwrap()))
        });
        self.records.insert((name.to_owned(), RecordType::SRV), records.collect());
    }

    /// Replaces the addresses of a name.
    pub(crate) fn addresses(&mut self, name: &str, addresses: &[&str]) {
        for kind in [RecordType::A, RecordType::AAAA] {
            let of_kind = addresses.iter().filter_map(|address| match (address.parse().unwrap(), kind) {
                (IpAddr::V4(ip), RecordType::A) => Some(RData::A(ip.into())),
                (IpAddr::V6(ip), RecordType::AAAA) => Some(RData::AAAA(ip.into())),
                _ => None,
            });
            self.records.insert((name.to_owned(), kind), of_kind.collect());
        }
    }
}

impl Dns {
    pub(crate) async fn start() -> Self {
        let zone = Arc::new(Mutex::new(Zone { ttl: 60, ..Zone::default() }));
        let mut server = DnsServer::new(Handler(Arc::clone(&zone)));
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let (socket, tcp) = loop {
            let socket = UdpSocket::bind(any).await.unwrap();
            // The same port for both: truncated answers are asked for again over TCP.
            if let Ok(tcp) = TcpListener::bind(socket.local_addr().unwrap()).await {
                break (socket, tcp);
            }
        };
        let plain = socket.local_addr().unwrap();
        server.register_socket(socket);
        server.register_listener(tcp, PATIENCE, 8);

        let CertifiedKey { cert, signing_key } =
            generate_simple_self_signed(["dns.test".to_owned()]).unwrap();
        let config = |protocol: &[u8]| {
            let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(signing_key.serialize_der()));
            let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
                .with_safe_default_protocol_versions()
                .unwrap()
                .with_no_client_auth()
                .with_single_cert(vec![cert.der().clone()], key)
                .unwrap();
            config.alpn_protocols = vec![protocol.to_vec()];
            Arc::new(config)
        };
        let [tls, https] = [TcpListener::bind(any).await.unwrap(), TcpListener::bind(any).await.unwrap()];
        let (tls_at, https_at) = (tls.local_addr().unwrap(), https.local_addr().unwrap());
        server.register_tls_listener_with_tls_config(tls, PATIENCE, config(b"dot")).unwrap();
        let endpoint = "/dns-query".to_owned();
        server
            .register_https_listener_with_tls_config(https, PATIENCE, config(b"h2"), None, endpoint)
            .unwrap();
        Self { zone, plain, tls: tls_at, https: https_at, authority: cert.pem(), server }
    }

    /// Changes what it answers.
    pub(crate) fn change<T>(&self, change: impl FnOnce(&mut Zone) -> T) -> T {
        change(&mut self.zone.lock().unwrap())
    }

    /// How to ask it.
    pub(crate) fn resolver(&self, transport: Transport) -> Resolver {
        let at = match transport {
            Transport::Tls => self.tls,
            Transport::Https => self.https,
            _ => self.plain,
        };
        let tls = nats_geo::Tls::new().ca_pem(self.authority.clone());
        Resolver::at_port(at).over(transport).named("dns.test").tls(tls)
    }

    /// Ends it: nobody answers any more.
    pub(crate) async fn stop(mut self) {
        self.server.shutdown_gracefully().await.unwrap();
    }
}

struct Handler(Arc<Mutex<Zone>>);

#[async_trait::async_trait]
impl RequestHandler for Handler {
    async fn handle_request<R: ResponseHandler, T: Time>(
        &self,
        request: &Request,
        mut response: R,
    ) -> ResponseInfo {
        let query = request.request_info().unwrap().query.clone();
        let name = query.name().to_string().trim_end_matches('.').to_owned();
        let (delay, failure, answers) = {
            let mut zone = self.0.lock().unwrap();
            *zone.asked.entry(request.protocol().to_string()).or_default() += 1;
            let exists = zone.records.keys().any(|(known, _)| *known == name);
            let failure = zone.failure.or_else(|| (!exists).then_some(ResponseCode::NXDomain));
            let data = zone.records.get(&(name, query.query_type())).cloned().unwrap_or_default();
            let owner = Name::from(query.name());
            let records = data.into_iter().map(|data| Record::from_rdata(owner.clone(), zone.ttl, data));
            (zone.delay, failure, records.collect::<Vec<_>>())
        };
        // What is tested is slowness itself.
        tokio::time::sleep(delay).await;
        let builder = MessageResponseBuilder::from_message_request(request);
        let sent = match failure {
            Some(code) => response.send_response(builder.error_msg(&request.metadata, code)).await,
            None => {
                let metadata = Metadata::response_from_request(&request.metadata);
                response.send_response(builder.build(metadata, &answers, [], [], [])).await
            }
        };
        // Who has asked may have hung up meanwhile.
        sent.unwrap_or_else(|_| {
            let metadata = Metadata::response_from_request(&request.metadata);
            ResponseInfo::from(Header { metadata, counts: HeaderCounts::default() })
        })
    }
}
