// The list of runs: filter it, open a run, choose two to compare.

import { html } from "../../src/dom.ts";
import { plural } from "../../report/src/format.ts";
import type { Entry, RunList, State } from "./model.ts";
import type { Place } from "./main.ts";
import { announce, badge, captioned, entitle, notice } from "./parts.ts";
import { bytes, duration, startOf, tailOf } from "./words.ts";

const STATES: readonly State[] = ["PASS", "FAIL", "INCONCLUSIVE", "UNFINISHED"];
/** Time without a key until the list follows what the reader types. */
const TYPING_MS = 200;

interface Filter {
  scenario: string;
  verdict: string;
  text: string;
}

export async function drawHistory(place: Place): Promise<void> {
  entitle("History");
  await new History(place).start();
}

class History {
  readonly #place: Place;
  readonly #filter: Filter;
  readonly #list = html("div", { id: "list" });
  readonly #scenarios = html("select", { id: "scenario" }) as HTMLSelectElement;
  readonly #compare = html("button", { id: "compare", type: "button", disabled: true }, "Compare") as HTMLButtonElement;
  readonly #chosen = new Set<string>();
  #runs: readonly Entry[] = [];
  /** Only the answer to the last question counts. */
  #question = 0;

  constructor(place: Place) {
    this.#place = place;
    const query = new URLSearchParams(location.search);
    this.#filter = { scenario: query.get("scenario") ?? "", verdict: query.get("verdict") ?? "", text: query.get("text") ?? "" };
  }

  async start(): Promise<void> {
    const answer = await this.#ask();
    this.#place.view.append(this.#form(), this.#list);
    this.#show(answer, false);
  }

