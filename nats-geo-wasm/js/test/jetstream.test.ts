import assert from "node:assert/strict";
import { test } from "node:test";
import type { Msg, NatsConnection, RequestOptions } from "../types/nats.js";
import { LinkLostError, NoRespondersError, RequestError, TimeoutError } from "../src/errors.ts";
import { jetstream } from "../src/jetstream.ts";
import { headers, headersFromRecord } from "../src/headers.ts";
import { Kvm } from "../src/kv.ts";
import { Objm } from "../src/objects.ts";
import { bytes } from "./helpers.ts";

interface Asked {
  subject: string;
  payload: string;
  headers: Record<string, string[]>;
}

type Answer = object | Partial<Msg>;

/** A connection whose requests are answered by the first handler whose pattern the subject has. */
function answering(...handlers: [RegExp, (asked: Asked) => Answer | Promise<Answer>][]): { nc: NatsConnection; asked: Asked[] } {
  const asked: Asked[] = [];
  const request = async (subject: string, payload: unknown, options: RequestOptions): Promise<Partial<Msg>> => {
    const one = { subject, payload: String(payload ?? ""), headers: Object.fromEntries(options.headers ?? []) };
    asked.push(one);
    const [, answer] = handlers.find(([pattern]) => pattern.test(subject)) ?? assert.fail(`nobody answers ${subject}`);
    const found = await answer(one);
    return "data" in found ? found : { data: bytes(""), json: () => found as never };
  };
  return { nc: { request } as unknown as NatsConnection, asked };
}

const info = (config: object = {}): [RegExp, () => object] => [/STREAM\.INFO/, () => ({ config: { allow_direct: true, ...config } })];
const ack: [RegExp, () => object] = [/\$KV/, () => ({ stream: "KV_b", seq: 7 })];

test("writes go to the bucket that is read, through a domain, a prefix or a mirror", async () => {
  const external = { name: "KV_origin", external: { api: "$JS.hub.API" } };
  for (const [options, config, written, read] of [
    [{}, {}, "$KV.b.k", "$JS.API.DIRECT.GET.KV_b.$KV.b.k"],
    [{ domain: "hub" }, {}, "$JS.hub.API.$KV.b.k", "$JS.hub.API.DIRECT.GET.KV_b.$KV.b.k"],
    [{ apiPrefix: "JS.other" }, {}, "JS.other.$KV.b.k", "JS.other.DIRECT.GET.KV_b.$KV.b.k"],
    [{}, { mirror: { name: "KV_origin" } }, "$KV.origin.k", "$JS.API.DIRECT.GET.KV_b.$KV.origin.k"],
    [{}, { mirror: external }, "$JS.hub.API.$KV.origin.k", "$JS.API.DIRECT.GET.KV_b.$KV.origin.k"],
    [{ domain: "leaf" }, { mirror: external }, "$JS.hub.API.$KV.origin.k", "$JS.leaf.API.DIRECT.GET.KV_b.$KV.origin.k"],
  ] as const) {
    const { nc, asked } = answering(info(config), [/DIRECT\.GET/, () => ({ data: bytes(""), headers: headers(404) })], ack);
    const kv = await new Kvm(nc, options).open("b");
    assert.equal(await kv.put("k", "v"), 7);
    await kv.delete("k");
    assert.equal(await kv.get("k"), null);
    assert.deepEqual(asked.slice(1).map(({ subject }) => subject), [written, written, read], JSON.stringify([options, config]));
  }
});

test("stores keep the domain of their client", async () => {
  const { nc, asked } = answering(info(), [/DIRECT\.GET/, () => ({ data: bytes(""), headers: headers(404) })]);
  const hub = jetstream(nc, { domain: "hub", apiPrefix: "JS.ignored" });
  assert.equal(await (await new Kvm(hub).open("b")).get("k"), null);
  assert.equal(await (await new Objm(hub).open("b")).info("o"), null);
  assert.deepEqual(asked.map(({ subject }) => subject), [
    "$JS.hub.API.STREAM.INFO.KV_b", "$JS.hub.API.DIRECT.GET.KV_b.$KV.b.k", "$JS.hub.API.STREAM.INFO.OBJ_b", "$JS.hub.API.DIRECT.GET.OBJ_b.$O.b.M.bw==",
  ]);
});

