// Shows the verdict, a sentence for each fault, and the thresholds.

import { html } from "../../src/dom.ts";
import type { Report, Threshold } from "./model.ts";
import { nothing, section, table } from "./page.ts";

const SIGNS = { PASS: "✓", FAIL: "✗", INCONCLUSIVE: "?" } as const;
const MEANINGS = {
  PASS: "Every threshold holds.",
  FAIL: "At least one threshold is broken.",
  INCONCLUSIVE: "This run cannot tell: the machine or the emulation disturbed the measurement.",
} as const;

export function drawVerdict(report: Report, parent: HTMLElement): void {
  const { verdict, reasons, sentences } = report;
  const banner = html("p", { class: `verdict ${verdict.toLowerCase()}` }, html("span", { "aria-hidden": "true" }, SIGNS[verdict] ?? "?"), html("strong", {}, verdict), html("span", { class: "meaning" }, MEANINGS[verdict] ?? ""));
  const why = reasons.length > 0 ? [html("h3", {}, "Reasons"), list("reasons", reasons)] : [];
  const what = sentences.length > 0 ? list("sentences", sentences) : nothing(report.runs.some(({ faults }) => faults.length > 0) ? "loadgen wrote no summary of the faults. The charts below show them." : "This run had no fault.");
  section("verdict", "Verdict", null, parent, banner, ...why, html("h3", {}, "Faults"), what);
}

export function drawThresholds({ thresholds }: Report, parent: HTMLElement): void {
  const rows = thresholds.map((threshold) => [threshold.text, threshold.measured ?? "not measured", outcome(threshold)]);
  const content = rows.length > 0 ? table("Thresholds", [{ name: "Threshold" }, { name: "Measured", isNumber: true }, { name: "Outcome" }], rows) : nothing("The scenario sets no threshold.");
  section("thresholds", "Thresholds", null, parent, content);
}

function outcome({ holds }: Threshold): HTMLElement {
  if (holds === null) return html("span", { class: "unknown" }, "? not judged");
  return holds ? html("span", { class: "good" }, "✓ holds") : html("span", { class: "bad" }, "✗ broken");
}

/** Makes a list of plain sentences. */
export function list(name: string, items: readonly string[]): HTMLElement {
  return html("ul", { class: name }, ...items.map((item) => html("li", {}, item)));
}
