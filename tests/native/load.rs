//! Requests at a steady rate, and what became of each.

use std::time::Duration;

use loadgen::load::requests::ECHO;
use nats_geo::{GeoClient, RequestError};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

use crate::world::{wait_for, within};

/// Requests of one client, open loop: a slow answer delays none of them.
pub(crate) struct Asking {
    stop: watch::Sender<bool>,
    asked: watch::Receiver<usize>,
    task: JoinHandle<Vec<Result<(), RequestError>>>,
}

impl Asking {
    /// Starts once a first request is answered: interest may still be on its way.
    pub(crate) async fn start(client: &GeoClient, per_second: u32) -> Self {
        wait_for("a first answer", async || client.request(ECHO, "first".into()).await.ok()).await;
        let stop = watch::Sender::new(false);
        let (count, asked) = watch::channel(0);
        Self { task: tokio::spawn(ask(client.clone(), per_second, count, stop.subscribe())), asked, stop }
    }

    /// Goes on until so many have been asked in all, stops and waits for what is on its way: how many were asked,
    /// and the errors.
    pub(crate) async fn finish(mut self, at_least: usize) -> (usize, Vec<RequestError>) {
        within("enough requests", self.asked.wait_for(|asked| *asked >= at_least)).await.unwrap();
        self.stop.send_replace(true);
        let answers = within("the last answers", self.task).await.unwrap();
        let asked = answers.len();
        (asked, answers.into_iter().filter_map(Result::err).collect())
    }
}

async fn ask(
    client: GeoClient,
    per_second: u32,
    count: watch::Sender<usize>,
    mut stop: watch::Receiver<bool>,
) -> Vec<Result<(), RequestError>> {
    let mut ticks = tokio::time::interval(Duration::from_secs(1) / per_second);
    let mut asked = JoinSet::new();
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            _ = stop.changed() => return asked.join_all().await,
        }
        let client = client.clone();
        asked.spawn(async move { client.request(ECHO, "x".into()).await.map(drop) });
        count.send_replace(asked.len());
    }
}
