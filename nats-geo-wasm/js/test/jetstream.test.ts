import assert from "node:assert/strict";
import { test } from "node:test";
import type { Msg, NatsConnection, RequestOptions } from "../types/nats.js";
import { headers, headersFromRecord } from "../src/headers.ts";
import { Kvm } from "../src/kv.ts";
import { bytes } from "./helpers.ts";

interface Asked {
  subject: string;
  payload: string;
  headers: Record<string, string[]>;
}

/** A connection whose requests are answered by the first handler whose pattern the subject has. */
function answering(...handlers: [RegExp, (asked: Asked) => object | Partial<Msg>][]): { nc: NatsConnection; asked: Asked[] } {
  const asked: Asked[] = [];
  const request = async (subject: string, payload: unknown, options: RequestOptions): Promise<Partial<Msg>> => {
    const one = { subject, payload: String(payload ?? ""), headers: Object.fromEntries(options.headers ?? []) };
    asked.push(one);
    const [, answer] = handlers.find(([pattern]) => pattern.test(subject)) ?? assert.fail(`nobody answers ${subject}`);
    const found = answer(one);
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
