import { join } from "node:path";
import { defineConfig } from "vite";
import { singleFile } from "./single-file.mjs";

export default defineConfig({
  root: import.meta.dirname,
  configFile: false,
  base: "./",
  logLevel: "warn",
  build: {
    target: "es2022",
    modulePreload: false,
    cssCodeSplit: false,
    outDir: join(import.meta.dirname, "../../loadgen/assets"),
    // The folder is part of a Rust crate: nothing else in it belongs to this build.
    emptyOutDir: false,
    rollupOptions: { input: join(import.meta.dirname, "report.html") },
  },
  plugins: [singleFile()],
});
