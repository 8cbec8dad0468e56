// The dashboard of loadgen: draws the page that the address names.

import "../../report/src/language.ts";
import "uplot/dist/uPlot.min.css";
import { byId, html } from "../../src/dom.ts";
import { startTheme } from "../../src/theme.ts";
import { followLayout, redrawCharts, removeCharts, type Chart } from "../../report/src/charts.ts";
import "../../report/src/style.css";
import "./style.css";
import { drawAgents } from "./agents.ts";
import { Api, Refused, UNAUTHORIZED } from "./api.ts";
import { drawComparison } from "./compare.ts";
import { drawHistory } from "./history.ts";
import { drawHosts } from "./hosts.ts";
import { drawJetStream } from "./jetstream.ts";
import { drawLive } from "./live.ts";
import { drawLogin } from "./login.ts";
import { drawNetwork } from "./network.ts";
import { drawOperate } from "./operate.ts";
import { announce, entitle, notice } from "./parts.ts";
import { drawRun } from "./run.ts";
import { drawServer } from "./server.ts";

/** What a page draws with. */
export interface Place {
  readonly api: Api;
  readonly view: HTMLElement;
  /** Ends when the reader leaves the page. */
  readonly signal: AbortSignal;
  /** The charts of the page, to be removed with it. */
  readonly charts: Set<Chart>;
  /** Goes to another page. */
  readonly go: (path: string) => void;
}

type Draw = (place: Place, parts: readonly string[]) => Promise<void> | void;

/** Addresses and their pages. loadgen serves the app at the same ones. */
const PAGES: readonly (readonly [RegExp, Draw])[] = [
  [/^\/(?:runs)?$/, drawHistory],
  [/^\/runs\/([^/]+)$/, drawRun],
  [/^\/compare\/([^/]+)\/([^/]+)$/, drawComparison],
  [/^\/live$/, drawLive],
  [/^\/network$/, drawNetwork],
  [/^\/hosts$/, drawHosts],
  [/^\/jetstream$/, drawJetStream],
  [/^\/servers\/([^/]+)$/, drawServer],
  [/^\/agents$/, drawAgents],
  [/^\/operate$/, drawOperate],
  [/^\/frame\/nats$/, drawLive],
  [/^\/frame\/network$/, drawNetwork],
  [/^\/frame\/hosts$/, drawHosts],
  [/^\/frame\/jetstream$/, drawJetStream],
  [/^\/frame\/agents$/, drawAgents],
];
const FRAMES = "/frame/";

const isFrame = location.pathname.startsWith(FRAMES);
const api = Api.fromAddress(isFrame);
let leaving = new AbortController();
let charts = new Set<Chart>();
let shown = "";

/** Draws the page of the address, in place of the one that is there. */
async function draw(): Promise<void> {
  leaving.abort();
  leaving = new AbortController();
  removeCharts(charts);
  charts = new Set();
  shown = location.pathname;
  const view = html("div", { id: "view" });
  byId("view").replaceWith(view);
  byId("contents").replaceChildren();
  byId("contents").hidden = true;
  byId("crumbs").hidden = !/^\/(?:runs|compare)\/./.test(location.pathname);
  announce("");
  markPage();
  const place: Place = { api, view, signal: leaving.signal, charts, go };
  try {
    for (const [address, page] of PAGES) {
      const parts = address.exec(location.pathname);
      if (parts) return await page(place, parts.slice(1).map(decodeURIComponent));
    }
    entitle("No such page");
    view.append(notice("The dashboard has no page at this address. The links above lead to its pages.", true));
  } catch (error) {
    if (place.signal.aborted) return;
    fail(place, error);
  }
}

function fail(place: Place, error: unknown): void {
  if (error instanceof Refused && error.status === UNAUTHORIZED) {
    byId("leave").hidden = true;
    return drawLogin(place, () => void enter());
  }
  if (!(error instanceof Refused)) console.error(error);
  place.view.replaceChildren(notice((error as Error).message, true));
}

/** Draws the page, and then moves the focus to its heading, as a browser does after a link. */
async function enter(): Promise<void> {
  byId("leave").hidden = false;
  await draw();
  byId("title").focus({ preventScroll: true });
  window.scrollTo({ top: 0, behavior: "instant" });
}

function go(path: string): void {
  history.pushState(null, "", path);
  void enter();
}

function markPage(): void {
  for (const link of document.querySelectorAll<HTMLAnchorElement>("#pages a")) {
    const isHere = link.pathname === "/runs" ? /^\/(runs.*|compare.*)?$/.test(location.pathname) : link.pathname === location.pathname;
    if (isHere) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
}

/** Follows links between pages without loading the app again. */
function followLinks(): void {
  document.addEventListener("click", (event) => {
    const link = event.target instanceof Element ? event.target.closest("a") : null;
    const isPlain = event.button === 0 && !event.metaKey && !event.ctrlKey && !event.shiftKey && !event.altKey;
    if (!link || !isPlain || link.target !== "" || link.hasAttribute("download") || link.origin !== location.origin) return;
    if (link.pathname === location.pathname && link.hash !== "") return;
    if (!PAGES.some(([address]) => address.test(link.pathname))) return;
    event.preventDefault();
    go(link.pathname + link.search);
  });
  addEventListener("popstate", () => {
    // A link within the page changes only the fragment.
    if (location.pathname !== shown) void enter();
  });
}

async function start(): Promise<void> {
  startTheme(redrawCharts);
  document.documentElement.toggleAttribute("data-frame", isFrame);
  followLinks();
  followLayout(byId("main"));
  byId("leave").hidden = false;
  byId("leave").addEventListener("click", () => {
    const after = (): void => void draw();
    api.logOut().then(after, after);
  });
  await api.start();
  await draw();
}

void start();
