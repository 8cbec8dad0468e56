// uPlot formats numbers in the browser's language as soon as it is loaded. WebKitGTK in the locale `C` names a language that
// does not exist, and uPlot would end with an error. Import this before uPlot.

try {
  new Intl.NumberFormat(navigator.language);
} catch {
  Object.defineProperty(navigator, "language", { value: "en-GB" });
}
