# nats-server before the upgrade and after it: a version, or a path.
FROM = 2.14.6
TO = 2.15.1
# Batches: server (one at a time), one-per-region or region.
ORDER = server
# How a server is replaced: lame-duck or kill.
BY = lame-duck
# nats-geo clients in each region, and their requests per second.
CLIENTS = 3
RATE = 20
