import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { defineConfig } from "vite";

const MODULES = join(import.meta.dirname, "../node_modules");
/** Packages that are part of the script. Their licences ask for their text in every copy. */
const PACKAGES = ["eventsource", "eventsource-parser", "uplot"];

export default defineConfig({
  root: import.meta.dirname,
  configFile: false,
  base: "/",
  logLevel: "warn",
  build: {
    target: "es2022",
    modulePreload: false,
    cssCodeSplit: false,
    outDir: join(import.meta.dirname, "../../loadgen/assets/dashboard"),
    emptyOutDir: true,
    rollupOptions: {
      input: join(import.meta.dirname, "index.html"),
      // loadgen serves these two files by these names.
      output: { entryFileNames: "assets/dashboard.js", assetFileNames: "assets/dashboard[extname]" },
    },
  },
  plugins: [flat()],
});

/** Returns a Vite plugin that adds the licences to the script, and puts all three files into one folder. */
function flat() {
  return { name: "flat", enforce: "post", async generateBundle(_, bundle) {
    const names = Object.keys(bundle).sort();
    if (names.join() !== "assets/dashboard.css,assets/dashboard.js,index.html") throw new Error(`the dashboard must be a page, a script and a style sheet, but the build made ${names.join(", ")}`);
    const licences = await Promise.all(PACKAGES.map(async (name) => `The script contains ${name}.\n${(await readFile(join(MODULES, name, "LICENSE"), "utf8")).trim()}`));
    const script = bundle["assets/dashboard.js"];
    script.code = `/*!\n${licences.join("\n\n").replaceAll("*/", "* /")}\n*/\n${script.code.trim()}\n`;
    for (const [name, file] of Object.entries(bundle)) file.fileName = name.replace("assets/", "");
  } };
}
