//! The table of events.

use super::table::events;
use super::{Client, EventInfo, Level, NoticeKind, optional};

events! {
    notices {
        CONNECTED = Connected "connected" "connected", Both Info ["conn" "region" "server" "address"]
        meaning "The first link is live."
        cause "The client started, and a server accepted it."
        remedy "None is needed."
        example "connected to lon/lon-1"

        DIALING = Dialing "dialing" "dialing", Both Debug ["conn" "region" "server" "address"]
        meaning "The client dials a server."
        cause "The client starts, moves, or opens its warm standby."
        remedy "None is needed."
        example "dialing lon/lon-1"

        OPENED = Opened "opened" "opened", Both Debug ["conn" "region" "server" "address"]
        meaning "A dial succeeded: the server answered CONNECT with PONG."
        cause "The server accepted the client."
        remedy "None is needed."
        example "the link to lon/lon-1 is open"

        OPEN_FAILED = OpenFailed "open_failed" "openFailed", Both Warn ["conn" "region" "server" "address" "error"]
        meaning "A dial failed. The client tries other servers."
        cause "The text after the colon is the reason."
        remedy "If the notice repeats, check that the server runs, and its address, firewall, TLS and credentials."
        example "could not open a link to lon/lon-1: connection refused"

        SUSPECTED = Suspected "suspected" "suspected", Both Warn ["conn" "region" "server" "address"]
        meaning "A PING is overdue, and no bytes arrive on the link. The client dials another server as well."
        cause "The server, the network, or this host is silent or overloaded."
        remedy "If the notice repeats and no link is lost, look for packet loss, a blocked event loop, or a too short PING timeout."
        example "lon/lon-1 is silent: a PING is overdue"

        CLEARED = Cleared "cleared" "cleared", Both Info ["conn" "region" "server" "address"]
        meaning "A suspected link answers again. The client stops the dials that the suspicion began."
        cause "The silence was short."
        remedy "None is needed."
        example "lon/lon-1 answers again"

        LOST = Lost "lost" "lost" and "disconnect", Both Warn ["conn" "region" "server" "address"]
        meaning "A link is lost. If it was the active link, the client moves to another server."
        cause "The text after the colon is the reason. `silent for too long` means that no PONG arrived in time."
        remedy "If the notice repeats, look at the log of that server, and at the network."
        example "lost lon/lon-1: the server closed the connection"

        LAME_DUCK = LameDuck "lame_duck" "lameDuck" and "ldm", Both Info ["conn" "region" "server" "address"]
        meaning "The server of the active link announced that it will close the connections of its clients. The client moves before that."
        cause "An operator stops or restarts the server, or orders this client to move (`loadgen rebalance`)."
        remedy "None is needed."
        example "lon/lon-1 is in lame duck mode"

        UNHEALTHY = Unhealthy "unhealthy" "unhealthy", Native Warn ["conn" "region" "server" "address" "why"]
        meaning "A server answers, but a health check of the application fails there. The client avoids the server's region for a while."
        cause "The text after the colon is the error of the health check."
        remedy "Repair the service in that region, for example JetStream. Or change the health check."
        example "lon/lon-1 failed its health check: JetStream: no answer in time"

        NO_HEALTHY_ALTERNATIVE = NoHealthyAlternative "no_healthy_alternative" "noHealthyAlternative", Native Warn
            ["conn" "region" "server" "address"]
        meaning "The active region fails a health check, and no other region passes it. The client stays."
        cause "The checked service is down in all regions, or the health check is wrong."
        remedy "Repair the service in one region, or change the health check."
        example "staying at lon/lon-1: no other region passes the health check"

        MOVED = Moved "moved" "moved" and "reconnect", Both Info
            ["conn" "region" "server" "address" "from_region" "from_address" "cause" "overlap"]
        meaning "New traffic goes to another link."
        cause "The text after the colon is the cause of the move."
        remedy "None is needed: the client returns 30 to 150 s after the nearest region is healthy. If moves repeat, look at the cause."
        example "moved from lon/lon-1 to ams/ams-3: region lost"

        STANDBY_READY = StandbyReady "standby_ready" "standbyReady", Both Info ["conn" "region" "server" "address"]
        meaning "The warm standby is connected. The client can move there without a dial."
        cause "`warm_standby` is set."
        remedy "None is needed."
        example "the standby at ams/ams-3 is ready"

        DAMPED = Damped "damped" "damped", Both Warn ["region" "until"]
        meaning "A region failed so often that the client avoids the region for now."
        cause "The region fails and returns again and again."
        remedy "Find out why the region is unstable. `until` is the client's time at which it considers the region again."
        example "lon failed too often: the client avoids it until 95.000s"

        OTHER_CLUSTER = OtherCluster "other_cluster" "otherCluster", Both Warn ["address"]
        meaning "A server of another cluster answers at an address that a server advertised. The client does not use the address."
        cause "Clusters advertise private addresses. The same address belongs to different servers in different networks."
        remedy "Set `client_advertise` at the servers to addresses that clients can reach. Or ignore discovered servers."
        example "a server of cluster ams answers at 10.0.0.1:4222, which cluster lon advertised: the client does not use this server"

        LABEL_CONTRADICTED = LabelContradicted "label_contradicted" "labelContradicted", Both Warn ["address"]
        meaning "The server list labels an address with a region, but its server is in another cluster. The client uses the label."
        cause "The list of servers gives this address a wrong label, or a label that is no name of a cluster."
        remedy "Correct the address or the label in the list of servers."
        example "10.0.0.1:4222 is labelled `lon`, but its server is in cluster `ams`"

        CREDENTIALS_REFUSED = CredentialsRefused "credentials_refused" "credentialsRefused", Both Warn []
        meaning "Every region that answered refused the credentials. The client tries one server of each region, with growing pauses."
        cause "The credentials are wrong, expired or revoked."
        remedy "Correct the credentials. If a callback returns them, a client that was connected uses the new ones without a restart."
        example "every region that answered refused the credentials: lon, ams"

        OFFLINE = Offline "offline" "offline", Both Warn []
        meaning "The client has no link, and no server answers. The client continues to dial, with pauses."
        cause "The network of this host is down, or no listed server can be reached."
        remedy "Check the network, and the list of servers."
        example "offline: no server answers"

        BREAK_BEFORE_MAKE = BreakBeforeMake "break_before_make" "breakBeforeMake", Both Warn ["conn" "region" "server" "address"]
        meaning "The client closes the old link before it opens the new one. Between the two, no messages flow."
        cause "The account allows no second connection."
        remedy "Allow one connection more than there are clients (`max_connections` of the account)."
        example "connection limit: the client closes its link to lon/lon-1 before it opens another link"

        STALLED = Stalled "stalled" "stalled", Both Info []
        meaning "The host slept or stalled. The client no longer suspects its links, and measures the servers anew."
        cause "A timer fired much later than due: a laptop slept, a machine was paused, or a thread was blocked."
        remedy "If the notice repeats on a server, look for blocking code in tasks, or for too little CPU time."
        example "the host slept or stalled: the client discarded pending suspicions"

        SUBSCRIPTION_REFUSED = SubscriptionRefused "subscription_refused" "subscriptionRefused" and "error",
        Both Warn ["subject" "why"]
        meaning "A server refused a subscription. The subscription has ended with an error."
        cause "This user has no permission to subscribe to the subject, or a limit is reached. The text names the cause."
        remedy "Permit the subject, or raise the limit, then subscribe again."
        example "a subscription ended: the server denies `orders.>`"

        PUBLISH_REFUSED = PublishRefused "publish_refused" "publishRefused" and "error", Both Warn ["subject" "why"]
        meaning "A message is lost, because servers do not accept it. The Rust client sends one notice for each subject."
        cause "This user has no permission to publish to the subject, or the subject is longer than servers accept."
        remedy "Permit this user to publish to the subject, or shorten the subject."
        example "a message to `orders.new` is lost: Permissions Violation for Publish to \"orders.new\""

        SLOW_CONSUMER = SlowConsumer "slow_consumer" "slowConsumer", Both Warn ["subject"]
        meaning "The buffer of a subscription is full, and the client drops the newest messages. \
            In JavaScript, `dropped` is `false` if only the limit `slow` is reached."
        cause "The application reads more slowly than messages arrive."
        remedy "Read faster, spread the work over a queue group, or enlarge the buffer."
        example "the application reads subscription `ticks.>` too slowly: the client drops the newest messages"

        STREAM_RESET = StreamReset "stream_reset" "streamReset", Both Warn ["stream" "last_sequence"]
        meaning "A stream that the application reads was reset: its sequences begin anew. Watches and ordered readers read from the start."
        cause "The stream was in memory and its server restarted, or the stream was deleted and created again."
        remedy "Keep the stream on disk, or with more replicas. Consumers that acknowledge end with an error: create them again."
        example "stream `ORDERS` was reset after sequence 42 was read"

        UNREADABLE_MESSAGE = UnreadableMessage "unreadable_message" "unreadableMessage" and "error",
        Both Warn ["subject" "why" "is_left_out"]
        meaning "The client cannot read a message, and drops its headers or the whole message. The Rust client sends one notice for each \
            subject, and the browser client sends one in all."
        cause "Another client published a message with damaged headers."
        remedy "Correct the publisher."
        example "the client dropped a message to `orders.new`: its headers cannot be read"

        RESOLVER_FAILED = ResolverFailed "resolver_failed" "resolverFailed", Native Warn ["name" "error"]
        meaning "A lookup in DNS failed. The client keeps the servers that it knows."
        cause "The text after the colon is the reason."
        remedy "Check the name, and the name servers of this host."
        example "could not look up `nats.example.org`: no answer in time; the client keeps 3 servers of this name"

        RESOLVER_RECOVERED = ResolverRecovered "resolver_recovered" "resolverRecovered", Native Info ["name"]
        meaning "A lookup in DNS succeeded after it had failed."
        cause "DNS answers again."
        remedy "None is needed."
        example "the lookup of `nats.example.org` succeeds again"
    }
    others {
        MOVE_COMPLETED = "move_completed" "moveCompleted",
        Native Info ["region" "server" "address" "cause" "detect_ms" "select_ms" "connect_ms" "resume_ms"]
        meaning "The new server has confirmed all subscriptions after a move. The fields hold the duration of each phase."
        cause "A move ended."
        remedy "None is needed."
        example "ams has all subscriptions"

        SRV_WITHOUT_ADDRESS = "srv_without_address" "srvWithoutAddress", Native Warn ["host" "error"]
        meaning "An SRV record names a host without an address. The client ignores the record."
        cause "DNS has no A or AAAA record for the host, or the lookup failed."
        remedy "Correct the SRV record, or add an address."
        example "the host of an SRV record has no address"

        REFUSED = "refused" "refused", Native Warn ["conn" "text"]
        meaning "A server refused an operation of this client. `text` is the server's error."
        cause "A permission is missing, or a limit is reached."
        remedy "Permit the operation, or raise the limit."
        example "the server refused an operation"

        NOT_ACKNOWLEDGED = "not_acknowledged" "notAcknowledged", Native Debug ["subject" "tries" "reason"]
        meaning "No acknowledgement arrived for a publish to a stream. The client resends the message for a limited time."
        cause "The stream has no leader, the link was lost, or the server is slow. `reason` names the cause."
        remedy "If the event repeats, check the stream and its replicas."
        example "no acknowledgement arrived"

        SERVICE_NOT_ANSWERED = "service_not_answered" "serviceNotAnswered", Native Warn ["subject" "why"]
        meaning "A service could not answer a discovery request (`$SRV`)."
        cause "The request has no reply subject, or the client is closed. `why` names the cause."
        remedy "Send discovery requests with a reply subject."
        example "the service could not answer a discovery request"

        DRAIN_UNFINISHED = "drain_unfinished" "drainUnfinished", Native Warn ["conn" "drain"]
        meaning "The client closed an old link although requests or messages were still in flight on that link."
        cause "The time limit `handover.drain` passed, and nothing arrived on the link during that time."
        remedy "If requests take longer, increase `handover.drain`."
        example "requests or deliveries were still in flight after the drain"

        DECIDED = "decided" "decided", Native Debug ["action"]
        meaning "The selector made a decision. `action` shows it."
        cause "The selector got a fact from the driver, or a timer was due."
        remedy "None is needed."
        example "action=Ping { conn: ConnId(1), ping: PingId(7) }"

        DECISION_LOG_ENDED = "decision_log_ended" "decisionLogEnded", Native Warn ["why"]
        meaning "The decision log ended before the client ended."
        cause "The log reached its size limit, or a write failed. `why` names the cause."
        remedy "Raise `bytes_max`, or free disk space."
        example "the decision log ended: it has reached its limit"

        TASK_PANICKED = "task_panicked" "taskPanicked", Native Error ["error"]
        meaning "A task of the client panicked. The client continues."
        cause "A bug of nats-geo, or of a callback of the application."
        remedy "Report the bug, with the text of the panic."
        example "a task of the driver panicked"

        PROBE = "probe" "probe", Browser Debug []
        meaning "The client measured a server. `url`, `server`, `cluster` and `rtt_ms` hold the result."
        cause "The client measures each server from time to time."
        remedy "None is needed."
        example "the client measured a server"

        DISCARDED = "discarded" "discarded", Browser Warn []
        meaning "Publishes are certainly lost. `messages` is their number; at most one status per second."
        cause "The client was offline for too long, or its buffer was full. The text names the cause."
        remedy "Publish less while the client is offline, or publish to a stream of JetStream."
        example "the client is offline, and its buffer for publishes is full"

        WORKER = "worker" "worker", Browser Info []
        meaning "The page lost its service worker (`state` is `lost`), or is connected to a new one (`attached`)."
        cause "The browser stopped the service worker, or replaced it by a new version."
        remedy "None is needed. Requests that waited fail; subscriptions continue."
        example "{ type: \"worker\", state: \"lost\" }"
    }
}
