// The web site of the tests: the package's dist/, and the pages and workers of site/.

import { readFile } from "node:fs/promises";
import http from "node:http";
import https from "node:https";
import { extname, join, normalize } from "node:path";

const here = import.meta.dirname;
const DIST = join(here, "../../../nats-geo-wasm/js/dist");
const SITE = join(here, "../site");
const TYPES = { ".html": "text/html", ".js": "text/javascript", ".wasm": "application/wasm" };

/**
 * `configuration`: what the workers' scripts are given. `tls`: key and certificate for https. `root`: another site's.
 * `first`: a script of site/ that runs in page and worker before the package.
 */
export async function startSite(configuration, { tls, csp, root, first } = {}) {
  const preamble = first ? await readFile(join(SITE, first), "utf8") : "";
  const answer = async (request, response) => {
    const { pathname } = new URL(request.url, "http://site");
    const headers = { "cache-control": "no-store", ...(csp ? { "content-security-policy": csp } : {}) };
    // A server that accepts and then says nothing.
    if (pathname.startsWith("/never/")) return;
    if (pathname === "/configuration.js") {
      return response.writeHead(200, { ...headers, "content-type": "text/javascript" }).end(`${preamble}\nself.CONFIGURATION = ${JSON.stringify(configuration)};`);
    }
    const file = root ? join(root, normalize(pathname)) : pathname.startsWith("/nats-geo/") ? join(DIST, normalize(pathname.slice("/nats-geo/".length))) : join(SITE, normalize(pathname));
    try {
      const content = await readFile(file);
      response.writeHead(200, { ...headers, "content-type": TYPES[extname(file)] ?? "application/octet-stream" }).end(content);
    } catch {
      response.writeHead(404, { "content-type": "text/plain" }).end(`the web server has no ${pathname}\n`);
    }
  };
  const server = tls ? https.createServer(tls, answer) : http.createServer(answer);
  await new Promise((resolve, reject) => server.listen(0, "127.0.0.1", resolve).on("error", reject));
  const { port } = server.address();
  return {
    /** Every name is an origin of its own, with a service worker of its own. */
    origin: (name) => `${tls ? "https" : "http"}://${name}.localhost:${port}`,
    stop: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}
