# The region that flaps: down, up, and so on.
REGION = lon
DOWN = 2s
UP = 3s
LASTS = 20s
# nats-geo clients in each region, and their requests per second.
CLIENTS = 3
RATE = 20
# The most moves of one client: two away from the region, and two back.
MOVES = 4
