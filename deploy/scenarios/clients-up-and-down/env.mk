# The region whose clients become more, and the one whose clients become fewer.
GROWS = lon
SHRINKS = dal
# Numbers of clients, and how long the change takes.
FEW = 2
MANY = 16
LASTS = 8s
# Requests per second of each client.
RATE = 20
