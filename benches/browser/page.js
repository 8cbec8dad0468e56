import { connect } from "./clients.js";
import { round } from "./realm.js";

const worker = new Worker("/worker.js", { type: "module" });

window.bench = async (job) => {
  if (job.realm === "page") return round(await connect[job.client](job.url, job), job);
  return new Promise((resolve, reject) => {
    worker.onmessage = ({ data }) => (data.error ? reject(new Error(data.error)) : resolve(data.rate));
    worker.onerror = (event) => reject(new Error(event.message));
    worker.postMessage(job);
  });
};
