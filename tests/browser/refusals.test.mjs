// Bad input, wrong servers, wrong credentials: a typed error with a code, and nothing hangs.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import net from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { promisify } from "node:util";
import { createUser } from "@nats-io/nkeys";
import { closedPort, startImpostor, startServer } from "./lib/server.mjs";
import { startSite } from "./lib/site.mjs";
import { operatorConfig } from "./lib/jwt.mjs";
import { until } from "./lib/until.mjs";
import { MODES, startWorld } from "./lib/world.mjs";

/** Much more than any of these may take; the default limit would be 20 s. */
const LIMIT_MS = 5000;

let world;
let open;
let guarded;
let operated;
let nkey;
const impostors = {};

before(async () => {
  world = await startWorld({ withCluster: false });
  open = await startServer("max_payload: 1MB");
  const user = createUser();
  nkey = { seed: new TextDecoder().decode(user.getSeed()), public: user.getPublicKey() };
  guarded = await startServer(`
    authorization {
      timeout: 2
      users: [
        { user: me, password: secret }
        { nkey: ${nkey.public} }
        { user: limited, password: secret, permissions: { publish: ["allowed", "_INBOX.>"], subscribe: ["allowed", "_INBOX.>"] } }
      ]
    }`);
  operated = await operatorConfig();
  operated.server = await startServer(operated.config);
  impostors.chat = await startImpostor("welcome to my chat\r\n");
  impostors.half = await startImpostor('INFO {"server_id":"X","max_pa');
  impostors.silent = await startImpostor("");
});

after(async () => {
  for (const server of [open, guarded, operated?.server, ...Object.values(impostors)]) await server?.stop();
  await world?.stop();
});

