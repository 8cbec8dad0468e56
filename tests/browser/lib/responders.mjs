// Who answers requests: one at each server, with the server's name. A server that ends takes the gateway connections of
// others with it, and with them answers from other regions for about a second. That is the servers' affair.

import { connect } from "@nats-io/transport-node";

export async function startResponders(cluster, subject = "echo") {
  const connections = await Promise.all(
    cluster.servers.map(async (server) => {
      const connection = await connect({ servers: `127.0.0.1:${server.client}`, ignoreClusterUpdates: true, maxReconnectAttempts: -1, reconnectTimeWait: 100 });
      connection.subscribe(subject, { queue: "q", callback: (error, message) => message.respond(server.name) });
      await connection.flush();
      return connection;
    }),
  );
  return () => Promise.all(connections.map((connection) => connection.close()));
}
