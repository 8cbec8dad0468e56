// The super-cluster as `loadgen up --serve` shows it, and the orders that break and mend it.

export interface World {
  readonly revision: number;
  readonly regions: readonly RegionView[];
  /** By pair, such as "lon-ams". */
  readonly rtt_ms: Readonly<Record<string, number>>;
  readonly busy: string | null;
}

export interface RegionView {
  readonly name: string;
  readonly is_silent: boolean;
  readonly servers: readonly { readonly name: string; readonly state: string }[];
  /** "region=ws://...": how a browser in this region reaches every server. */
  readonly websocket_urls: readonly string[];
}

export type Command =
  | { do: "kill" | "retire" | "silence" | "heal"; target: string }
  | { do: "set-rtt"; between: [string, string]; rtt_ms: number };

const ASK_AGAIN_MS = 1000;

const tokenOfAddress = (): string | null => new URLSearchParams(location.hash.slice(1)).get("token");

/** Speaks to loadgen, with the token of the address that it printed. */
export class Control {
  #token: string;

  private constructor(token: string) {
    this.#token = token;
  }

  /** Takes the token out of the address, so that it is in no bookmark, and keeps it for reloads of this tab. */
  static fromAddress(): Control {
    // A new address in the same tab, after loadgen was started again, loads no new page by itself.
    addEventListener("hashchange", () => tokenOfAddress() !== null && location.reload());
    const given = tokenOfAddress();
    if (given !== null) {
      sessionStorage.setItem("token", given);
      history.replaceState(null, "", location.pathname + location.search);
    }
    return new Control(sessionStorage.getItem("token") ?? "");
  }

  /** Fails with what loadgen says. */
  async order(command: Command): Promise<void> {
    await this.#fetch("/api/control", { method: "POST", body: JSON.stringify(command) });
  }

  async world(): Promise<World> {
    return (await this.#fetch("/api/world")).json() as Promise<World>;
  }

  /** Every new world, for ever; `lost` while loadgen does not answer. */
  async watch(world: (world: World) => void, lost: (why: string) => void): Promise<never> {
    let revision = -1;
    for (;;) {
      try {
        const path = revision < 0 ? "/api/world" : `/api/world/next?after=${revision}`;
        const next = (await (await this.#fetch(path)).json()) as World;
        revision = next.revision;
        world(next);
      } catch (error) {
        revision = -1;
        lost((error as Error).message);
        await new Promise((resolve) => setTimeout(resolve, ASK_AGAIN_MS));
      }
    }
  }

  async #fetch(path: string, init: RequestInit = {}): Promise<Response> {
    const headers = { authorization: `Bearer ${this.#token}`, "content-type": "application/json" };
    let response: Response;
    try {
      response = await fetch(path, { ...init, headers });
    } catch (cause) {
      throw new Error("loadgen does not answer: start it with `loadgen up --regions lon,ams,dal --serve`", { cause });
    }
    if (!response.ok) throw new Error(await response.text());
    return response;
  }
}

/** Round-trip time between two regions. */
export function rttMs(world: World, a: string, b: string): number {
  return a === b ? 0 : (world.rtt_ms[`${a}-${b}`] ?? world.rtt_ms[`${b}-${a}`] ?? 0);
}