test("a bad domain or prefix is refused, and one that nobody serves is named", async () => {
  const { nc } = answering([/./, () => Promise.reject(new RequestError("", { cause: new NoRespondersError("s"), code: "NO_RESPONDERS" }))]);
  for (const domain of ["", ".", "a.b", "*", ">", "a b", "a\n"]) assert.throws(() => jetstream(nc, { domain }), { code: "INVALID_ARGUMENT", message: /is no JetStream domain/ }, domain);
  for (const apiPrefix of ["", ".", "a..b", "a.*", "$JS. .API"]) assert.throws(() => jetstream(nc, { apiPrefix }), { code: "INVALID_ARGUMENT", message: /API prefix/ }, apiPrefix);
  const unreached = (error: unknown): boolean => error instanceof RequestError && error.isNoResponders() && error.code === "NO_RESPONDERS";
  const opening = (options: object) => new Kvm(nc, options).open("b");
  await assert.rejects(opening({ domain: "moon" }), (error: Error) => unreached(error) && /`\$JS\.moon\.API\.STREAM\.INFO\.KV_b`.*domain `moon`.*leaf node/.test(error.message));
  await assert.rejects(opening({ apiPrefix: "JS.other." }), (error: Error) => unreached(error) && !/domain/.test(error.message));
});

test("a publish is sent again only when that stores it once", async () => {
  const attempts = async (error: () => Error, options: object): Promise<number> => {
    const { nc, asked } = answering([/./, () => Promise.reject(error())]);
    await assert.rejects(jetstream(nc).publish("s", "x", options));
    return asked.length;
  };
  const nobody = () => new RequestError("", { cause: new NoRespondersError("s"), code: "NO_RESPONDERS" });
  assert.equal(await attempts(nobody, {}), 3);
  assert.equal(await attempts(nobody, { retries: 0 }), 1);
  for (const lost of [() => new TimeoutError(), () => new LinkLostError()]) {
    assert.equal(await attempts(lost, {}), 1);
    assert.equal(await attempts(lost, { msgID: "1" }), 3);
  }
  for (const bad of [-1, Number.NaN]) await assert.rejects(jetstream(answering().nc).publish("s", "x", { retries: bad }), { code: "INVALID_ARGUMENT" });
});

test("an entry of another key is not this one's, and a key that has a value is not created", async () => {
  const stored = (key: string, record: Record<string, string[]> = {}) => ({ data: bytes("v"), headers: headersFromRecord({ ...record, "Nats-Subject": [`$KV.b.${key}`], "Nats-Sequence": ["5"] }) });
  const wrong = { error: { code: 400, err_code: 10071, description: "wrong last sequence: 5" } };
  const taken = answering(info(), [/DIRECT\.GET/, () => stored("k")], [/\$KV/, () => wrong]);
  const kv = await new Kvm(taken.nc).open("b");
  assert.equal((await kv.get("k"))?.revision, 5);
  assert.equal(await kv.get("other", { revision: 5 }), null);
  await assert.rejects(kv.create("k", "v"), { code: "WRONG_LAST_SEQUENCE" });
  assert.equal(taken.asked.filter(({ subject }) => subject === "$KV.b.k").length, 1);
  const expected = (asked: Asked): string | undefined => asked.headers["Nats-Expected-Last-Subject-Sequence"]?.[0];
  const free = answering(info(), [/DIRECT\.GET/, () => stored("k", { "KV-Operation": ["DEL"] })], [/\$KV/, (asked) => (expected(asked) === "5" ? { stream: "KV_b", seq: 6 } : wrong)]);
  assert.equal(await (await new Kvm(free.nc).open("b")).create("k", "v"), 6);
});

test("what an entry says happened, by whoever wrote it", async () => {
  const entryWith = async (record: Record<string, string[]>) => {
    const found = headersFromRecord({ ...record, "Nats-Subject": ["$KV.b.k"], "Nats-Sequence": ["5"] });
    const { nc } = answering(info(), [/DIRECT\.GET/, () => ({ data: bytes("v"), headers: found })]);
    return (await (await new Kvm(nc).open("b")).get("k"))?.operation;
  };
  for (const [record, expected] of [
    [{}, "PUT"],
    [{ "KV-Operation": ["DEL"] }, "DEL"],
    [{ "KV-Operation": ["PURGE"] }, "PURGE"],
    [{ "Nats-Marker-Reason": ["MaxAge"] }, "PURGE"],
    [{ "Nats-Marker-Reason": ["Purge"] }, "PURGE"],
    [{ "Nats-Marker-Reason": ["Remove"] }, "DEL"],
  ] as const) {
    assert.equal(await entryWith(record as unknown as Record<string, string[]>), expected, JSON.stringify(record));
  }
});