for (const mode of MODES) {
  describe(mode.name, () => {
    /** Each attempt on an origin of its own: pages of one origin share a connection. */
    const attempt = async (options) => {
      const page = await world.page();
      const result = await page.evaluate((options) => outcome(async () => {
        window.nc = await natsGeo.connect(options);
        await nc.flush();
        return nc.info.server_name;
      }), { timeout: LIMIT_MS, preset: "interactive", ...mode.options, ...options });
      return { ...result, page };
    };
    const refusedWith = async (options, name, code, says = /./) => {
      const { error, value, ms, page } = await attempt(options);
      await page.context().close();
      assert.ok(error, `it connected to ${value}`);
      assert.deepEqual([error.name, error.code], [name, code], error.message);
      assert.match(error.message, says);
      assert.ok(ms < 3 * LIMIT_MS, `only after ${ms} ms`);
      return error;
    };

    it("refuses a scheme that browsers cannot open", () => refusedWith({ servers: "nats://a:4222" }, "InvalidArgumentError", "INVALID_ARGUMENT", /nats:\/\/a:4222.*websocket/));
    it("refuses options that it does not know", () => refusedWith({ servers: open.url, severs: "x" }, "InvalidArgumentError", "INVALID_ARGUMENT", /severs/));
    it("refuses options that would choose the server", () => refusedWith({ servers: open.url, port: 4222 }, "InvalidArgumentError", "INVALID_ARGUMENT", /port/));
    it("refuses a policy field that does not exist", () => refusedWith({ servers: open.url, config: { ping_intervall: 5 } }, "InvalidArgumentError", "INVALID_CONFIG", /ping_intervall/));
    it("says that nobody listens", async () => refusedWith({ servers: `ws://127.0.0.1:${await closedPort()}`, timeout: 1500 }, "ConnectionError", "CONNECTION"));
    it("says that a server is no NATS server", () => refusedWith({ servers: impostors.chat.url }, "ProtocolError", "PROTOCOL"));
    it("does not wait for the other half of a frame", () => refusedWith({ servers: impostors.half.url, timeout: 1500 }, "ConnectionError", "CONNECTION"));
    it("does not wait for a server that is silent", () => refusedWith({ servers: impostors.silent.url, timeout: 1500 }, "ConnectionError", "CONNECTION"));
    it("says that the password is wrong", () => refusedWith({ servers: guarded.url, user: "me", pass: "wrong" }, "AuthorizationError", "AUTHORIZATION"));
    it("says that credentials are missing", () => refusedWith({ servers: guarded.url }, "AuthorizationError", "AUTHORIZATION"));

    it("connects with a password", async () => {
      const { value, page } = await attempt({ servers: guarded.url, user: "me", pass: "secret" });
      await page.context().close();
      assert.ok(value);
    });

    for (const [how, connect] of Object.entries({
      "an NKey": (seed) => ({ authenticator: natsGeo.nkeyAuthenticator(seed) }),
      "an imported NKey": async (seed) => ({ credentials: await natsGeo.importNkey(seed) }),
      "an authenticator of the page's own": async (seed) => {
        const inner = natsGeo.nkeyAuthenticator(seed);
        return { authenticator: async (nonce) => inner(nonce) };
      },
    })) {
      it(`connects with ${how}, and shows the seed nowhere`, async () => {
        const page = await world.page();
        const said = [];
        page.on("console", (message) => said.push(message.text()));
        page.context().on("serviceworker", (worker) => worker.on("console", (message) => said.push(message.text())));
        const result = await page.evaluate(
          async ({ options, seed, connect }) =>
            outcome(async () => {
              const auth = await new Function(`return ${connect}`)()(seed);
              window.nc = await natsGeo.connect({ ...options, ...auth });
              await nc.flush();
              return JSON.stringify([nc.info, await nc.snapshot(), nc.stats()]);
            }),
          { options: { servers: guarded.url, timeout: LIMIT_MS, preset: "interactive", ...mode.options }, seed: nkey.seed, connect: connect.toString() },
        );
        assert.ok(result.value, JSON.stringify(result.error));
        const [connection] = (await guarded.connections()).filter(({ authorized_user: user }) => user === nkey.public);
        assert.ok(connection, "the server knows it by its key");
        assert.ok(![result.value, ...said, guarded.log()].some((text) => text.includes(nkey.seed)));
        await page.context().close();
      });
    }

    it("connects with a user's JWT", async () => {
      const page = await world.page();
      const result = await page.evaluate(
        ({ options, creds }) =>
          outcome(async () => {
            window.nc = await natsGeo.connect({ ...options, authenticator: natsGeo.credsAuthenticator(creds) });
            const answer = nc.subscribe("ping", { callback: (error, message) => message.respond("pong") });
            await nc.flush();
            const text = (await nc.request("ping", "", { timeout: 2000 })).string();
            answer.unsubscribe();
            return text;
          }),
        { options: { servers: operated.server.url, timeout: LIMIT_MS, preset: "interactive", ...mode.options }, creds: operated.creds },
      );
      assert.equal(result.value, "pong", JSON.stringify(result.error));
      await page.context().close();
    });

    it("refuses a JWT with another user's seed", async () => {
      const page = await world.page();
      const result = await page.evaluate(
        ({ options, creds }) => outcome(() => natsGeo.connect({ ...options, authenticator: natsGeo.credsAuthenticator(creds) })),
        { options: { servers: operated.server.url, timeout: LIMIT_MS, preset: "interactive", ...mode.options }, creds: operated.creds.replace(operated.seed, nkey.seed) },
      );
      assert.equal(result.error?.code, "AUTHORIZATION", JSON.stringify(result));
      await page.context().close();
    });

    it("refuses a damaged seed before anything is dialled", async () => {
      const page = await world.page();
      const result = await page.evaluate(
        ({ options }) => outcome(() => natsGeo.connect({ ...options, authenticator: natsGeo.nkeyAuthenticator("SUDAMAGED") })),
        { options: { servers: guarded.url, timeout: LIMIT_MS, ...mode.options } },
      );
      assert.ok(result.error, "it connected");
      assert.match(result.error.message, /seed is damaged/);
      assert.ok(!result.error.message.includes("SUDAMAGED"));
      await page.context().close();
    });

    it("ends a subscription that is not permitted, and says so", async () => {
      const { page } = await attempt({ servers: guarded.url, user: "limited", pass: "secret" });
      const result = await page.evaluate(async () => {
        const errors = [];
        void (async () => {
          for await (const status of nc.status()) if (status.type === "error") errors.push([status.error.name, status.error.operation, status.error.subject]);
        })();
        const denied = nc.subscribe("forbidden");
        const read = await outcome(async () => {
          for await (const _message of denied);
        });
        nc.publish("forbidden", "x");
        await nc.flush();
        return { closed: failure(await denied.closed), read, errors, isClosed: nc.isClosed() };
      });
      assert.equal(result.closed.name, "PermissionViolationError");
      assert.equal(result.closed.code, "PERMISSION_VIOLATION");
      assert.equal(result.read.error.code, "PERMISSION_VIOLATION");
      assert.equal(result.isClosed, false);
      await until("both violations are told", () => result.errors.length > 0);
      assert.deepEqual(result.errors[0], ["PermissionViolationError", "subscription", "forbidden"]);
      await page.context().close();
    });

    it("waits for servers that start later, if it is told to", async () => {
      const port = await closedPort();
      const page = await world.page();
      const options = { servers: `ws://127.0.0.1:${port}`, timeout: 500, preset: "interactive", ...mode.options };
      const early = await page.evaluate(async (options) => {
        window.nc = await natsGeo.connect({ ...options, backgroundConnect: true });
        window.got = [];
        nc.subscribe("early", { callback: (error, message) => window.got.push(message.string()) });
        window.waited = natsGeo.connect({ ...options, mode: "page", waitOnFirstConnect: true }).then((other) => other.close());
        const first = await Promise.race([window.waited.then(() => "connected"), new Promise((resolve) => setTimeout(() => resolve("waits"), 1000))]);
        return [nc.isClosed(), nc.getServer(), first];
      }, options);
      assert.deepEqual(early, [false, "", "waits"]);
      const late = await startServer("", { port });
      await page.evaluate(async () => {
        await nc.flush();
        nc.publish("early", "now");
        await window.waited;
      });
      await until("the subscription hears", async () => (await page.evaluate(() => window.got)).includes("now"));
      await page.context().close();
      await late.stop();
    });

    it("gets messages whose headers cannot be read, as far as they can be", async () => {
      const { page } = await attempt({ servers: open.url });
      await page.evaluate(async () => {
        window.got = [];
        window.told = [];
        void (async () => {
          for await (const status of nc.status()) window.told.push(status.error?.name ?? status.type);
        })();
        nc.subscribe("odd", { callback: (error, message) => window.got.push([message.string(), message.headers?.get("A")]) });
        await nc.flush();
      });
      const blocks = ["NATS/1.0\r\nMy Key: x\r\nA: 1\r\n\r\n", "NATS/1.0\r\nno colon\r\nA: 1\r\n\r\n", "NATS/1.0\r\nL: \xff\r\nA: 1\r\n\r\n", "nonsense"];
      await sendRaw(open.client, blocks.map((block) => ["odd", Buffer.from(block, "latin1"), "x"]));
      await until("all have come", async () => (await page.evaluate(() => window.got.length)) === blocks.length);
      const { got, told, stats, live } = await page.evaluate(async () => {
        await nc.flush();
        return { got: window.got, told: window.told, stats: nc.stats(), live: (await nc.snapshot()).moves };
      });
      assert.deepEqual(got, [["x", "1"], ["x", "1"], ["x", "1"], ["x", ""]]);
      assert.deepEqual([stats.unreadable, live], [3, 0]);
      assert.deepEqual(told.filter((type) => /Error$/.test(type)), ["ProtocolError"], "told once");
      await page.context().close();
    });

    it("refuses bad calls with codes, and goes on", async () => {
      const { page } = await attempt({ servers: open.url });
      const result = await page.evaluate(async () => {
        const huge = new Uint8Array(64 * 1024 * 1024);
        const results = {
          payload: await outcome(async () => nc.publish("x", huge)),
          request: await outcome(() => nc.request("x", huge)),
          subject: await outcome(async () => nc.publish("a b", "")),
          longSubject: await outcome(async () => nc.subscribe("a".repeat(5000))),
          longQueue: await outcome(async () => nc.subscribe("a", { queue: "q".repeat(5000) })),
          longPublish: await outcome(async () => nc.publish("a".repeat(5000))),
          longReply: await outcome(async () => nc.publish("a", "", { reply: "ü".repeat(3000) })),
          longRequest: await outcome(() => nc.request("a".repeat(5000))),
          wildcard: await outcome(async () => nc.publish("a.*", "")),
          reply: await outcome(async () => nc.publish("a", "", { reply: "b c" })),
          subscription: await outcome(async () => nc.subscribe("a..b")),
          queue: await outcome(async () => nc.subscribe("a", { queue: "q q" })),
          max: await outcome(async () => nc.subscribe("a", { max: 0 })),
          data: await outcome(async () => nc.publish("a", { some: "object" })),
          timeout: await outcome(() => nc.request("a", "", { timeout: 0 })),
          header: await outcome(async () => natsGeo.headers().set("a b", "x")),
          servers: await outcome(async () => nc.setServers(["nats://x"])),
          strategy: await outcome(() => nc.requestMany("a", "", { strategy: "never" })),
          iterator: await outcome(async () => nc.subscribe("a", { callback: () => {} })[Symbol.asyncIterator]()),
        };
        await nc.flush();
        return results;
      });
      const expected = {
        payload: ["PayloadTooLargeError", "PAYLOAD_TOO_LARGE"], request: ["PayloadTooLargeError", "PAYLOAD_TOO_LARGE"],
        subject: ["InvalidSubjectError", "INVALID_SUBJECT"], wildcard: ["InvalidSubjectError", "INVALID_SUBJECT"],
        ...Object.fromEntries(["longSubject", "longQueue", "longPublish", "longReply", "longRequest"].map((call) => [call, ["InvalidSubjectError", "INVALID_SUBJECT"]])),
        reply: ["InvalidSubjectError", "INVALID_SUBJECT"],
        subscription: ["InvalidSubjectError", "INVALID_SUBJECT"], queue: ["InvalidSubjectError", "INVALID_SUBJECT"], iterator: ["InvalidOperationError", "INVALID_OPERATION"],
      };
      for (const [call, { error }] of Object.entries(result)) {
        assert.deepEqual([error?.name, error?.code], expected[call] ?? ["InvalidArgumentError", "INVALID_ARGUMENT"], call);
        assert.ok(error.isNatsError, call);
        if (call.startsWith("long")) assert.match(error.message, /of up to \d{4} bytes, more than the 4096 .*`maxControlLine`/);
      }
      await page.context().close();
    });
  });
}

