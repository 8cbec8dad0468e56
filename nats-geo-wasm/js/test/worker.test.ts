import assert from "node:assert/strict";
import { test } from "node:test";
import type { Route } from "../types/sw.js";
import { headers } from "../src/headers.ts";
import { MsgImpl } from "../src/message.ts";
import { encodeHeaders } from "../src/headers.ts";
import { failure } from "../src/worker/failure.ts";
import { parseRange } from "../src/worker/ranges.ts";
import { Routes } from "../src/worker/routes.ts";
import { toResponse } from "../src/worker/serve-request.ts";
import { bytes, frame } from "./helpers.ts";

test("ranges, as RFC 9110 has them", () => {
  const part = (start: number, end: number) => ({ kind: "part", start, end });
  const cases: [string | null, object][] = [
    ["bytes=0-", part(0, 99)],
    ["bytes=0-0", part(0, 0)],
    ["bytes=10-19", part(10, 19)],
    ["bytes=90-500", part(90, 99)],
    ["bytes=99-", part(99, 99)],
    ["bytes=-1", part(99, 99)],
    ["bytes=-500", part(0, 99)],
    ["BYTES = 5 - 6", part(5, 6)],
    ["bytes=100-", { kind: "unsatisfiable" }],
    ["bytes=100-200", { kind: "unsatisfiable" }],
    ["bytes=-0", { kind: "unsatisfiable" }],
    ["bytes=20-10", { kind: "whole" }],
    ["bytes=0-1,5-6", { kind: "whole" }],
    ["items=0-1", { kind: "whole" }],
    ["bytes=-", { kind: "whole" }],
    ["bytes=a-b", { kind: "whole" }],
    ["", { kind: "whole" }],
    [null, { kind: "whole" }],
  ];
  for (const [header, expected] of cases) assert.deepEqual(parseRange(header, 100), expected, String(header));
  assert.deepEqual(parseRange("bytes=0-", 0), { kind: "unsatisfiable" });
  assert.deepEqual(parseRange("bytes=-5", 0), { kind: "unsatisfiable" });
});

const ROUTES: Route[] = [
  { path: "/api/:kind/:id", subject: "web.:kind.get.:id", methods: ["GET", "POST"] },
  { path: "/pages/*", subject: "pages.*" },
  { path: "/files/*", bucket: "site", index: "index.html" },
  { path: "/", subject: "home" },
];

function matched(method: string, path: string): string | undefined {
  const match = new Routes(ROUTES).match(method, path);
  return match && (match.kind === "request" ? match.subject : `${match.route.bucket}/${match.name}`);
}

test("routes: the path's segments become the subject's tokens or the object's name", () => {
  assert.equal(matched("GET", "/api/user/7"), "web.user.get.7");
  assert.equal(matched("POST", "/api/user/7"), "web.user.get.7");
  assert.equal(matched("GET", "/pages/a/b/c"), "pages.a.b.c");
  assert.equal(matched("HEAD", "/files/a%20b/gr%C3%B6%C3%9Fe.png"), "site/a b/größe.png");
  assert.equal(matched("GET", "/files/"), "site/index.html");
  assert.equal(matched("GET", "/files/docs/"), "site/docs/index.html");
  assert.equal(matched("GET", "/"), "home");
});

test("routes: other paths and methods, and what no subject can hold, are left alone", () => {
  for (const [method, path] of [["GET", "/api/user"], ["GET", "/api/user/7/8"], ["DELETE", "/api/user/7"], ["POST", "/files/x"], ["GET", "/other"], ["GET", "/API/user/7"]] as const) {
    assert.equal(matched(method, path), undefined, path);
  }
  // A name must not become another subject, or a wildcard.
  assert.equal(matched("GET", "/api/user/a.b"), "web.user.get.a_b");
  assert.equal(matched("GET", "/api/user/*"), undefined);
  assert.equal(matched("GET", "/api/user/%3E"), undefined);
  assert.equal(matched("GET", "/pages/a%20b"), undefined);
  assert.equal(matched("GET", "/pages/%"), undefined);
});

test("routes: mistakes show at once", () => {
  const bad: [object, RegExp][] = [
    [{ path: "api", subject: "x" }, /begins with "\/"/],
    [{ path: "/a" }, /a subject or a bucket/],
    [{ path: "/a/*", subject: "x", bucket: "y" }, /not both/],
    [{ path: "/a", bucket: "y" }, /must end with/],
    [{ path: "/a/*", bucket: "y", domain: "h.b" }, /"h\.b" is no JetStream domain/],
    [{ path: "/a/:id", subject: "x.:name" }, /:name is in the subject, but not in the path/],
    [{ path: "/a", subject: "x.*" }, /\* is in the subject/],
    [{ path: "/a", subject: "x y" }, /not a valid subject/],
    [{ path: "/a*", subject: "x" }, /last segment/],
    [{ path: "/*/b", subject: "x.*" }, /last segment/],
    [{ path: "/a", subject: "x", timeout: 60_000 }, /at most 50000/],
  ];
  for (const [route, says] of bad) assert.throws(() => new Routes([route as Route]), says, JSON.stringify(route));
});

test("a reply becomes a response", async () => {
  const hdrs = headers();
  hdrs.set("Http-Status", "201");
  hdrs.set("Content-Type", "application/json");
  hdrs.append("Set-Thing", "a");
  hdrs.append("Set-Thing", "b");
  hdrs.set("Nats-Internal", "x");
  hdrs.set("Bad", "größe ☃");
  const message = new MsgImpl({ publish() {} }, frame({ headers: encodeHeaders(hdrs), payload: bytes("{}") }), 0);
  const response = toResponse(message, "GET");
  assert.equal(response.status, 201);
  assert.deepEqual([...response.headers], [["content-type", "application/json"], ["set-thing", "a, b"]]);
  assert.equal(await response.text(), "{}");
  assert.equal(await toResponse(message, "HEAD").text(), "");
});

test("a reply without headers, with a nonsense status, or that has no body", async () => {
  const reply = (status: string) => {
    const hdrs = headers();
    if (status) hdrs.set("Http-Status", status);
    return toResponse(new MsgImpl({ publish() {} }, frame({ headers: encodeHeaders(hdrs), payload: bytes("x") }), 0), "GET");
  };
  assert.deepEqual([reply("").status, reply("").headers.get("content-type")], [200, "application/octet-stream"]);
  for (const nonsense of ["99", "1000", "2oo", "100"]) assert.equal(reply(nonsense).status, 502, nonsense);
  assert.deepEqual([reply("304").status, await reply("304").text()], [304, ""]);
});

test("failures have the statuses that browsers and caches understand", () => {
  assert.deepEqual(["TIMEOUT", "NO_RESPONDERS", "LINK_LOST", "PAYLOAD_TOO_LARGE", "PROTOCOL", ""].map((code) => failure(code, "x").status), [504, 503, 503, 413, 502, 502]);
  assert.equal(failure("CONNECTION", "x").headers.get("retry-after"), "1");
});
