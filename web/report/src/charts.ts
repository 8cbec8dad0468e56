// The list of all charts of the page. It resizes them with the window and draws them again with another theme.

/** A chart that fills the width of its box. */
export interface Chart {
  /** Takes the width of its box, and draws if that changed. */
  resize(): void;
  /** Draws again in the colours of the theme. */
  redraw(): void;
  remove(): void;
}

const charts = new Set<Chart>();

export function addChart(chart: Chart): void {
  charts.add(chart);
}

/** Removes the charts of one run before those of another are drawn. */
export function removeCharts(removed: Iterable<Chart>): void {
  for (const chart of removed) {
    chart.remove();
    charts.delete(chart);
  }
}

export function resizeCharts(): void {
  for (const chart of charts) chart.resize();
}

export function redrawCharts(): void {
  for (const chart of charts) chart.redraw();
}

/** Follows the width of an element, and lays out for paper while the page is printed. */
export function followLayout(element: Element): void {
  let width = 0;
  new ResizeObserver(() => {
    if (element.clientWidth === width) return;
    width = element.clientWidth;
    resizeCharts();
  }).observe(element);
  const root = document.documentElement;
  let theme: string | undefined;
  addEventListener("beforeprint", () => {
    theme = root.dataset["theme"];
    root.dataset["theme"] = "light";
    root.dataset["paper"] = "";
    resizeCharts();
    redrawCharts();
  });
  addEventListener("afterprint", () => {
    delete root.dataset["paper"];
    if (theme !== undefined) root.dataset["theme"] = theme;
    resizeCharts();
    redrawCharts();
  });
}
