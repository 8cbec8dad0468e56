// The page that holds the pages of all clients. A name below `localhost` gives each an origin of its own, and so a service
// worker of its own.

import { byId, html } from "../dom.ts";
import { CLOSED, Desk, type FrameOrder } from "./orders.ts";

const frames = new Map<MessageEventSource | null, HTMLIFrameElement>();
const say = (text: string): void => void (byId("state").textContent = text);
const count = (): void => say(`${frames.size} clients`);

function open(number: number): void {
  const src = `http://client-${number}.localhost:${location.port}/client.html?client=${number}${location.hash}`;
  const frame = html("iframe", { src, title: `client ${number}` }) as HTMLIFrameElement;
  byId("frames").append(frame);
  frames.set(frame.contentWindow, frame);
  count();
}

addEventListener("message", ({ data, source }) => {
  if (data !== CLOSED) return;
  frames.get(source)?.remove();
  frames.delete(source);
  count();
});

new Desk<FrameOrder>(null, (order) => open(order.open), () => say("loadgen has ended, or this page is not the one that loadgen opened"));
count();
