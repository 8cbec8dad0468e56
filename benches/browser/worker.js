import { connect } from "./clients.js";
import { round } from "./realm.js";

self.addEventListener("message", async ({ data }) => {
  try {
    self.postMessage({ rate: await round(await connect[data.client](data.url, data), data) });
  } catch (error) {
    self.postMessage({ error: String(error) });
  }
});
