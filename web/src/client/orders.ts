// The words that loadgen and its pages exchange, as JSON over a WebSocket. `loadgen/src/clients/browser/orders.rs` has the
// same.

/** Credentials of a client. */
export type Login =
  | "anonymous"
  | { password: { user: string; password: string } }
  | { token: string }
  | { nkey: string }
  | { creds: string };

/** Options of a client. */
export interface Connect {
  name: string;
  servers: string[];
  preset: "interactive" | "fleet";
  warmStandby: boolean;
  seed: number;
  login: Login;
}

/** A message to send; its payload is base64. */
export interface Message {
  subject: string;
  payload: string;
}

export type Order = { number: number } & (
  | ({ do: "connect" } & Connect)
  | ({ do: "request" | "publish" | "publish-to-stream" } & Message)
  | { do: "flush" }
  | { do: "subscribe"; subject: string; group: string | null }
  | { do: "kv-put"; bucket: string; key: string; payload: string }
  | { do: "kv-get"; bucket: string; key: string }
);

/** An order to the page that holds the others: open the page of the client with this number. */
export type FrameOrder = { open: number };

/** The last words of a client's page to the page that holds it. */
export const CLOSED = "closed";

/** An event of a client: its name and, for some, the number of the connection. */
export type Sign = "Trouble" | "StandbyReady" | { Dialing: number } | { Opened: number } | { Moved: number };

export type Report =
  | { done: [number, number | null] }
  | { failed: [number, string] }
  | { message: [number, string] }
  | { sign: Sign }
  | { seat: { region: string; server: string } | null };

/** A connection to loadgen. */
export class Desk<Received> {
  #socket: WebSocket;

  /** Greets loadgen as `client`, or as the page that holds the others. */
  constructor(client: number | null, receive: (received: Received) => void, ended: () => void) {
    // loadgen puts the token behind the `#`, which no server and no log sees.
    const token = new URLSearchParams(location.hash.slice(1)).get("token") ?? "";
    this.#socket = new WebSocket(`ws://${location.host}/orders`);
    this.#socket.onopen = () => this.#socket.send(JSON.stringify({ token, client }));
    this.#socket.onmessage = ({ data }) => receive(JSON.parse(data as string) as Received);
    this.#socket.onclose = ended;
  }

  report(report: Report): void {
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(report));
  }
}
