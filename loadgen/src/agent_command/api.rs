//! The back channel as an API: an AsyncAPI document, made from the types of the messages.
//!
//! Specification: <https://www.asyncapi.com/docs/reference/specification/v3.0.0>. NATS needs no bindings there.

use schemars::generate::{SchemaGenerator, SchemaSettings};
use serde_json::{Value, json};

use crate::ops::{FileOrder, FileStored, LOST_AFTER, PULSE_EVERY, RunState, addresses};
use crate::play::{Ask, Reply};
use crate::progress::Status;

/// The subjects, stream and bucket of the back channel, with the schemas of their messages, as AsyncAPI 3.0 in JSON.
pub fn ops_api() -> String {
    // The schemas of AsyncAPI are those of draft 7.
    let settings = SchemaSettings::draft07().with(|it| it.definitions_path = "/components/schemas".into());
    let mut types = settings.into_generator();
    let mut document = json!({
        "asyncapi": "3.0.0",
        "info": {
            "title": "The back channel of loadgen",
            "version": addresses::VERSION,
            "description": "A controller (`loadgen run --agents`) and its agents (`loadgen agent`) exchange orders and results over a NATS \
                server with JetStream. Agents register with the Services API of NATS as `loadgen-agent`: `$SRV.PING`, `$SRV.INFO` and \
                `$SRV.STATS` list them. Key `controller` of the bucket `LOADGEN` is the lease of the one controller: while the \
                controller renews it, no other controller can take it.",
        },
        "defaultContentType": "application/json",
        "channels": channels(&mut types),
        "operations": operations(),
    });
    document["components"] = json!({ "schemas": types.take_definitions(true) });
    // Texts, lists and schemas are JSON.
    serde_json::to_string_pretty(&document).unwrap_or_default() + "\n"
}

fn channels(types: &mut SchemaGenerator) -> Value {
    let agent = json!({ "agent": { "description": "Id of the agent in the Services API" } });
    let run = json!({ "run": { "description": "Id of the run" } });
    let of_run = json!({
        "run": { "description": "Id of the run" },
        "number": { "description": "Number of the agent in the run, from 0" },
    });
    json!({
        "orders": {
            "address": addresses::orders_of("{agent}"),
            "description": "Orders to one agent. A resent order has the same number, and the agent sends the same answer.",
            "parameters": agent,
            "messages": { "order": { "headers": order_headers(), "payload": schema::<Ask>(types) } },
        },
        "replies": {
            "address": null,
            "description": "Answers to orders. If an order lacks the headers or has another version, the agent answers with the header \
                `Nats-Service-Error`.",
            "messages": { "reply": { "payload": schema::<Reply>(types) } },
        },
        "files": {
            "address": addresses::files_of("{agent}"),
            "description": "Orders to one agent to fetch a file from the object store `LOADGEN_FILES`. The agent answers when it has stored \
                the file.",
            "parameters": agent,
            "messages": { "fileOrder": { "headers": version_header(), "payload": schema::<FileOrder>(types) } },
        },
        "stored": {
            "address": null,
            "description": "Answers to orders to fetch a file. If the agent has not stored the file, it answers with the header \
                `Nats-Service-Error`.",
            "messages": { "fileStored": { "payload": schema::<FileStored>(types) } },
        },
        "pulses": {
            "address": addresses::pulse_of("{agent}"),
            "description": format!("The state of an agent's clients, every {PULSE_EVERY:?}. If an order waits, and no pulse comes for \
                {LOST_AFTER:?}, the agent is lost."),
            "parameters": agent,
            "messages": { "pulse": { "payload": schema::<Status>(types) } },
        },
        "state": {
            "address": addresses::STATE,
            "description": "The scenario and the phase of the run, once a second.",
            "messages": { "state": { "payload": schema::<RunState>(types) } },
        },
        "clock": {
            "address": addresses::clock_of("{run}"),
            "description": "Requests of agents for the time of the controller's clock. The payload is empty.",
            "parameters": run,
            "messages": { "question": { "contentType": "text/plain", "payload": { "type": "string", "maxLength": 0 } } },
        },
        "times": {
            "address": null,
            "description": "The reply subject of the request: nanoseconds since the origin of the run.",
            "messages": { "time": { "contentType": "text/plain", "payload": { "type": "string", "pattern": "^[0-9]+$" } } },
        },
        "results": {
            "address": addresses::parts_of("{run}", "{number}"),
            "description": "The results of an agent, once a second, in the stream `LOADGEN_PARTS`. The controller reads and \
                removes them at the end of a play. After a day, the stream removes them. `Nats-Msg-Id` numbers the parts.",
            "parameters": of_run,
            "messages": { "part": {
                "contentType": "application/msgpack",
                "summary": "Operations, moves and counts since the last part. Only the same version of loadgen reads them.",
                "payload": { "type": "string", "contentEncoding": "binary" },
            } },
        },
    })
}

/// An agent refuses an order without them.
fn order_headers() -> Value {
    json!({
        "type": "object",
        "required": [addresses::VERSION_HEADER, addresses::RUN_HEADER, addresses::NUMBER_HEADER],
        "properties": {
            (addresses::VERSION_HEADER): { "const": addresses::VERSION, "description": "Version of the orders, and of loadgen" },
            (addresses::RUN_HEADER): { "type": "string", "pattern": "^[A-Za-z0-9]+$", "description": "Id of the run" },
            (addresses::NUMBER_HEADER): { "type": "string", "pattern": "^[0-9]+$", "description": "Number of the order in the run" },
        },
    })
}

fn version_header() -> Value {
    let version = &order_headers()["properties"][addresses::VERSION_HEADER];
    json!({
        "type": "object",
        "required": [addresses::VERSION_HEADER],
        "properties": { (addresses::VERSION_HEADER): version },
    })
}

/// From the controller's side.
fn operations() -> Value {
    let channel = |name: &str| json!({ "$ref": format!("#/channels/{name}") });
    json!({
        "giveOrder": { "action": "send", "channel": channel("orders"), "reply": { "channel": channel("replies") } },
        "sendFile": { "action": "send", "channel": channel("files"), "reply": { "channel": channel("stored") } },
        "sendState": { "action": "send", "channel": channel("state") },
        "hearPulse": { "action": "receive", "channel": channel("pulses") },
        "answerTime": { "action": "receive", "channel": channel("clock"), "reply": { "channel": channel("times") } },
        "readResults": { "action": "receive", "channel": channel("results") },
    })
}

fn schema<T: schemars::JsonSchema>(types: &mut SchemaGenerator) -> Value {
    types.subschema_for::<T>().to_value()
}
