// The same code with nats-geo and with nats-core, in one page and on one server: the outcomes are compared.
// Where they shall differ, the package's README has a table.

import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { pathToFileURL } from "node:url";
import { startServer } from "./lib/server.mjs";
import { MODES, startWorld } from "./lib/world.mjs";

const PACKAGE = join(import.meta.dirname, "../../nats-geo-wasm/js");

/** Each runs in the page, with a connection of either client and the client's exports; its result is compared. */
const STORIES = {
  "requestMany by timer does not count messages": async (nc) => {
    for (let i = 0; i < 4; i++) nc.subscribe("many", { callback: (error, message) => message.respond(String(i)) });
    await nc.flush();
    const startMs = performance.now();
    const answers = [];
    for await (const message of await nc.requestMany("many", "", { strategy: "timer", maxMessages: 2, maxWait: 600 })) answers.push(message.string());
    return [answers.sort(), performance.now() - startMs >= 590];
  },
  "requestMany by count, stall and sentinel": async (nc) => {
    const respond = (error, message) => ["1", "2", ""].forEach((text) => message.respond(text));
    nc.subscribe("many", { callback: respond });
    await nc.flush();
    const collect = async (options) => {
      const answers = [];
      for await (const message of await nc.requestMany("many", "", options)) answers.push(message.string());
      return answers;
    };
    return [
      await collect({ strategy: "count", maxMessages: 2, maxWait: 5000 }),
      await collect({ strategy: "stall", stall: 200, maxMessages: 1, maxWait: 5000 }),
      await collect({ strategy: "sentinel", maxMessages: 1, maxWait: 5000 }),
    ];
  },
  "a callback is told of a time-out, with a message that has nothing in it": (nc) =>
    new Promise((resolve) => {
      nc.subscribe("quiet", { timeout: 100, callback: (error, message) => resolve([error.name, typeof message, { ...message }, message.subject]) });
    }),
  "an iterator is told of a time-out": async (nc) => {
    try {
      for await (const _message of nc.subscribe("quiet", { timeout: 100 }));
    } catch (error) {
      return error.name;
    }
  },
  "a message without a reply subject": async (nc) => {
    const subscription = nc.subscribe("plain", { max: 1 });
    nc.publish("plain", "x");
    for await (const message of subscription) return [message.reply, message.respond("y"), nc.respondMessage(message), message.headers ?? null];
  },
  "a message is published once more": async (nc) => {
    const subscription = nc.subscribe("again.>", { max: 2 });
    nc.publish("again.a", "x");
    const subjects = [];
    for await (const message of subscription) {
      subjects.push(message.subject);
      if (subjects.length === 1) nc.publishMessage({ subject: "again.b", data: message.data, reply: message.reply, headers: message.headers });
    }
    return subjects;
  },
  "the answer to a request": async (nc) => {
    nc.subscribe("ask", { callback: (error, message) => message.respond(`${message.string()}!`) });
    await nc.flush();
    const answer = await nc.request("ask", "hello", { timeout: 2000 });
    return [answer.string(), answer.reply, answer.headers ?? null];
  },
  "headers as text": async (nc, { headers }) => {
    const some = headers();
    some.append("Color", "blue");
    some.append("Color", "red");
    some.set("Size", " 7 ");
    return [String(headers()), String(some), String(headers(100, "Idle Heartbeat"))];
  },
  "a connection that was drained": async (nc) => {
    const subscription = nc.subscribe("last");
    const seen = [nc.isDraining(), nc.isClosed(), subscription.isDraining()];
    await nc.drain();
    const name = (error) => error.name;
    const calls = [() => nc.publish("x"), () => nc.subscribe("x"), () => nc.request("x"), () => nc.flush(), () => nc.drain()];
    const refused = [];
    for (const call of calls) refused.push(await new Promise((resolve) => resolve(call())).then(() => "done", name));
    return [...seen, nc.isDraining(), nc.isClosed(), refused, (await nc.closed()) ?? null];
  },
  "a subscription that was drained": async (nc) => {
    const subscription = nc.subscribe("drained", { callback: () => {} });
    await nc.flush();
    await subscription.drain();
    return [subscription.isDraining(), subscription.isClosed()];
  },
  "a limit of messages": async (nc) => {
    const subscription = nc.subscribe("limited", { max: 2 });
    await nc.flush();
    for (let i = 0; i < 5; i++) nc.publish("limited", String(i));
    const texts = [];
    for await (const message of subscription) texts.push(message.string());
    return [texts, subscription.getReceived(), subscription.getProcessed(), subscription.isClosed()];
  },
  "a request that nobody serves, and one that nobody answers": async (nc, { errors }) => {
    nc.subscribe("silent", { callback: () => {} });
    await nc.flush();
    const failure = (error) => [error.name, error.cause instanceof errors.NoRespondersError, error.isNoResponders?.() ?? null];
    return [await nc.request("nobody", "", { timeout: 1000 }).catch(failure), await nc.request("silent", "", { timeout: 200 }).catch(failure)];
  },
  "an iterator of a subject that is not permitted": async (nc) => {
    const subscription = nc.subscribe("secret.x");
    try {
      for await (const _message of subscription);
    } catch (error) {
      return [error.name, error.operation, error.subject, subscription.isClosed(), (await subscription.closed)?.name];
    }
  },
  "a callback for a subject that is not permitted": async (nc) => {
    const told = await new Promise((resolve) => nc.subscribe("secret.y", { queue: "q", callback: (error) => resolve(error) }));
    await nc.flush();
    return [told.name, told.operation, told.subject, told.queue, nc.isClosed()];
  },
  "a publish that is not permitted": async (nc) => {
    const told = (async () => {
      for await (const status of nc.status()) if (status.type === "error") return [status.error.name, status.error.operation, status.error.subject];
    })();
    nc.publish("secret.z", "x");
    await nc.flush();
    return [await told, nc.isClosed()];
  },
};

