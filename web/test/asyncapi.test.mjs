// The published description of loadgen's back channel is an AsyncAPI document.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { join } from "node:path";
import { it } from "node:test";
import Ajv from "ajv";
import addFormats from "ajv-formats";

const specification = createRequire(import.meta.url)("@asyncapi/specs/schemas/3.0.0-without-$id.json");
const document = JSON.parse(await readFile(join(import.meta.dirname, "../../loadgen/ops.asyncapi.json"), "utf8"));

const ajv = new Ajv({ strict: false, allErrors: true });
addFormats(ajv);
const isValid = ajv.compile(specification);

it("is valid by the specification's own schema", () => {
  assert.ok(isValid(document), JSON.stringify(isValid.errors?.slice(0, 5)));
});

it("would not be without a title, or with an unknown key in a channel", () => {
  assert.ok(!isValid({ ...document, info: { version: "1" } }));
  const { orders } = document.channels;
  assert.ok(!isValid({ ...document, channels: { orders: { ...orders, subject: "loadgen.>" } } }));
});

it("refers to nothing that it does not hold", () => {
  const references = JSON.stringify(document).matchAll(/"\$ref":"#\/([^"]+)"/g);
  let count = 0;
  for (const [, path] of references) {
    const found = path.split("/").reduce((value, key) => value?.[decodeURIComponent(key)], document);
    assert.ok(found !== undefined, path);
    count += 1;
  }
  assert.ok(count > 10);
});
