// JWTs as NATS has them: an operator signs an account, the account signs a user.

import { createHash } from "node:crypto";
import { createAccount, createOperator, createUser } from "@nats-io/nkeys";

/** Configuration of a server that trusts a fresh operator, and the creds of one of its users. */
export async function operatorConfig() {
  const [operator, account, user] = [createOperator(), createAccount(), createUser()];
  const accountKey = account.getPublicKey();
  const limits = { subs: -1, data: -1, payload: -1 };
  const operatorJwt = token(operator, operator.getPublicKey(), "O", { type: "operator", version: 2 });
  const accountJwt = token(operator, accountKey, "A", { type: "account", version: 2, limits: { ...limits, imports: -1, exports: -1, wildcards: true, conn: -1, leaf: -1 } });
  const userJwt = token(account, user.getPublicKey(), "U", { type: "user", version: 2, ...limits });
  const seed = new TextDecoder().decode(user.getSeed());
  const config = `operator: ${operatorJwt}\nresolver: MEMORY\nresolver_preload: { ${accountKey}: ${accountJwt} }\n`;
  const creds = `-----BEGIN NATS USER JWT-----\n${userJwt}\n------END NATS USER JWT------\n\n-----BEGIN USER NKEY SEED-----\n${seed}\n------END USER NKEY SEED------\n`;
  return { config, creds, seed };
}

function token(issuer, subject, name, nats) {
  const claims = { iat: Math.floor(Date.now() / 1000), iss: issuer.getPublicKey(), name, sub: subject, nats };
  claims.jti = createHash("sha256").update(JSON.stringify(claims)).digest("hex");
  const encode = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const content = `${encode({ typ: "JWT", alg: "ed25519-nkey" })}.${encode(claims)}`;
  return `${content}.${Buffer.from(issuer.sign(Buffer.from(content))).toString("base64url")}`;
}
