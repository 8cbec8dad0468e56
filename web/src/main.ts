// The demo: the super-cluster from loadgen, the connection from nats-geo, and a picture of both.

import { connect, type NatsConnection, type Snapshot } from "nats-geo";
import { byId, html, ms } from "./dom.ts";
import { startFilm } from "./film.ts";
import { drawMap } from "./map.ts";
import { keepShell } from "./offline.ts";
import { drawRanking } from "./ranking.ts";
import { drawRegions } from "./regions.ts";
import { startTheme } from "./theme.ts";
import { followTicks } from "./ticks.ts";
import { note, showStatus } from "./timeline.ts";
import { Control, type World } from "./world.ts";

/** RTTs drift slowly; moves are drawn when they happen. */
const LOOK_AGAIN_MS = 1000;

class Demo {
  #control = Control.fromAddress();
  #world: World | undefined;
  #snapshot: Snapshot | undefined;
  #nc: NatsConnection | undefined;
  #isConnecting = false;

  start(): void {
    startTheme();
    void this.#control.watch(
      (world) => {
        this.#world = world;
        this.#homes(world);
        drawRegions(world, this.#control);
        this.#draw();
        void this.#connect(world);
      },
      (why) => (byId("refused").textContent = why),
    );
  }

  get #home(): string {
    const names = this.#world?.regions.map(({ name }) => name) ?? [];
    const chosen = sessionStorage.getItem("home");
    return names.find((name) => name === chosen) ?? names[0] ?? "";
  }

  #servers(world: World): string[] {
    return [...(world.regions.find(({ name }) => name === this.#home)?.websocket_urls ?? [])];
  }

  async #connect(world: World): Promise<void> {
    if (this.#nc || this.#isConnecting) return;
    this.#isConnecting = true;
    byId("refused").textContent = "";
    try {
      const nc = await connect({ servers: this.#servers(world), preset: "interactive", warmStandby: true, name: "demo", worker: { url: "sw.js" } });
      this.#nc = nc;
      // A worker that was there already, for another tab, may be elsewhere.
      const known = new Set(nc.getServers().map(({ listen }) => listen));
      if (!this.#servers(world).every((url) => known.has(new URL(url.replace(/^.*=/, "")).host))) this.#moveTo(world);
      note(`connected through ${nc.mode === "worker" ? "the service worker" : "this page"}`, "connected");
      startFilm(nc);
      // A full disk is no reason to stop.
      keepShell().catch((error: unknown) => console.warn("the demo will not open offline:", error));
      void followTicks(nc);
      void this.#follow(nc);
      await this.#look();
      setInterval(() => void this.#look(), LOOK_AGAIN_MS);
    } catch (error) {
      byId("now").textContent = `Not connected: ${(error as Error).message}`;
    }
    this.#isConnecting = false;
  }

  /** The same servers, as far away as they are from another place. */
  #moveTo(world: World): void {
    this.#nc?.setServers(this.#servers(world));
    void this.#nc?.reconnect();
  }

  async #follow(nc: NatsConnection): Promise<void> {
    for await (const status of nc.status()) {
      showStatus(status);
      await this.#look();
    }
  }

  async #look(): Promise<void> {
    if (!this.#nc || this.#nc.isClosed()) return;
    this.#snapshot = await this.#nc.snapshot();
    this.#draw();
  }

  #draw(): void {
    if (!this.#world) return;
    drawMap(this.#world, this.#snapshot, this.#home);
    if (!this.#snapshot) return;
    drawRanking(this.#snapshot);
    const { liveRegion, suspect, regions } = this.#snapshot;
    const rtt = regions.find(({ region }) => region === liveRegion)?.rttMs;
    const now = liveRegion === undefined ? "Nothing is live. Heal a region." : suspect ? `Connected to ${liveRegion}, which is suspiciously silent` : `Connected to ${liveRegion}, ${ms(rtt)} away`;
    // Said again only when it changed: this line is read aloud.
    if (byId("now").textContent !== now) byId("now").textContent = now;
  }

  #homes(world: World): void {
    const field = byId("home");
    if (field.childElementCount > 1) return;
    for (const { name } of world.regions) {
      const input = html("input", { type: "radio", name: "home", value: name, checked: name === this.#home });
      input.addEventListener("change", () => {
        sessionStorage.setItem("home", name);
        note(`you: move to ${name}`);
        if (this.#world) this.#moveTo(this.#world);
        this.#draw();
      });
      field.append(html("label", {}, input, name));
    }
  }
}

new Demo().start();
