// Shows the theme of the system until the reader chooses another one.

import { byId } from "./dom.ts";

const KEY = "theme";
/** The reader's choice in a page that may not store it. */
let unstored: string | null = null;

/** Shows the theme, follows the button `#theme`, and calls `changed` after each change. */
export function startTheme(changed: () => void = () => {}): void {
  const button = byId<HTMLButtonElement>("theme");
  const system = matchMedia("(prefers-color-scheme: dark)");
  const show = (): void => {
    const isDark = (stored() ?? (system.matches ? "dark" : "light")) === "dark";
    document.documentElement.dataset["theme"] = isDark ? "dark" : "light";
    button.setAttribute("aria-pressed", String(isDark));
    changed();
  };
  button.addEventListener("click", () => {
    store(document.documentElement.dataset["theme"] === "dark" ? "light" : "dark");
    show();
  });
  system.addEventListener("change", show);
  show();
}

// A sandboxed page, as CI servers show artifacts, throws on each access to storage.
function stored(): string | null {
  try {
    return localStorage.getItem(KEY);
  } catch {
    return unstored;
  }
}

function store(theme: string): void {
  unstored = theme;
  try {
    localStorage.setItem(KEY, theme);
  } catch {
    // The choice then holds until the reader closes the page.
  }
}