let world;
let server;
let core;

before(async () => {
  world = await startWorld({ withCluster: false });
  server = await startServer(`authorization { users: [{ user: u, password: p, permissions: { publish: { deny: "secret.>" }, subscribe: { deny: "secret.>" } } }] }`);
  const { build } = await import(pathToFileURL(createRequire(join(PACKAGE, "package.json")).resolve("esbuild")));
  const entry = createRequire(import.meta.url).resolve("@nats-io/nats-core");
  const { outputFiles } = await build({ entryPoints: [entry], bundle: true, format: "iife", globalName: "natsCore", write: false, logLevel: "error" });
  core = outputFiles[0].text;
});

after(async () => {
  await server?.stop();
  await world?.stop();
});

/** Runs a story; a story that hangs is told from one that differs. */
const told = (page, story, options) =>
  page.evaluate(async ([story, options]) => {
    const [client, connect] = options ? [natsGeo, (given) => natsGeo.connect({ ...given, ...options })] : [natsCore, natsCore.wsconnect];
    const nc = await connect({ servers: CONFIGURATION.server, user: "u", pass: "p" });
    const late = new Promise((resolve) => setTimeout(() => resolve("it hangs"), 5000));
    const result = await Promise.race([new Function(`return ${story}`)()(nc, client), late]);
    await nc.close();
    return result;
  }, [story, options]);

for (const mode of MODES.filter(({ name }) => name !== "classic worker")) {
  describe(mode.name, () => {
    let page;

    before(async () => {
      page = await world.page();
      await page.addScriptTag({ content: core });
      await page.evaluate((server) => (self.CONFIGURATION = { server }), server.url);
    });
    after(() => page?.context().close());

    for (const [name, story] of Object.entries(STORIES)) {
      it(name, async () => {
        const [ours, theirs] = [await told(page, story.toString(), { preset: "interactive", ...mode.options }), await told(page, story.toString())];
        assert.deepEqual(ours, theirs);
      });
    }
  });
}
