// Entry "nats-geo": for pages.

export * from "./common.ts";
export * from "./compat.ts";
export { connect, connect as wsconnect } from "./page/connect.ts";
