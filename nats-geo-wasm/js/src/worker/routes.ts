// Routes: which fetch is answered from NATS, and with what.

import type { ObjectRoute, RequestRoute, Route } from "../../types/sw.js";
import { InvalidArgumentError } from "../errors.ts";
import { isSubject } from "../inbox.ts";
import { prefixOf } from "../jetstream.ts";

/** Longer, and Firefox stops the worker while its answer is still awaited (about 60 s). */
const TIMEOUT_MAX_MS = 50_000;
const TIMEOUT_DEFAULT_MS = 10_000;

/** A fetch that matches a route. */
export type Match =
  | { readonly kind: "request"; readonly route: RequestRoute; readonly subject: string; readonly timeoutMs: number }
  | { readonly kind: "object"; readonly route: ObjectRoute; readonly name: string; readonly timeoutMs: number };

/** The routes of a worker. The constructor checks them, so that an error in a route appears at the start of the worker. */
export class Routes {
  readonly #compiled: { readonly route: Route; readonly pattern: RegExp }[];

  constructor(routes: readonly Route[]) {
    this.#compiled = routes.map((route) => ({ route, pattern: compile(route) }));
  }

  /** Returns the first route that matches. `path` is relative to the worker's scope and begins with "/". */
  match(method: string, path: string): Match | undefined {
    for (const { route, pattern } of this.#compiled) {
      const found = pattern.exec(path);
      if (!found) continue;
      const timeoutMs = route.timeout ?? TIMEOUT_DEFAULT_MS;
      if ("bucket" in route) {
        if (method !== "GET" && method !== "HEAD") continue;
        const name = objectName(found.groups?.["rest"] ?? "", route.index);
        if (name !== undefined) return { kind: "object", route, name, timeoutMs };
      } else {
        if (!(route.methods ?? ["GET", "HEAD"]).includes(method)) continue;
        const subject = fill(route.subject, found.groups ?? {});
        if (subject !== undefined) return { kind: "request", route, subject, timeoutMs };
      }
    }
    return undefined;
  }
}

function compile(route: Route): RegExp {
  const name = JSON.stringify(route?.path);
  if (typeof route?.path !== "string" || !route.path.startsWith("/")) throw new InvalidArgumentError(`route ${name}: a path begins with "/"`);
  if ("bucket" in route === "subject" in route) throw new InvalidArgumentError(`route ${name} needs a subject or a bucket, and not both`);
  if ("bucket" in route && !route.path.endsWith("/*")) throw new InvalidArgumentError(`route ${name}: the path of a bucket must end with "/*", which stands for the object's name`);
  if ("bucket" in route) prefixOf(route.domain);
  const { timeout } = route;
  if (timeout !== undefined && !(timeout > 0 && timeout <= TIMEOUT_MAX_MS)) throw new InvalidArgumentError(`route ${name}: timeout is ${timeout}, it must be more than 0 and at most ${TIMEOUT_MAX_MS} ms`);
  const segments = route.path.slice(1).split("/");
  const source = segments.map((segment, index) => {
    if (segment === "*" && index === segments.length - 1) return "(?<rest>.*)";
    if (/^:[A-Za-z]\w*$/.test(segment)) return `(?<${segment.slice(1)}>[^/]+)`;
    if (/[*:]/.test(segment)) throw new InvalidArgumentError(`route ${name}: "*" must be the last segment, and ":name" a whole segment`);
    return segment.replace(/[.+?^${}()|[\]\\]/g, "\\$&");
  });
  const pattern = new RegExp(`^/${source.join("/")}$`);
  if ("subject" in route) checkSubject(route.subject, source.join("/"), name);
  return pattern;
}

/** A placeholder of the subject must be one of the path. */
function checkSubject(subject: string, source: string, name: string): void {
  for (const token of String(subject).split(".")) {
    const group = token === "*" ? "rest" : token.startsWith(":") ? token.slice(1) : undefined;
    if (group !== undefined && !source.includes(`(?<${group}>`)) throw new InvalidArgumentError(`route ${name}: ${token} is in the subject, but not in the path`);
    if (group === undefined && !isSubject(token, false)) throw new InvalidArgumentError(`route ${name}: \`${subject}\` is not a valid subject`);
  }
}

/** Subject with the path's segments in place; undefined when they cannot stand in a subject: the path is not ours then. */
function fill(subject: string, groups: Record<string, string | undefined>): string | undefined {
  const tokens = subject.split(".").map((token) => {
    if (token === "*") return decoded(groups["rest"] ?? "")?.replace(/\/+$/, "").replace(/\//g, ".");
    return token.startsWith(":") ? decoded(groups[token.slice(1)] ?? "")?.replace(/\./g, "_") : token;
  });
  if (tokens.includes(undefined)) return undefined;
  const filled = tokens.filter((token) => token !== "").join(".");
  return isSubject(filled, false) ? filled : undefined;
}

function objectName(rest: string, index: string | undefined): string | undefined {
  const name = decoded(rest);
  if (name === undefined) return undefined;
  if (name !== "" && !name.endsWith("/")) return name;
  return index === undefined ? undefined : `${name}${index}`;
}

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}
