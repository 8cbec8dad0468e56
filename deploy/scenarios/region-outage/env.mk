# The region that dies, and for how long.
REGION = lon
OUTAGE = 8s
# nats-geo clients in each region, and their requests per second.
CLIENTS = 3
RATE = 20
# The longest failover of 90 % of them.
LIMIT = 500ms
