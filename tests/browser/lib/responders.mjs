// Who answers requests: one at each server, with the server's name. A server that ends takes the gateway connections of
// others with it, and with them answers from other regions for about a second. That is the servers' affair.

import { connect } from "@nats-io/transport-node";

export async function startResponders(cluster, subject = "echo") {
  const responders = new Map(
    await Promise.all(
      cluster.servers.map(async (server) => {
        const connection = await connect({ servers: `127.0.0.1:${server.client}`, ignoreClusterUpdates: true, maxReconnectAttempts: -1, reconnectTimeWait: 100 });
        return [server, { connection, subscription: undefined }];
      }),
    ),
  );
  /** Answers at this server, from its next start on if it is down. */
  const join = (server) => {
    const responder = responders.get(server);
    responder.subscription = responder.connection.subscribe(subject, { queue: "q", callback: (error, message) => message.respond(server.name) });
  };
  /** Answers no longer at this server: a member of a queue group that is cut off takes the requests along that are on their way to it. */
  const leave = (server) => responders.get(server).subscription.drain();
  cluster.servers.forEach(join);
  await Promise.all([...responders.values()].map(({ connection }) => connection.flush()));
  const stop = () => Promise.all([...responders.values()].map(({ connection }) => connection.close()));
  return { join, leave, stop };
}
