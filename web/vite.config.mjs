import { cp, mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { defineConfig } from "vite";
import { lengthened } from "./film.mjs";

const root = import.meta.dirname;

export default defineConfig({
  base: "./",
  build: {
    target: "es2022",
    // The engine is loaded by its address, never inlined: its hash is in its name.
    assetsInlineLimit: 0,
    rollupOptions: {
      input: {
        index: join(root, "index.html"),
        // The pages of loadgen's clients of kind `browser`.
        clients: join(root, "clients.html"),
        client: join(root, "client.html"),
        sw: join(root, "src/sw.ts"),
      },
      // A worker's script keeps its name: browsers look for updates there.
      output: { entryFileNames: (chunk) => (chunk.name === "sw" ? "sw.js" : "assets/[name]-[hash].js") },
    },
  },
  plugins: [{ name: "content-for-nats", closeBundle: content }],
});

/** What `loadgen up --serve` loads into NATS. */
async function content() {
  const into = join(root, "dist/nats");
  await cp(join(root, "nats/pages"), join(into, "pages"), { recursive: true });
  await mkdir(join(into, "objects"), { recursive: true });
  const clip = await readFile(join(root, "nats/objects/zoom.webm"));
  // Three minutes at 0.8 Mbit/s: browsers read some 40 s ahead, so a dying region is noticed.
  await writeFile(join(into, "objects/zoom.webm"), lengthened(clip, 24));
}
