// Light or dark: as the system says, until the person says otherwise.

import { byId } from "./dom.ts";

export function startTheme(): void {
  const button = byId<HTMLButtonElement>("theme");
  const system = matchMedia("(prefers-color-scheme: dark)");
  const chosen = (): string | null => localStorage.getItem("theme");
  const show = (): void => {
    const isDark = (chosen() ?? (system.matches ? "dark" : "light")) === "dark";
    document.documentElement.dataset["theme"] = isDark ? "dark" : "light";
    button.setAttribute("aria-pressed", String(isDark));
  };
  button.addEventListener("click", () => {
    localStorage.setItem("theme", document.documentElement.dataset["theme"] === "dark" ? "light" : "dark");
    show();
  });
  system.addEventListener("change", show);
  show();
}
