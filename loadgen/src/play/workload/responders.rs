//! The services that answer requests. Each region has some; they connect to the servers of their region without the
//! emulation.

use futures_util::StreamExt as _;
use nats_geo::core::Config;
use nats_geo::{GeoClient, GeoOptions};

use crate::clients::Access;
use crate::cluster::{OWN_NAME, SuperCluster};
use crate::load::requests::{ECHO, SERVICE};
use crate::play::PlayError;

/// The responders of a super-cluster. They leave a server that announces its end, so a rolling upgrade takes no answer away.
#[derive(Debug)]
pub(crate) struct Responders {
    clients: Vec<GeoClient>,
}

impl Responders {
    /// Starts the responders; with `service`, also the instances of the micro service.
    pub(crate) async fn start(
        cluster: &SuperCluster,
        access: &Access,
        service: bool,
    ) -> Result<Self, PlayError> {
        let urls = cluster.server_urls();
        let mut clients = Vec::new();
        for region in cluster.topology().regions() {
            let failed = |reason: String| PlayError::Responder { region: region.clone(), reason };
            let of_region = cluster.topology().servers_of(region);
            let of_region: Vec<_> =
                of_region.filter_map(|server| urls.get(&server.to_string()).cloned()).collect();
            for _ in 0..PER_REGION {
                let client = start(&of_region.join(","), access).await.map_err(failed)?;
                if service {
                    serve(&client).await.map_err(failed)?;
                }
                clients.push(client);
            }
        }
        Ok(Self { clients })
    }

    pub(crate) async fn end(self) {
        for client in self.clients {
            client.close().await;
        }
    }
}

async fn start(urls: &str, access: &Access) -> Result<GeoClient, String> {
    let options = GeoOptions::new().config(Config::interactive()).name(OWN_NAME).ignore_discovered_servers();
    let client = access.of_geo(options)?.connect(urls.to_owned()).await.map_err(|error| error.to_string())?;
    let subscribed = client.queue_subscribe(ECHO, "loadgen").await;
    let mut requests = subscribed.map_err(|error| error.to_string())?;
    client.flush().await.map_err(|error| error.to_string())?;
    let replies = client.clone();
    tokio::spawn(async move {
        while let Some(request) = requests.next().await {
            let Some(reply) = request.reply.clone() else { continue };
            // Without a connection there is nobody to answer.
            let _ = replies.publish(reply, request.payload.clone()).await;
        }
    });
    Ok(client)
}

/// Starts an instance of the micro service, which ends with its client.
async fn serve(client: &GeoClient) -> Result<(), String> {
    let service = client.service("loadgen", "1.0.0").description("Answers with the request.").start().await;
    let service = service.map_err(|error| error.to_string())?;
    let endpoint = service.endpoint_builder().name("echo").add(SERVICE).await;
    let mut requests = endpoint.map_err(|error| error.to_string())?;
    client.flush().await.map_err(|error| error.to_string())?;
    tokio::spawn(async move {
        while let Some(request) = requests.next().await {
            // Without a connection there is nobody to answer.
            let _ = request.respond(Ok(request.message.payload.clone())).await;
        }
        service.stop().await;
    });
    Ok(())
}

/// One can be on its way to another server while the other one answers.
const PER_REGION: usize = 2;
