// Asks for the token.

import { byId, html } from "../../src/dom.ts";
import type { Place } from "./main.ts";
import { entitle } from "./parts.ts";

/** Draws the form, and calls `done` after the reader has given the right token. */
export function drawLogin({ api, view }: Place, done: () => void): void {
  entitle("Log in", "Open the address that `loadgen dashboard` printed: the token is in it. Or enter the token here.");
  byId("crumbs").hidden = true;
  const input = html("input", { id: "token", type: "password", autocomplete: "off", required: true, spellcheck: "false" }) as HTMLInputElement;
  const refused = html("p", { class: "bad", role: "alert" });
  const form = html("form", { id: "login" }, html("label", { for: "token" }, "Token"), input, html("button", { type: "submit" }, "Log in"), refused);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    api.logIn(input.value.trim()).then(done, (error: unknown) => {
      refused.textContent = (error as Error).message;
      input.select();
    });
  });
  view.replaceChildren(html("section", { "aria-label": "Log in" }, form));
  input.focus();
}
