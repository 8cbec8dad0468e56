import assert from "node:assert/strict";
import { test } from "node:test";
import { createInbox, isSubject, randomToken } from "../src/inbox.ts";
import { parseOptions, parseServers } from "../src/options.ts";
import { postable, parsePageOptions } from "../src/page/options.ts";
import { mayKeep } from "../src/worker/memory.ts";

const HTTP = { protocol: "http:" };
const HTTPS = { protocol: "https:" };

test("servers are completed by the page's security, and keep their region", () => {
  assert.deepEqual(parseServers("a:1, lon=b:2,wss://c", HTTP), ["ws://a:1", "lon=ws://b:2", "wss://c"]);
  assert.deepEqual(parseServers(["a", "wss://b/path?x=y"], HTTPS), ["wss://a", "wss://b/path?x=y"]);
});

test("a bad server is named, with a remedy, before anything is dialled", () => {
  for (const [server, says] of [["nats://a:4222", /websocket port/], ["http://a", /wss:\/\//], ["tls://a", /wss:\/\//], ["ws://", /no address/], ["", /no address/], ["a b", /no address/]] as const) {
    assert.throws(() => parseServers(server, HTTP), (error: Error) => error.name === "InvalidArgumentError" && says.test(error.message) && error.message.includes(JSON.stringify(server)), server);
  }
  assert.throws(() => parseServers([], HTTP), /servers is empty/);
  assert.throws(() => parseServers([7 as unknown as string], HTTP), /7, which is no string/);
});

test("credentials in an address are refused and not shown", () => {
  for (const [server, says] of [["wss://me:secret@a", /user and pass/], ["me:secret@a", /user and pass/], ["lon=me:secret@a", /user and pass/], ["wss://me:se@secret@a", /user and pass/], ["wss://me:1x/secret@a", /user and pass/], ["nats://me:secret@a", /user and pass/]] as const) {
    assert.throws(() => parseServers(server, HTTP), (error: Error) => says.test(error.message) && !error.message.includes("secret") && error.message.includes("@a"), server);
  }
});

test("no part of a secret is in an error, whatever it is made of", () => {
  const letters = Array.from({ length: 94 }, (_, index) => String.fromCharCode(33 + index)).join("");
  const secretOf = (seed: number): string => {
    let state = seed;
    return Array.from({ length: 12 }, () => letters[(state = (state * 48_271) % 0x7fffffff) % letters.length]).join("");
  };
  const parts = (secret: string): string[] => Array.from({ length: secret.length - 3 }, (_, at) => secret.slice(at, at + 4));
  for (let seed = 1; seed <= 2000; seed += 1) {
    const secret = secretOf(seed * 7919);
    const forms = [`wss://u:${secret}@h:1`, `nats://u:${secret}@h`, `${secret}@h`, `wss://${secret}@h:1`, `lon=wss://u:${secret}@h`, `wss://a,ws://u:${secret}@h`];
    for (const servers of [...forms, [...forms.slice(0, 1)], `wss://h/x?token=${secret.replaceAll(/[#@,]/g, "x")} y:z:`]) {
      let message = "";
      try {
        parseServers(servers, HTTP);
      } catch (error) {
        message = (error as Error).message;
      }
      // The text of the error itself has some of these letters too.
      for (const part of parts(secret)) assert.ok(!message.includes(part) || /^[a-z:/ @*]+$/.test(part), `${JSON.stringify(part)} of ${JSON.stringify(servers)} is in ${message}`);
    }
  }
  for (const servers of ["nats://u:s3cr,3t@h:4222", "nats://u:12345,abc@h:4222", "QXzf==@h:4222"]) {
    assert.throws(() => parseServers(servers, HTTP), (error: Error) => !/s3cr|3t@|12345|abc|QXzf/.test(error.message), servers);
  }
});

test("addresses have paths and queries, as reverse proxies want them", () => {
  const servers = ["wss://host/nats", "ws://host:80/path?x=1", "lon=wss://host/a?region=b", "host?x=1"];
  assert.deepEqual(parseServers(servers, HTTP), ["wss://host/nats", "ws://host:80/path?x=1", "lon=wss://host/a?region=b", "ws://host?x=1"]);
});

test("a secure page may open ws:// only to its own machine", () => {
  assert.throws(() => parseServers("ws://nats.example.org", HTTPS), { name: "MixedContentError", code: "MIXED_CONTENT" });
  assert.deepEqual(parseServers(["ws://127.0.0.1:9", "ws://localhost:9", "ws://[::1]:9"], HTTPS).length, 3);
});

test("options of nats-core are taken, mapped, or refused by name", () => {
  const { engine } = parseOptions({ servers: "a", name: "n", timeout: 5, ignoreClusterUpdates: true, publishWait: 7, reconnect: true, maxReconnectAttempts: -1 }, HTTP);
  assert.deepEqual(engine, { servers: ["ws://a"], name: "n", connectTimeoutMs: 5, publishWaitMs: 7, ignoreDiscovered: true });
  for (const name of ["reconnectToServer", "reconnectDelayHandler", "wsFactory", "port", "severs"]) {
    assert.throws(() => parseOptions({ servers: "a", [name]: () => {} }, HTTP), (error: Error) => error.message.includes(name), name);
  }
  for (const wrong of [{ name: 7 }, { timeout: "5" }, { timeout: -1 }, { timeout: Number.NaN }, { noEcho: 1 }, { authenticator: "x" }, { config: null }, { credentials: null }, { config: [] }, { timeout: Number.POSITIVE_INFINITY }]) {
    assert.throws(() => parseOptions({ servers: "a", ...wrong } as object, HTTP), { code: "INVALID_ARGUMENT" }, JSON.stringify(wrong));
  }
});

test("several authenticators give one answer", async () => {
  const { engine, authenticator } = parseOptions({ servers: "a", authenticator: [() => ({ user: "u" }), async () => ({ auth_token: "t" })] }, HTTP);
  assert.equal(engine.auth, "callback");
  assert.deepEqual(await authenticator?.(), { user: "u", auth_token: "t" });
});

test("what is posted to the worker is data; functions stay in the page", async () => {
  assert.deepEqual(await postable({}), { posted: undefined, authenticator: undefined });
  const { posted, authenticator } = await postable({ servers: "wss://a", authenticator: () => ({ auth_token: "t" }) });
  assert.equal(posted?.answers, true);
  assert.equal(typeof authenticator, "function");
  structuredClone(posted);
  assert.throws(() => parsePageOptions({ mode: "never" as "auto" }), { code: "INVALID_ARGUMENT" });
  assert.throws(() => parsePageOptions({ worker: { type: "shared" as "classic" } }), { code: "INVALID_ARGUMENT" });
  // The worker's own paths would lie beside such a scope.
  assert.throws(() => parsePageOptions({ worker: { scope: "/app" } }), { code: "INVALID_ARGUMENT", message: /"\/app\/"/ });
  assert.equal(parsePageOptions({ worker: { scope: "/app/" } }).worker.scope, "/app/");
});

test("passwords and tokens are not written to disk", () => {
  const engine = parseOptions({ servers: "wss://a" }).engine;
  assert.equal(mayKeep({ engine, answers: false }), true);
  assert.equal(mayKeep({ engine: { ...engine, user: "u", pass: "p" }, answers: false }), false);
  assert.equal(mayKeep({ engine: { ...engine, token: "t" }, answers: false }), false);
  // Whose answers come from a page is not known without it.
  assert.equal(mayKeep({ engine, answers: true }), false);
});

test("subjects", () => {
  for (const good of ["a", "a.b", "$JS.API.x", "größe"]) assert.ok(isSubject(good, false), good);
  for (const bad of ["", " ", "a b", "a..b", ".a", "a.", "a\r\nb", "*", "a.>", 7]) assert.ok(!isSubject(bad, false), String(bad));
  for (const good of ["*", ">", "a.*.b", "a.>"]) assert.ok(isSubject(good, true), good);
  for (const bad of ["a.>.b", "a..>", ">."]) assert.ok(!isSubject(bad, true), bad);
});

test("inboxes are unlike each other and stay below their prefix", () => {
  const inboxes = new Set(Array.from({ length: 1000 }, () => createInbox("_INBOX.me")));
  assert.equal(inboxes.size, 1000);
  for (const inbox of inboxes) assert.match(inbox, /^_INBOX\.me\.[0-9A-Za-z]{22}$/);
  assert.match(randomToken(), /^[0-9A-Za-z]{22}$/);
  assert.throws(() => createInbox("a.*"), { code: "INVALID_ARGUMENT" });
});
