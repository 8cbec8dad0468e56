// Follows the events of one path of the API: a line about the last event, the reason if there is none, and content that is marked while it is old.

import { html } from "../../src/dom.ts";
import { plural } from "../../report/src/format.ts";
import type { Place } from "./main.ts";
import type { Moment, Trouble } from "./model.ts";
import { announce, notice } from "./parts.ts";
import { timeOf } from "./words.ts";

const TROUBLE = "trouble";

/** The events of one path. */
export interface Feed<T extends Moment> {
  readonly path: string;
  /** Name of the events with data. Events with a reason are named `trouble`. */
  readonly event: string;
  /** Line of the page until the first event. */
  readonly waiting: string;
  /** Makes the content of the page. */
  readonly view: (place: Place) => View<T>;
}

/** Content that changes with each event. */
export interface View<T> {
  readonly elements: readonly HTMLElement[];
  /** Shows an event, and returns the words about it. */
  readonly show: (seen: T) => Words;
}

export interface Words {
  /** One sentence, without its period. */
  readonly summary: string;
  /** Sentences about missing data. */
  readonly problems: readonly string[];
  /** Text that is read aloud. It must not change with each event. */
  readonly spoken: string;
}

/** Shows the events of a path until the reader leaves the page. */
export async function follow<T extends Moment>(place: Place, feed: Feed<T>): Promise<void> {
  // An answer that is no stream has a reason, which the stream itself would hide.
  await place.api.get("/api/session", place.signal);
  const page = new LivePage(place, feed);
  place.api.listen(
    feed.path,
    [feed.event, TROUBLE],
    { event: (name, data) => (name === TROUBLE ? page.fail((data as Trouble).reason) : page.show(data as T)), lost: () => page.fail("The dashboard does not answer. This page tries again.") },
    place.signal,
  );
}

class LivePage<T extends Moment> {
  readonly #view: View<T>;
  readonly #now: HTMLElement;
  readonly #trouble = html("div", { id: "trouble" });
  readonly #content: HTMLElement;
  #notices = "";

  constructor(place: Place, { view, waiting }: Feed<T>) {
    this.#view = view(place);
    this.#now = html("p", { id: "now", class: "quiet" }, waiting);
    this.#content = html("div", { id: "live", hidden: true }, ...this.#view.elements);
    place.view.append(this.#now, this.#trouble, this.#content);
  }

  show(seen: T): void {
    this.#content.hidden = false;
    this.#content.classList.remove("stale");
    const { summary, problems, spoken } = this.#view.show(seen);
    this.#now.textContent = `${summary}. Seen at ${timeOf(seen.at)}, every ${plural(seen.every_s, "second")}.`;
    this.#notify(problems, false);
    announce(spoken.replaceAll("`", ""));
  }

  /** Shows why there is nothing new. The last event stays, and is marked as old. */
  fail(reason: string): void {
    this.#content.classList.add("stale");
    this.#now.textContent = this.#content.hidden ? "Nothing was seen yet." : "The figures below are old.";
    this.#notify([reason], true);
  }

  #notify(texts: readonly string[], isUrgent: boolean): void {
    // An alert is read aloud each time that it is made.
    const notices = JSON.stringify([isUrgent, ...texts]);
    if (this.#notices !== notices) this.#trouble.replaceChildren(...texts.map((text) => notice(text, isUrgent)));
    this.#notices = notices;
  }
}
