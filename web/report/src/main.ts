// The report of a loadgen run: reads the data that stands in the page, and draws it.

import "./language.ts";
import "uplot/dist/uPlot.min.css";
import { byId, html } from "../../src/dom.ts";
import { startTheme } from "../../src/theme.ts";
import { followLayout, redrawCharts, removeCharts, resizeCharts, type Chart } from "./charts.ts";
import { drawCollected } from "./collected.ts";
import { drawComparison } from "./compare.ts";
import { drawEcdf } from "./ecdf.ts";
import { drawEnvironment } from "./environment.ts";
import { drawLatency } from "./latency.ts";
import { drawLedger } from "./ledger.ts";
import { drawMatrix } from "./matrix.ts";
import { readReport, type Report, type Run } from "./model.ts";
import { choice, message } from "./page.ts";
import { drawPlaces } from "./places.ts";
import { drawRequests } from "./requests.ts";
import { drawStrip } from "./strip.ts";
import "./style.css";
import { drawThresholds, drawVerdict } from "./summary.ts";
import { TimeAxis } from "./time.ts";
import type { Frames } from "./timechart.ts";
import { faultList, toolbar } from "./toolbar.ts";
import { drawTraffic } from "./traffic.ts";
import { drawWaterfall } from "./waterfall.ts";

let charts = new Set<Chart>();

function start(): void {
  startTheme(redrawCharts);
  let report: Report;
  try {
    report = readReport(byId("run-data").textContent ?? "");
  } catch (error) {
    document.title = "loadgen report";
    return message((error as Error).message);
  }
  document.title = `${report.verdict}: ${report.title}`;
  byId("title").textContent = report.title;
  byId("description").textContent = report.description ?? "";
  const draw = (index: number): void => {
    try {
      drawAll(report, report.runs[index]);
    } catch (error) {
      console.error(error);
      message(`The page cannot draw this report: ${(error as Error).message}. report.json of the same run has the data; please report this as a bug of loadgen.`);
    }
  };
  draw(0);
  if (report.runs.length > 1) byId("runs").append(choice("run", "Run", report.runs.map(({ strategy, repetition }) => `${strategy}, repetition ${repetition}`), draw));
  followLayout(byId("main"));
}

/** Draws everything. Some sections are of one run, others of all; they stand in the order of the questions that readers ask. */
function drawAll(report: Report, run: Run | undefined): void {
  const page = byId("report");
  const { scrollY } = window;
  removeCharts(charts);
  charts = new Set();
  page.replaceChildren();
  byId("contents").replaceChildren();
  drawVerdict(report, page);
  drawThresholds(report, page);
  if (run) {
    drawTimes(report, run, page);
    drawWaterfall(run, page);
  }
  drawEcdf(report, charts, page);
  if (run) {
    drawMatrix(report, run, page);
    drawTraffic(run, page);
    drawLedger(run, page);
  }
  drawComparison(report, page);
  drawEnvironment(report, page);
  resizeCharts();
  window.scrollTo({ top: scrollY, behavior: "instant" });
}

function drawTimes(report: Report, run: Run, parent: HTMLElement): void {
  const first = run.faults[0];
  const frames: Frames = { run, charts, axis: new TimeAxis(run.duration_s, first ? first.from_s + run.step_s / 2 : 0) };
  const group = html("div", { class: "times" }, toolbar(report, frames), ...(first ? [faultList(run)] : []));
  parent.append(group);
  drawRequests(report, frames, group);
  drawLatency(report, frames, group);
  drawPlaces(report, frames, group);
  drawStrip(report, frames, group);
  drawCollected(frames, group);
}

start();