/** Publishes as no client would: `[subject, header block, payload]` each. */
async function sendRaw(address, messages) {
  const [host, port] = address.split(":");
  const socket = net.connect(Number(port), host);
  const answered = new Promise((resolve, reject) => {
    socket.on("data", (bytes) => String(bytes).includes("PONG") && resolve());
    socket.on("error", reject);
  });
  socket.write('CONNECT {"verbose":false,"headers":true}\r\n');
  for (const [subject, block, payload] of messages) {
    socket.write(`HPUB ${subject} ${block.length} ${block.length + payload.length}\r\n`);
    socket.write(Buffer.concat([block, Buffer.from(`${payload}\r\n`)]));
  }
  socket.write("PING\r\n");
  await answered;
  socket.destroy();
}

describe("in any mode", () => {
  it("says before init() that init() is missing, and where the engine is not", async () => {
    const page = await world.page();
    const result = await page.evaluate(async (servers) => {
      const core = await import("/nats-geo/core.js");
      const early = await outcome(() => core.wsconnect({ servers }));
      const nowhere = await outcome(() => core.init("/nowhere.wasm"));
      // A failure is not for ever.
      await core.init();
      await core.init("/ignored-because-it-is-loaded.wasm");
      const nc = await core.wsconnect({ servers });
      await nc.close();
      return { early, nowhere };
    }, open.url);
    assert.deepEqual([result.early.error.name, result.early.error.code], ["NotInitializedError", "NOT_INITIALIZED"]);
    assert.equal(result.nowhere.error.code, "ENGINE_NOT_LOADED");
    assert.match(result.nowhere.error.message, /nowhere\.wasm.*404/);
    await page.context().close();
  });

  it("connects by itself when there can be no service worker, and only then", async () => {
    const page = await world.page();
    const result = await page.evaluate(async (servers) => {
      const worker = { url: "/missing.js" };
      const nc = await natsGeo.connect({ servers, worker });
      const mode = nc.mode;
      await nc.flush();
      await nc.close();
      return { mode, strict: await outcome(() => natsGeo.connect({ servers, worker, mode: "worker" })) };
    }, open.url);
    assert.equal(result.mode, "page");
    assert.equal(result.strict.error.code, "WORKER_UNAVAILABLE");
    assert.match(result.strict.error.message, /missing\.js/);
    await page.context().close();
  });

  it("says that a worker without servers needs some", async () => {
    const page = await world.page();
    const result = await page.evaluate(() => outcome(() => natsGeo.connect({ mode: "worker", worker: { url: "/sw.js" } })));
    assert.deepEqual([result.error.name, result.error.code], ["InvalidArgumentError", "INVALID_CONFIG"]);
    assert.match(result.error.message, /no servers are known/);
    await page.context().close();
  });

  it("refuses ws:// on a page that came by https", async () => {
    const folder = await mkdtemp(join(tmpdir(), "nats-geo-tls-"));
    const files = ["key.pem", "cert.pem"].map((name) => join(folder, name));
    await promisify(execFile)("openssl", ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=localhost", "-keyout", files[0], "-out", files[1]]);
    const [key, cert] = await Promise.all(files.map((file) => readFile(file)));
    const site = await startSite({}, { tls: { key, cert } });
    const page = await world.page(site.origin("secure"), await world.browser.newContext({ ignoreHTTPSErrors: true }));
    const result = await page.evaluate(() => outcome(() => natsGeo.connect({ servers: "ws://nats.example.org", mode: "page" })));
    assert.deepEqual([result.error.name, result.error.code], ["MixedContentError", "MIXED_CONTENT"]);
    await page.context().close();
    site.stop();
    await rm(folder, { recursive: true, force: true });
  });
});
