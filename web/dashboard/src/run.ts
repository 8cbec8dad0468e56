// One run: its verdict, its sentences and thresholds, its facts and files, and the whole report.

import { html } from "../../src/dom.ts";
import { plural } from "../../report/src/format.ts";
import { readReport, type Report } from "../../report/src/model.ts";
import { section } from "../../report/src/page.ts";
import { drawThresholds, drawVerdict } from "../../report/src/summary.ts";
import { fileOf } from "./api.ts";
import type { Manifest } from "./model.ts";
import type { Place } from "./main.ts";
import { captioned, entitle, notice } from "./parts.ts";
import { bytes, duration, startOf } from "./words.ts";

const REPORT = "report.json";
const PAGE = "report.html";

export async function drawRun({ api, view, signal }: Place, [name = ""]: readonly string[]): Promise<void> {
  entitle(`Run ${startOf(name)}`);
  const manifest = await api.get<Manifest>(`/api/runs/${encodeURIComponent(name)}`, signal);
  entitle(manifest.title, `${manifest.scenario}, ${startOf(manifest.run)} UTC, ${duration(manifest.duration_s)}`);
  const report = await reportOf({ api, signal }, manifest);
  if (report instanceof Error) view.append(notice(report.message, true));
  else {
    drawVerdict(report, view);
    drawThresholds(report, view);
  }
  drawFacts(manifest, view);
  drawFiles(manifest, view);
  drawPage(manifest, view);
}

/** Reads the report of a run. Returns an error if the run has none, or one of another version: the files are there all the same. */
export async function reportOf({ api, signal }: Pick<Place, "api" | "signal">, { run, files }: Manifest): Promise<Report | Error> {
  if (!files.some(({ path }) => path === REPORT)) return new Error(`The run ${run} has no ${REPORT}: \`loadgen report DIR\` writes it from a folder with the run.`);
  const text = await api.text(fileOf(run, REPORT), signal);
  try {
    return readReport(text);
  } catch (error) {
    return error as Error;
  }
}

function drawFacts(manifest: Manifest, view: HTMLElement): void {
  const { host } = manifest;
  const facts: (readonly [string, string])[] = [
    ["Run", manifest.run],
    ["Seed", String(manifest.seed)],
    ["loadgen", manifest.loadgen],
    ["nats-server", manifest.nats_servers.map(({ version, servers }) => `${version} (${plural(servers, "server")})`).join(", ")],
    ["WAN", manifest.wan],
    ["Machine", `${host.name}, ${host.os}, ${host.kernel}, ${plural(host.cores, "core")}`],
    ["Changed options", manifest.changes.join("; ")],
  ];
  const list = html("dl", {}, ...facts.flatMap(([name, value]) => [html("dt", {}, name), html("dd", {}, value === "" ? "–" : value)]));
  section("facts", "Facts", null, view, list);
}

function drawFiles(manifest: Manifest, view: HTMLElement): void {
  const rows = manifest.files.map(({ path, size }) => [html("a", { href: fileOf(manifest.run, path), target: "_blank", rel: "noopener" }, path), bytes(size)]);
  const command = html("p", { class: "quiet" }, "All files: ", html("code", {}, `loadgen runs get ${manifest.run}`));
  const made = html("details", {}, html("summary", {}, `Table: ${plural(manifest.files.length, "file")}`), captioned("Files of the run", [{ name: "File" }, { name: "Size", isNumber: true }], rows));
  section("files", "Files", null, view, command, made);
}

/** Shows the report as it was written, in a frame that can reach nothing of the dashboard. */
function drawPage(manifest: Manifest, view: HTMLElement): void {
  if (!manifest.files.some(({ path }) => path === PAGE)) return void section("report", "Report", `The run has no ${PAGE}.`, view);
  const address = fileOf(manifest.run, PAGE);
  const alone = html("a", { href: address, target: "_blank", rel: "noopener" }, "Open the report in its own tab");
  const frame = html("iframe", { src: address, title: `Report of the run ${manifest.run}`, sandbox: "allow-scripts", loading: "lazy" });
  section("report", "Report", null, view, html("p", {}, alone), frame);
}
