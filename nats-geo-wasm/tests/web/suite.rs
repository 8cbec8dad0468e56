//! Tests that must pass in a page, a worker and a service worker. `../../test-web` starts the server.

use js_sys::{Array, Function, Promise, Reflect};
use nats_geo_wasm::JsEngine;
use wasm_bindgen::{JsCast as _, JsValue};
use wasm_bindgen_futures::JsFuture;
use wasm_bindgen_test::wasm_bindgen_test;

/// Where a nats-server listens for browsers.
const SERVER: &str = match option_env!("NATS_GEO_TEST_WS") {
    Some(url) => url,
    None => "NATS_GEO_TEST_WS is not set: run nats-geo-wasm/test-web",
};

/// A sink that writes down what it is told, as text.
const SINK: &str = "
    const log = [];
    const write = (...words) => log.push(words.join(' ').trim());
    return {
        log,
        opened: () => write('opened'),
        closed: (code, text) => write('closed', code, text),
        deliver: (frames) => write('deliver', frames.length, new TextDecoder().decode(frames)),
        completed: (op, code, text, value) => write('completed', op, code),
        notice: (notice) => write('notice', notice.type),
        authenticate: (conn, nonce) => write('authenticate'),
    };";

struct Client {
    engine: JsEngine,
    log: Array,
}

impl Client {
    fn new(options: &str) -> Result<Self, JsValue> {
        let sink = Function::new_no_args(SINK).call0(&JsValue::UNDEFINED)?;
        let log = Reflect::get(&sink, &"log".into())?.unchecked_into();
        Ok(Self { engine: JsEngine::new(&js_sys::JSON::parse(options)?, sink.unchecked_into())?, log })
    }

    fn of(server: &str, timeout_ms: u32) -> Self {
        let options =
            format!(r#"{{"servers":["{server}"],"preset":"interactive","connectTimeoutMs":{timeout_ms}}}"#);
        Self::new(&options).expect("valid options")
    }

    fn lines(&self) -> Vec<String> {
        self.log.iter().filter_map(|line| line.as_string()).collect()
    }

    /// Returns once a line starts like this; panics when that takes too long.
    async fn until(&self, start: &str) -> String {
        for _ in 0..1_000 {
            if let Some(line) = self.lines().into_iter().find(|line| line.starts_with(start)) {
                return line;
            }
            sleep_ms(10).await;
        }
        panic!("no `{start}` in {:?}", self.lines());
    }
}

async fn sleep_ms(ms: i32) {
    let body = format!("return new Promise((done) => setTimeout(done, {ms}))");
    let promise = Function::new_no_args(&body).call0(&JsValue::UNDEFINED).expect("a promise");
    JsFuture::from(promise.unchecked_into::<Promise>()).await.expect("it resolves");
}

#[wasm_bindgen_test]
async fn messages_and_answers_arrive() {
    let client = Client::of(SERVER, 5_000);
    client.engine.connect();
    assert!(client.lines().is_empty(), "nothing is told before a command has returned");
    client.until("opened").await;
    client.engine.subscribe(3, "web.>", None, None).expect("a subscription");
    client.engine.publish("web.a", None, None, b"hello").expect("a publish");
    client.engine.flush(9);
    client.until("completed 9 0").await;
    assert!(client.until("deliver").await.contains("web.ahello"), "{:?}", client.lines());
    client.engine.request(4, "nobody.serves", None, b"", 2_000.0).expect("a request");
    client.until("completed 4 6").await;
    client.engine.drain(5);
    client.until("completed 5 0").await;
    client.until("closed 0").await;
}

#[wasm_bindgen_test]
async fn a_large_message_comes_back_whole() {
    let client = Client::of(SERVER, 5_000);
    client.engine.connect();
    client.until("opened").await;
    client.engine.subscribe(1, "large", None, None).expect("a subscription");
    client.engine.publish("large", None, None, &vec![b'x'; 700_000]).expect("a publish");
    // The frame: 24 bytes, the subject, the payload, up to a multiple of four.
    client.until("deliver 700032").await;
    client.engine.close();
    client.until("closed 0").await;
}

#[wasm_bindgen_test]
async fn a_server_that_is_not_there_is_a_connection_error() {
    // Port 9 is `discard`: nobody listens there.
    let client = Client::of("ws://127.0.0.1:9", 400);
    client.engine.connect();
    let closed = client.until("closed").await;
    assert!(closed.starts_with("closed 7 no link was open within 400 ms"), "{closed}");
}

#[wasm_bindgen_test]
async fn an_engine_that_is_dropped_behind_a_command_is_not_heard_of_again() {
    let listen = "self.natsGeoErrors = []; self.addEventListener('error', (event) => self.natsGeoErrors.push(event.message));";
    Function::new_no_args(listen).call0(&JsValue::UNDEFINED).expect("a listener");
    for _ in 0..3 {
        let client = Client::of(SERVER, 400);
        client.engine.connect();
        client.engine.flush(1);
    }
    // Longer than the time-out to connect.
    sleep_ms(600).await;
    let errors = Reflect::get(&js_sys::global(), &"natsGeoErrors".into()).expect("the list");
    let errors: Vec<_> = errors.unchecked_into::<Array>().iter().filter_map(|it| it.as_string()).collect();
    assert_eq!(errors, Vec::<String>::new());
}

#[wasm_bindgen_test]
fn bad_input_throws_an_error_with_a_code() {
    let code = |error: JsValue| Reflect::get(&error, &"code".into()).ok().and_then(|code| code.as_f64());
    let refused = |options: &str| code(Client::new(options).err().expect("refused"));
    assert_eq!(refused(r#"{"servers":["nats://h:4222"]}"#), Some(1.0));
    assert_eq!(refused(r#"{"servers":[]}"#), Some(1.0));
    assert_eq!(refused(r#"{"servers":["ws://h"],"config":{"watch":{"ping_interval":0}}}"#), Some(15.0));
    let client = Client::of(SERVER, 400);
    assert_eq!(code(client.engine.publish("a b", None, None, b"").unwrap_err()), Some(2.0));
}
