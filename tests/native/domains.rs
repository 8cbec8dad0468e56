//! A client at a leaf node that uses the JetStream of the hub, by its domain.

use std::time::Duration;

use futures_util::StreamExt as _;
use loadgen::cluster::StartOptions;
use loadgen::secret::Secret;
use loadgen::topology::Preset;
use nats_geo::GeoClient;
use nats_geo::jetstream::consumer::pull;
use nats_geo::jetstream::stream::{Config, Source};
use nats_geo::jetstream::virtual_stream::{self, Position};
use nats_geo::jetstream::{
    ApiError, Context, LastTry, Messages, Ordered, OrderedOptions, PublishOptions, Stream, kv, object,
};

use crate::world::{World, hurried, region, wait_for, with_config, within};

const PASSWORD: &str = "s3cr3t";

#[tokio::test(flavor = "multi_thread")]
async fn the_hub_is_used_from_a_spoke_and_on_the_way_to_the_hub_and_back() {
    let mut world = start().await;
    let client = connect(&world, "spoke-1").await;
    let mut used = Used::by(&client).await;
    used.go_on("at the spoke").await;

    world.cluster.kill_region("spoke-1").unwrap();
    wait_for("the move to the hub", async || (region(&client) == "headquarter").then_some(())).await;
    used.go_on("at the hub").await;

    world.cluster.restart_region("spoke-1").await.unwrap();
    wait_for("the way home", async || (region(&client) == "spoke-1").then_some(())).await;
    used.go_on("at the spoke again").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_of_one_name_in_two_domains_are_two() {
    let mut world = start().await;
    let local = connect(&world, "spoke-1").await.jetstream();
    let [hub, spoke] = ["hub", "spoke-1"].map(|domain| local.with_domain(domain).unwrap());
    for (context, domain) in [(&hub, "hub"), (&spoke, "spoke-1")] {
        assert_eq!(context.domain(), Some(domain));
        let stream = within("a stream", context.create_stream(stream(&format!("orders.{domain}.>")))).await;
        assert_eq!(stream.unwrap().cached_info().domain.as_deref(), Some(domain));
        // A publish takes its subject's way, whichever handle it is made with.
        let ack = within("a publish", hub.publish(format!("orders.{domain}.new"), "1".into())).await.unwrap();
        assert_eq!((ack.domain.as_deref(), ack.sequence), (Some(domain), 1));
    }
    for (context, subject) in [(&hub, "orders.hub.new"), (&spoke, "orders.spoke-1.new")] {
        let orders = within("the stream", context.get_stream("ORDERS")).await.unwrap();
        assert_eq!(within("its message", orders.get(1)).await.unwrap().unwrap().subject.as_str(), subject);
    }
    // The client is at a server of the spoke, so the handle without a domain is that of the spoke.
    let orders = within("the stream", local.get_stream("ORDERS")).await.unwrap();
    assert_eq!((local.domain(), orders.cached_info().domain.as_deref()), (None, Some("spoke-1")));
    within("deleting", hub.delete_stream("ORDERS")).await.unwrap();
    assert!(within("none", hub.get_stream("ORDERS")).await.unwrap_err().is_not_found());
    within("the other one", spoke.get_stream("ORDERS")).await.unwrap();

    bad_domains_are_refused(&local);
    a_domain_that_does_not_exist_is_named(&local).await;
    buckets_are_written_through_their_mirrors(&hub, &spoke).await;
    stores_of_one_name_are_told_apart(&hub, &spoke).await;
    a_virtual_stream_of_the_hub(&hub).await;

    // Without the hub, its mirror in the spoke can still be read.
    world.cluster.kill_region("headquarter").unwrap();
    let near = within("the mirror", spoke.key_value("lamps-near")).await.unwrap();
    assert_eq!(within("its value", near.get("hall")).await.unwrap().unwrap(), "green");
}

fn bad_domains_are_refused(jetstream: &Context) {
    for domain in ["", ".", "a.b", "*", ">", "a b"] {
        let refused = jetstream.with_domain(domain).map(drop);
        assert_eq!(refused, Err(ApiError::BadDomain { domain: domain.into() }));
    }
    let refused = jetstream.with_prefix("$JS.*.API").map(drop);
    assert_eq!(refused, Err(ApiError::BadPrefix { prefix: "$JS.*.API".into() }));
}

async fn a_domain_that_does_not_exist_is_named(jetstream: &Context) {
    let error =
        within("nobody", jetstream.with_domain("moon").unwrap().get_stream("ORDERS")).await.unwrap_err();
    let ApiError::GaveUp { subject, last: LastTry::NoDomain { domain }, unconfirmed: false, .. } = &error
    else {
        panic!("{error}")
    };
    assert_eq!((domain.as_str(), subject.as_str()), ("moon", "$JS.moon.API.STREAM.INFO.ORDERS"));
    let text = error.to_string();
    assert!(text.contains("domain `moon`") && text.contains("leaf-node connections"), "{text}");
}

/// A bucket of the hub, and its mirror in the spoke: read near, written far.
async fn buckets_are_written_through_their_mirrors(hub: &Context, spoke: &Context) {
    let config = kv::Config { bucket: "lamps".into(), ..Default::default() };
    let lamps = within("the bucket", hub.create_key_value(config)).await.unwrap();
    // A bucket of the same name in the spoke must not take what is meant for the hub.
    let config = kv::Config { bucket: "lamps".into(), ..Default::default() };
    let others = within("its namesake", spoke.create_key_value(config)).await.unwrap();
    let mirror = Source { name: "lamps".into(), domain: Some("hub".into()), ..Default::default() };
    let config = kv::Config { bucket: "lamps-near".into(), mirror: Some(mirror), ..Default::default() };
    let near = within("the mirror", spoke.create_key_value(config)).await.unwrap();

    within("creating", near.create("hall", "red".into())).await.unwrap();
    let value = within("its value in the hub", lamps.get("hall")).await.unwrap();
    assert_eq!(value.as_deref(), Some(b"red".as_slice()));
    wait_for("its value in the mirror", async || near.get("hall").await.unwrap()).await;
    // The leader of the hub says that there is a value, and that a deleted one is none.
    assert!(within("creating", near.create("hall", "blue".into())).await.is_err());
    within("deleting", near.delete("hall")).await.unwrap();
    within("creating again", near.create("hall", "green".into())).await.unwrap();
    wait_for("its value in the mirror", async || near.get("hall").await.unwrap().filter(|it| it == "green"))
        .await;
    // Any server that may answer for the namesake gets its turn: none of them is the mirror.
    for _ in 0..20 {
        assert_eq!(within("the namesake", others.get("hall")).await.unwrap(), None);
    }
}

/// Leaf nodes carry the subjects of object stores from domain to domain.
async fn stores_of_one_name_are_told_apart(hub: &Context, spoke: &Context) {
    let config = || object::Config { bucket: "films".into(), ..Default::default() };
    let films = within("the store", hub.create_object_store(config())).await.unwrap();
    within("writing", films.put("film", &mut b"bytes".as_slice())).await.unwrap();
    within("its namesake", spoke.create_object_store(config())).await.unwrap();
    // The nearer one answers first, as soon as the interest of its leader is known where the client is.
    let mut written = "bytes";
    let error = wait_for("a refusal", async || match films.put("film", &mut b"other".as_slice()).await {
        Ok(_) => {
            written = "other";
            None
        }
        Err(error) => Some(error),
    })
    .await;
    let object::PutError::OtherDomain { domain, found, .. } = &error else { panic!("{error}") };
    assert_eq!((domain.as_str(), found.as_str()), ("hub", "spoke-1"));
    let film = within("the film", films.get("film")).await.unwrap();
    assert_eq!(within("its bytes", film.read_all()).await.unwrap(), written, "as before");
}

/// A virtual stream keeps the domain of its handle: its regions are clusters of that domain.
async fn a_virtual_stream_of_the_hub(hub: &Context) {
    let config = virtual_stream::Config::new("visits", ["headquarter"]).prefix("visits");
    let visits = within("the streams", hub.create_virtual_stream(config)).await.unwrap();
    let ack = within("a publish", visits.publish("visits.new", "one".into())).await.unwrap();
    assert_eq!((ack.stream.as_str(), ack.domain.as_deref()), ("visits-write-headquarter", Some("hub")));
    let mut reader = within("a reader", visits.ordered(Position::first())).await.unwrap();
    assert_eq!(within("a visit", reader.next()).await.unwrap().unwrap().payload, "one");
}

async fn start() -> World {
    let mut options = StartOptions::new(Preset::named("hub-spoke").unwrap().topology().unwrap());
    options.password = Some(Secret::new(PASSWORD));
    World::of_options(options).await
}

async fn connect(world: &World, region: &str) -> GeoClient {
    world.connect(region, with_config(hurried()).user_and_password("acc", PASSWORD)).await
}

fn stream(subjects: &str) -> Config {
    Config { name: "ORDERS".into(), subjects: vec![subjects.into()], num_replicas: 3, ..Default::default() }
}

/// Everything that a client uses of the hub.
struct Used {
    jetstream: Context,
    orders: Stream,
    worker: Messages,
    ordered: Ordered,
    lamps: kv::Store,
    changes: kv::Watch,
    films: object::Store,
    published: u64,
}

impl Used {
    async fn by(client: &GeoClient) -> Self {
        // An outage of the whole spoke, and elections behind it.
        let options = PublishOptions::new().total_timeout(Duration::from_secs(25)).tries_max(50);
        let jetstream = client.jetstream_with(options).with_domain("hub").unwrap();
        let orders = within("the stream", jetstream.create_stream(stream("orders.>"))).await.unwrap();
        assert_eq!(orders.cached_info().domain.as_deref(), Some("hub"));
        assert_eq!(orders.cached_info().info.cluster.as_ref().unwrap().name.as_deref(), Some("headquarter"));
        let workers = pull::Config { durable_name: Some("workers".into()), ..Default::default() };
        let worker = within("the consumer", orders.create_consumer(workers)).await.unwrap();
        let worker = within("its messages", worker.messages()).await.unwrap();
        let ordered = within("a reader", orders.ordered(OrderedOptions::new())).await.unwrap();
        let config = kv::Config { bucket: "lamps".into(), num_replicas: 3, ..Default::default() };
        let lamps = within("the bucket", jetstream.create_key_value(config)).await.unwrap();
        let changes = within("a watch", lamps.watch("hall")).await.unwrap();
        let config = object::Config { bucket: "films".into(), num_replicas: 3, ..Default::default() };
        let films = within("the store", jetstream.create_object_store(config)).await.unwrap();
        Self { jetstream, orders, worker, ordered, lamps, changes, films, published: 0 }
    }

    /// All of it works, and every message is there once.
    async fn go_on(&mut self, place: &str) {
        for _ in 0..10 {
            self.order(place).await;
        }
        within(place, self.lamps.put("hall", place.to_owned().into())).await.unwrap();
        assert_eq!(within(place, self.lamps.get("hall")).await.unwrap().unwrap(), place);
        assert_eq!(within(place, self.changes.next()).await.unwrap().unwrap().value, place);
        within(place, self.films.put("film", &mut place.as_bytes())).await.unwrap();
        let film = within(place, self.films.get("film")).await.unwrap();
        assert_eq!(within(place, film.read_all()).await.unwrap(), place);
        let info = within(place, self.orders.info()).await.unwrap();
        assert_eq!((info.info.state.messages, info.domain.as_deref()), (self.published, Some("hub")));
    }

    async fn order(&mut self, place: &str) {
        let text = format!("{place}: {}", self.published);
        let ack = within(&text, self.jetstream.publish("orders.new", text.clone().into())).await.unwrap();
        self.published += 1;
        assert_eq!((ack.domain.as_deref(), ack.sequence), (Some("hub"), self.published));
        assert_eq!(within(&text, self.ordered.next()).await.unwrap().unwrap().payload, text);
        let message = within(&text, self.worker.next()).await.unwrap().unwrap();
        assert_eq!(message.payload, text);
        within(&text, message.double_ack()).await.unwrap();
    }
}