  #ask(before = ""): Promise<RunList> {
    return this.#place.api.get<RunList>(withQuery("/api/runs", { ...this.#filter, before }), this.#place.signal);
  }

  #form(): HTMLElement {
    const text = html("input", { id: "text", type: "search", value: this.#filter.text, placeholder: "Name of a run or a scenario" }) as HTMLInputElement;
    let timer = 0;
    text.addEventListener("input", () => {
      clearTimeout(timer);
      timer = window.setTimeout(() => this.#change({ text: text.value.trim() }), TYPING_MS);
    });
    const verdicts = html("select", { id: "verdict" }, html("option", { value: "" }, "All"), ...STATES.map((state) => html("option", { value: state, selected: state === this.#filter.verdict }, state))) as HTMLSelectElement;
    verdicts.addEventListener("change", () => this.#change({ verdict: verdicts.value }));
    this.#scenarios.addEventListener("change", () => this.#change({ scenario: this.#scenarios.value }));
    this.#compare.addEventListener("click", () => {
      // The older run stands on the left: its name comes first.
      const [a, b] = [...this.#chosen].sort();
      if (a && b) this.#place.go(`/compare/${a}/${b}`);
    });
    const field = (id: string, name: string, input: HTMLElement): HTMLElement => html("label", { class: "field", for: id }, html("span", {}, name), input);
    const form = html("form", { id: "filter", role: "search", "aria-label": "Runs" }, field("text", "Find", text), field("scenario", "Scenario", this.#scenarios), field("verdict", "Verdict", verdicts), this.#compare);
    form.addEventListener("submit", (event) => event.preventDefault());
    return form;
  }

  #change(part: Partial<Filter>): void {
    Object.assign(this.#filter, part);
    history.replaceState(null, "", withQuery("/runs", { ...this.#filter }));
    void this.#load(false);
  }

  async #load(isMore: boolean): Promise<void> {
    this.#question += 1;
    const question = this.#question;
    try {
      const answer = await this.#ask(isMore ? this.#runs.at(-1)?.run : "");
      if (question === this.#question) this.#show(answer, isMore);
    } catch (error) {
      if (!this.#place.signal.aborted && question === this.#question) this.#list.replaceChildren(notice((error as Error).message, true));
    }
  }

  #show(answer: RunList, isMore: boolean): void {
    const first = isMore ? this.#runs.length : 0;
    this.#runs = isMore ? [...this.#runs, ...answer.runs] : answer.runs;
    this.#fillScenarios(answer.scenarios);
    entitle("History", `Runs that \`loadgen run --store ${answer.store}\` kept.`);
    const isFiltered = Object.values(this.#filter).some((value) => value !== "");
    const number = isFiltered ? `${plural(answer.matching, "run")} of ${answer.total}` : plural(answer.total, "run");
    announce(number);
    const parts: HTMLElement[] = [html("p", { id: "number", class: "quiet" }, number)];
    if (this.#runs.length > 0) parts.push(this.#table());
    else parts.push(notice(isFiltered ? "No run matches. Clear the filter to see all runs." : `The store has no runs yet: \`loadgen run region-outage --store ${answer.store}\` keeps one there.`));
    if (this.#runs.length < answer.matching) {
      const more = html("button", { id: "more", type: "button" }, "Show older runs");
      more.addEventListener("click", () => void this.#load(true));
      parts.push(more);
    }
    this.#list.replaceChildren(...parts);
    // The button that was pressed is gone: the focus goes on to the first run that it brought.
    if (isMore) [...this.#list.querySelectorAll("tbody tr")].slice(first).flatMap((row) => row.querySelector("a") ?? [])[0]?.focus();
  }

  #fillScenarios(names: readonly string[]): void {
    const known = [...this.#scenarios.options].slice(1).map(({ value }) => value);
    if (known.join("\n") === names.join("\n") && this.#scenarios.options.length > 0) return;
    const options = names.map((name) => html("option", { value: name, selected: name === this.#filter.scenario }, name));
    this.#scenarios.replaceChildren(html("option", { value: "" }, "All"), ...options);
  }

  #table(): HTMLElement {
    const columns = [{ name: "Started (UTC)" }, { name: "Verdict" }, { name: "Scenario" }, { name: "Duration", isNumber: true }, { name: "Size", isNumber: true }, { name: "Compare" }];
    const rows = this.#runs.map((entry) => {
      const isDone = entry.state !== "UNFINISHED";
      const link = html("a", { href: `/runs/${entry.run}` }, startOf(entry.run));
      const name = html("span", {}, isDone ? link : startOf(entry.run), html("small", { class: "quiet tail" }, tailOf(entry.run)), html("small", { class: "quiet tail narrow" }, [entry.scenario, ...(isDone ? [duration(entry.duration_ms / 1000)] : [])].join(", ")));
      return [name, badge(entry.state), entry.scenario, isDone ? duration(entry.duration_ms / 1000) : "–", isDone ? bytes(entry.bytes) : "–", isDone ? this.#choice(entry) : ""];
    });
    const made = captioned("Runs, the newest first", columns, rows);
    made.classList.add("tall");
    return made;
  }

  #choice({ run }: Entry): HTMLElement {
    const box = html("input", { type: "checkbox", "aria-label": `Compare the run of ${startOf(run)}`, checked: this.#chosen.has(run) }) as HTMLInputElement;
    box.addEventListener("change", () => {
      if (box.checked) this.#chosen.add(run);
      else this.#chosen.delete(run);
      this.#count();
    });
    return html("label", { class: "choose" }, box);
  }

  #count(): void {
    const { size } = this.#chosen;
    this.#compare.disabled = size !== 2;
    this.#compare.textContent = size === 0 ? "Compare" : `Compare (${size} of 2)`;
    announce(size === 2 ? "Two runs are chosen. The button Compare shows them side by side." : `${plural(size, "run")} chosen. Choose two to compare.`);
  }
}

/** Adds those values to a path that are not empty. */
function withQuery(path: string, values: Readonly<Record<string, string>>): string {
  const query = new URLSearchParams(Object.entries(values).filter(([, value]) => value !== "")).toString();
  return query === "" ? path : `${path}?${query}`;
}
