// A client of loadgen in a browser: it carries out orders with nats-geo in a service worker, and reports its events.

import {
  connect,
  credsAuthenticator,
  nkeyAuthenticator,
  type ConnectionOptions,
  jetstream,
  Kvm,
  type KV,
  type Msg,
  type NatsConnection,
  type Status,
} from "nats-geo";
import { byId } from "../dom.ts";
import { CLOSED, Desk, type Connect, type Login, type Order, type Sign } from "./orders.ts";

/** 0 for a page that a person has opened. */
const number = Number(new URLSearchParams(location.search).get("client"));
const counts = { done: 0, failed: 0 };
const show = (id: string, text: string): void => void (byId(id).textContent = text);

class Client {
  #nc: NatsConnection | undefined;
  #desk = new Desk<Order>(number, (order) => void this.#obey(order), () => void this.#end());
  /** Connections have no numbers in JavaScript: dialled servers count up. */
  #dialled: string[] = [];
  #buckets = new Map<string, Promise<KV>>();

  async #obey(order: Order): Promise<void> {
    try {
      const revision = await this.#carryOut(order);
      counts.done += 1;
      this.#desk.report({ done: [order.number, revision ?? null] });
    } catch (error) {
      counts.failed += 1;
      this.#desk.report({ failed: [order.number, error instanceof Error ? error.message : String(error)] });
    }
  }

  /** Closes the connection, which the service worker would keep open for some time, and then the page. */
  async #end(): Promise<void> {
    show("server", this.#nc ? "none: this client has ended" : "none: loadgen has ended, or does not know this address");
    try {
      await this.#nc?.close();
    } finally {
      if (IS_FRAME) parent.postMessage(CLOSED, "*");
      // A page that a person has opened is ready for the next client.
      else if (this.#nc) new Client();
    }
  }

  /** Returns the revision of a value, if the order is about one. */
  async #carryOut(order: Order): Promise<number | void> {
    if (order.do === "connect") return this.#connect(order);
    const nc = this.#nc;
    if (!nc) throw new Error("the client is not connected");
    switch (order.do) {
      case "request":
        return refuse(order.subject, await nc.request(order.subject, decode(order.payload), { timeout: DEADLINE_MS }));
      case "publish":
        return nc.publish(order.subject, decode(order.payload));
      case "publish-to-stream":
        await jetstream(nc).publish(order.subject, decode(order.payload));
        return;
      case "flush":
        return nc.flush();
      case "subscribe":
        return this.#subscribe(nc, order);
      case "kv-put":
        return (await this.#bucket(nc, order.bucket)).put(order.key, decode(order.payload));
      case "kv-get":
        return (await (await this.#bucket(nc, order.bucket)).get(order.key))?.revision;
    }
  }

  async #connect(order: Connect): Promise<void> {
    const { name, servers, preset, warmStandby, seed, login } = order;
    const options: ConnectionOptions = { name, servers, preset, warmStandby, seed, ...credentials(login) };
    const nc = await connect({ ...options, mode: IS_FRAME ? "worker" : "auto", worker: { url: "/sw.js" } });
    this.#nc = nc;
    show("name", name);
    this.#sits(nc.info?.cluster ?? "", nc.info?.server_name ?? "");
    void this.#follow(nc);
  }

  /** Resolves when the server has the subscription. */
  async #subscribe(nc: NatsConnection, { number, subject, group }: Order & { do: "subscribe" }): Promise<void> {
    const subscription = nc.subscribe(subject, group === null ? {} : { queue: group });
    void (async () => {
      for await (const message of subscription) this.#desk.report({ message: [number, encode(message.data)] });
    })();
    await nc.flush();
  }

  /** Opens each bucket once. */
  #bucket(nc: NatsConnection, name: string): Promise<KV> {
    const opened = this.#buckets.get(name) ?? new Kvm(nc).open(name);
    this.#buckets.set(name, opened);
    opened.catch(() => this.#buckets.delete(name));
    return opened;
  }

  async #follow(nc: NatsConnection): Promise<void> {
    for await (const status of nc.status()) {
      if (status.text && status.type !== "probe") show("notice", status.text);
      const sign = this.#sign(status);
      if (sign) this.#desk.report({ sign });
      if (status.type === "offline") this.#desk.report({ seat: null });
      if (status.type === "moved") {
        const to = status.to as Place;
        this.#sits(to.region, to.server ?? "");
      }
    }
  }

  #sign(status: Status): Sign | undefined {
    const place = (status.to ?? status.place) as Place | undefined;
    switch (status.type) {
      case "suspected":
      case "lost":
        return "Trouble";
      case "dialing":
        return { Dialing: this.#dialled.push(place?.address ?? "") };
      case "opened":
        return { Opened: this.#connection(place) };
      case "moved":
        return { Moved: this.#connection(place) };
      case "standbyReady":
        return "StandbyReady";
      default:
        return undefined;
    }
  }

  /** The number of the last dial of a server. */
  #connection(place: Place | undefined): number {
    return this.#dialled.lastIndexOf(place?.address ?? "") + 1;
  }

  #sits(region: string, server: string): void {
    show("server", `${server} in ${region}`);
    this.#desk.report({ seat: { region, server } });
  }
}

/** A server, as statuses name it. */
interface Place {
  region: string;
  address: string;
  server?: string;
}

/** Throws if the answer is a refusal: of a service, or of JetStream's API. */
function refuse(subject: string, answer: Msg): void {
  const error = answer.headers?.get("Nats-Service-Error-Code");
  if (error) throw new Error(`the service answered with the error ${error}`);
  if (subject.startsWith("$JS.") && !answer.headers && "error" in answer.json<object>()) throw new Error("JetStream refused");
}

function credentials(login: Login): ConnectionOptions {
  if (login === "anonymous") return {};
  if ("password" in login) return { user: login.password.user, pass: login.password.password };
  if ("token" in login) return { token: login.token };
  if ("nkey" in login) return { authenticator: nkeyAuthenticator(login.nkey) };
  return { authenticator: credsAuthenticator(login.creds) };
}

const decode = (text: string): Uint8Array => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));

/** In pieces: a call has a limited number of arguments. */
function encode(data: Uint8Array): string {
  let text = "";
  for (let at = 0; at < data.length; at += 8192) text += String.fromCharCode(...data.subarray(at, at + 8192));
  return btoa(text);
}

/** loadgen's browser opens pages in frames. A person opens a page by itself; a phone has a service worker only over HTTPS. */
const IS_FRAME = parent !== window;

/** As long as loadgen waits for a request. */
const DEADLINE_MS = 20_000;

new Client();
setInterval(() => show("orders", `${counts.done} done, ${counts.failed} failed`), 500);
