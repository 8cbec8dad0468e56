// What every entry exports.

export { version } from "./version.ts";
export * from "./errors-public.ts";
export { headers } from "./headers.ts";
export { createInbox } from "./inbox.ts";
export { credsAuthenticator, jwtAuthenticator, nkeyAuthenticator, tokenAuthenticator, usernamePasswordAuthenticator } from "./auth.ts";
export { importCredentials, importNkey } from "./nkeys.ts";
export { jetstream } from "./jetstream.ts";
export { Kvm } from "./kv.ts";
export { Objm } from "./objects.ts";
