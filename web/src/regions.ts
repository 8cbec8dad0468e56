// The buttons that break and mend.

import { byId, html } from "./dom.ts";
import { note } from "./timeline.ts";
import type { Command, Control, RegionView, World } from "./world.ts";

/** Draws the regions anew, and keeps the keyboard where it was. */
export function drawRegions(world: World, control: Control): void {
  const focused = document.activeElement?.id;
  byId("regions").replaceChildren(...world.regions.map((region) => card(region, world.busy !== null, control)));
  if (focused) document.getElementById(focused)?.focus();
}

function card(region: RegionView, isBusy: boolean, control: Control): HTMLElement {
  const { name } = region;
  const up = region.servers.filter(({ state }) => state === "up").length;
  const isWhole = up === region.servers.length && !region.is_silent;
  const state = region.is_silent ? "silent" : isWhole ? "healthy" : `${up} of ${region.servers.length} servers up`;
  return html(
    "article",
    { class: isWhole ? "" : "broken", "aria-label": `Region ${name}: ${state}` },
    html("h3", {}, name, html("small", {}, state)),
    html(
      "div",
      { class: "buttons" },
      button(`kill-${name}`, "Kill", `Kill every server in ${name}`, up === 0 || isBusy, control, { do: "kill", target: name }),
      button(`silence-${name}`, "Silence", `Let ${name} fall silent`, region.is_silent || up === 0 || isBusy, control, { do: "silence", target: name }),
      button(`heal-${name}`, isBusy ? "Wait" : "Heal", `Heal ${name}`, isWhole || isBusy, control, { do: "heal", target: name }),
    ),
    html("ul", {}, ...region.servers.map((server) => serverRow(server, isBusy, control))),
  );
}

function serverRow({ name, state }: RegionView["servers"][number], isBusy: boolean, control: Control): HTMLElement {
  const isUp = state === "up";
  return html(
    "li",
    {},
    html("span", { class: isUp ? "up" : "down" }, isUp ? name : `${name}: ${state}`),
    button(`kill-server-${name}`, "kill", `Kill the server ${name}`, !isUp || isBusy, control, { do: "kill", target: name }),
    button(`duck-${name}`, "retire", `Put the server ${name} into lame duck mode`, !isUp || isBusy, control, { do: "retire", target: name }),
  );
}

function button(id: string, text: string, label: string, isOff: boolean, control: Control, command: Command): HTMLElement {
  const made = html("button", { id, type: "button", "aria-label": label, title: label, disabled: isOff }, text);
  made.addEventListener("click", () => void give(label, control, command));
  return made;
}

async function give(label: string, control: Control, command: Command): Promise<void> {
  byId("refused").textContent = "";
  note(`you: ${label.charAt(0).toLowerCase()}${label.slice(1)}`);
  try {
    await control.order(command);
  } catch (error) {
    byId("refused").textContent = (error as Error).message;
  }
}
