namespace Ha.Tests.Processes;

/// <summary>The rows of docs/setup-errors.md, in their order.</summary>
internal static class WrongSetups
{
    public static IReadOnlyList<WrongSetup> All { get; } = [.. Urls(), .. Keys(), .. Values(), .. Relations(), .. Alone(), .. Reached(), .. Together()];

    private static IEnumerable<WrongSetup> Urls() =>
    [
        new("a URL without scheme", ["BASE_LOCAL_TARGET=node-1:8080"], "BASE_LOCAL_TARGET (node-1:8080) has no scheme", "write http://node-1:8080"),
        new("a URL with another scheme", ["BASE_PUBLIC_TARGET=ftp://shop.example"], "has a scheme that is not http or https", "http or https"),
        new("a URL with a path", ["BASE_PUBLIC_TARGET=http://shop.example/api"], "has something after the host and port", "so write http://shop.example"),
        new("a URL with a password", ["BASE_PEERS={a},http://ann:pw@node-2:8080"], "BASE_PEERS (http://***@node-2:8080) carries a user name or password", "leave only scheme, host and port"),
        new("port 0", ["BASE_LOCAL_TARGET=http://127.0.0.1:0"], "has port 0", "write the port that others connect to"),
        new("an address to listen on", ["BASE_LOCAL_TARGET=http://0.0.0.0:8080"], "is an address to listen on, not one that others can connect to", "write this node's name or IP address"),
        new("a wildcard, as in `ASPNETCORE_URLS`", ["BASE_LOCAL_TARGET=http://*:8080"], "is an address to listen on, not one that others can connect to", "write this node's name or IP address"),
        new("members separated by semicolons, as in `ASPNETCORE_URLS`", ["BASE_PEERS={a};{b}"], "BASE_PEERS ({a};{b}) holds a semicolon", "write one URL, or commas between those of a list"),
        new("a member twice", ["BASE_PEERS={a},{b},{b}/"], "names {b} a second time", "remove one of them"),
        new("peers, but not the own URL", ["BASE_LOCAL_TARGET="], "is set but BASE_LOCAL_TARGET is not", "set BASE_LOCAL_TARGET to this node's own URL"),
        new("a store beside the peers", ["BASE_LEASE_STORE=postgres:Host=db"], "BASE_LEASE_STORE and BASE_PEERS are both set, and only one of them can elect", "remove one, on every node the same"),
        new("a store whose line or package is not there", ["BASE_PEERS=", "BASE_LEASE_STORE=kubernetes:shop"], "BASE_LEASE_STORE (kubernetes:…) needs AddHa(o => o.UseKubernetes()) in the program", "dotnet add package Ha.Kubernetes"),
        new("a store whose connection string is not there", ["BASE_PEERS=", "BASE_LEASE_STORE=postgres:Shopp"], "BASE_LEASE_STORE=postgres: names the connection string Shopp, which the configuration does not have", "set ConnectionStrings:Shopp"),
        new("the own URL in another spelling of loopback", ["BASE_PEERS=http://localhost:{a:port},{b},{c}"], "BASE_PEERS (http://localhost:{a:port}) is BASE_LOCAL_TARGET ({a}) in another spelling", "write each URL the same way in every setting, on every node"),
        new("a name with a trailing dot", ["BASE_LOCAL_TARGET=http://node-1.:8080", "BASE_PEERS=http://node-1:8080,http://node-2:8080"], "BASE_PEERS (http://node-1:8080) is BASE_LOCAL_TARGET (http://node-1.:8080) in another spelling", "write each URL the same way in every setting, on every node"),
        new("a loopback address among others, the own one", ["BASE_PEERS=http://node-2:8080,http://node-3:8080"], "BASE_LOCAL_TARGET ({a}) leads each machine to itself", "write the name or address that the other nodes reach"),
        new("a loopback address among others, a member's", ["BASE_LOCAL_TARGET=http://node-1:8080", "BASE_PEERS=http://localhost:8081"], "BASE_PEERS (http://localhost:8081) leads each machine to itself", "write the name or address that the other nodes reach"),
    ];

    private static IEnumerable<WrongSetup> Keys() =>
    [
        new("peers without a secret", ["BASE_CLUSTER_SECRET="], "BASE_CLUSTER_SECRET is not set, so anyone who reaches this node could become its leader", "make one with: openssl rand -base64 32"),
        new("a short secret", ["BASE_CLUSTER_SECRET=hunter2"], "BASE_CLUSTER_SECRET (7 bytes) is shorter than 16 bytes", "make one with: openssl rand -base64 32"),
        new("a secret that is a command, not its output", ["BASE_CLUSTER_SECRET=$(openssl rand -base64 32)"], "BASE_CLUSTER_SECRET (26 bytes) is a command or a placeholder that nobody has run or filled in", "write the output of: openssl rand -base64 32"),
        new("a secret twice", ["BASE_CLUSTER_SECRET_FILE=/run/secrets/ha"], "BASE_CLUSTER_SECRET_FILE (/run/secrets/ha) and BASE_CLUSTER_SECRET are both set", "remove one of them"),
        new("a secret's file that is not there", ["BASE_CLUSTER_SECRET=", "BASE_CLUSTER_SECRET_FILE=/no/such/file"], "BASE_CLUSTER_SECRET_FILE (/no/such/file) names a file that does not exist", "create it or correct the path"),
        new("a node key that is none", ["BASE_NODE_KEY=secret"], "BASE_NODE_KEY (6 characters) is neither PEM nor the base64 of a PKCS#8 key", "openssl genpkey"),
        new("a public key without its node", ["BASE_PEER_KEYS=b"], "BASE_PEER_KEYS (entry 1, 1 characters) is not of the form id=publickey", "write the node's BASE_NODE_ID"),
        new("a certificate file for clear text", ["BASE_CA_FILE=/etc/ha/ca.crt"], "BASE_CA_FILE (/etc/ha/ca.crt) is for https, but no URL in BASE_PEERS is", "write https:// there and in BASE_LOCAL_TARGET, or remove it"),
        new("an admin token that no header carries", ["BASE_ADMIN_TOKEN=open sesame"], "BASE_ADMIN_TOKEN (11 characters) must be printable ASCII without spaces", "make one with: openssl rand -base64 32"),
        new("a short admin token", ["BASE_ADMIN_TOKEN=hunter2"], "BASE_ADMIN_TOKEN (7 characters) is shorter than 16 characters", "make one with: openssl rand -base64 32"),
    ];

    private static IEnumerable<WrongSetup> Values() =>
    [
        new("a mistyped key (up to two letters off)", ["BASE_PEER={b}"], "BASE_PEER is not a setting", "did you mean BASE_PEERS?"),
        new("a key that is gone", ["BASE_GRPC_HEALTH=true"], "BASE_GRPC_HEALTH is no setting any more", "app.MapHaGrpcHealth()"),
        new("a duration without unit", ["BASE_HEARTBEAT_INTERVAL=500"], "BASE_HEARTBEAT_INTERVAL (500) has no unit", "write 500ms or 500s"),
        new("a negative duration", ["BASE_DRAIN_TIMEOUT=-1s"], "BASE_DRAIN_TIMEOUT (-1s) is negative", "write it like 500ms"),
        new("a duration that is too long", ["BASE_WRITE_HOLD=2h"], "BASE_WRITE_HOLD (2h) must be", "at most 1h"),
        new("a word that is no choice", ["BASE_QUORUM=all"], "BASE_QUORUM (all) is not one of", "auto, majority, off"),
        new("a flag that is none", ["BASE_WITNESS=yes"], "BASE_WITNESS (yes) is neither", "true nor false"),
        new("a number that is none", ["BASE_WRITE_HOLD_MAX=-1"], "BASE_WRITE_HOLD_MAX (-1) must be from 0 to 1000000", "to hold nothing write BASE_WRITE_HOLD=0"),
        new("a path prefix without slash", ["BASE_FORWARD_NEVER=hooks"], "BASE_FORWARD_NEVER (hooks) does not begin with a slash", "write a path such as /hooks"),
        new("a path prefix with a wildcard", ["BASE_FORWARD_ALWAYS=/reports/*"], "BASE_FORWARD_ALWAYS (/reports/*) is no plain path", "write the beginning of one, such as /hooks"),
        new("a path prefix in both lists", ["BASE_FORWARD_NEVER=/hooks", "BASE_FORWARD_ALWAYS=/hooks"], "BASE_FORWARD_NEVER and BASE_FORWARD_ALWAYS both name /hooks", "leave it in one of them"),
        new("an id with a space", ["BASE_NODE_ID=node 1"], "BASE_NODE_ID (node 1) must be printable ASCII", "use letters, digits, '-', '.' and '_'"),
    ];

    private static IEnumerable<WrongSetup> Relations() =>
    [
        new("a lease below two intervals", ["BASE_LEASE_TIMEOUT=400ms"], "BASE_LEASE_TIMEOUT (400ms) must be at least twice BASE_HEARTBEAT_INTERVAL (500ms)", "raise it to 1s or more"),
        new("an interval below the scheduler's grain", ["BASE_HEARTBEAT_INTERVAL=5ms"], "BASE_HEARTBEAT_INTERVAL (5ms) must be at least 10ms", "leave it unset for 500ms"),
        new("a shutdown that takes too long", ["BASE_SHUTDOWN_DELAY=25s"], "must fit HostOptions.ShutdownTimeout (30s)", "lower them, or raise it: DOTNET_shutdownTimeoutSeconds=37"),
        new("a witness of two members", ["BASE_WITNESS=true", "BASE_PEERS={a},{b}"], "BASE_WITNESS (true) votes, but nobody votes with BASE_QUORUM (auto) and 2 members", "set BASE_QUORUM=majority on every node, or remove it"),
        new("a witness of a fixed leader", ["BASE_WITNESS=true", "BASE_STATIC_LEADER={b}"], "BASE_WITNESS (true) votes in an election, but BASE_STATIC_LEADER ({b}) rules it out", "remove one of them"),
        new("a fixed leader by its public URL", ["BASE_STATIC_LEADER=http://shop.example", "BASE_PUBLIC_TARGET=http://shop.example", "BASE_LOCAL_TARGET=http://node-1:8080"], "BASE_STATIC_LEADER (http://shop.example) is this node's BASE_PUBLIC_TARGET", "set BASE_STATIC_LEADER to that node's BASE_LOCAL_TARGET on every node"),
        new("a fixed leader in another spelling", ["BASE_STATIC_LEADER=http://localhost:{a:port}"], "BASE_STATIC_LEADER (http://localhost:{a:port}) is BASE_LOCAL_TARGET ({a}) in another spelling", "write each URL the same way in every setting, on every node"),
    ];

    private static IEnumerable<WrongSetup> Alone() =>
    [
        new("all three keys that switch it on misnamed", ["BASE_LOCAL_TARGET=", "BASE_PEERS=", "BASE_LOCALTARGET={a}", "BASE_MEMBERS={a},{b}"], "Ha is off, because none of BASE_STATIC_LEADER, BASE_LOCAL_TARGET, BASE_PEERS and BASE_LEASE_STORE is set", "so these have no effect: BASE_CLUSTER_SECRET, BASE_LOCALTARGET") { Event = 1420 },
        new("the members under another name", ["BASE_PEERS=", "BASE_MEMBERS={a},{b},{c}"], "Not a setting of Ha, so without effect here: BASE_MEMBERS", "correct its name: docs/configuration.md lists all") { Event = 1421 },
        new("the own URL and no members: it leads alone", ["BASE_PEERS="], "This node is a cluster of its own and leads whatever others do: BASE_LOCAL_TARGET ({a}) is set, BASE_PEERS is not", "Set BASE_PEERS to the URLs of all nodes") { Event = 1422 },
        new("a fixed leader beside members", ["BASE_STATIC_LEADER={a}"], "BASE_STATIC_LEADER ({a}) wins, so there is no election and BASE_PEERS has no effect", "Remove one of the two, on every node the same") { Event = 1423 },
        new("two members and no witness", ["BASE_PEERS={a},{b}"], "Two members cannot outvote each other", "Add a third member; it may be a witness that only votes (BASE_WITNESS=true)") { Event = 1403 },
        new("three members and no quorum", ["BASE_QUORUM=off"], "BASE_QUORUM is off with 3 members", "Leave it unset to elect by majority") { Event = 1404 },
        new("no signatures", ["BASE_CLUSTER_SECRET=", "BASE_INSECURE=true"], "BASE_INSECURE lets unsigned heartbeats in", "Set BASE_CLUSTER_SECRET on every node, then remove it") { Event = 1405 },
    ];

    private static IEnumerable<WrongSetup> Reached() =>
    [
        new("the own URL has a port that nobody listens on", ["BASE_LOCAL_TARGET=http://127.0.0.1:1"], "This node does not reach itself at BASE_LOCAL_TARGET (http://127.0.0.1:1), so others hardly will", "Set BASE_LOCAL_TARGET to a URL that leads there, or listen where it leads (ASPNETCORE_URLS)") { Event = 1424 },
        new("https in the own URL, http at the listener", ["BASE_LOCAL_TARGET=https://127.0.0.1:{a:port}", "BASE_PEERS={b},{c}"], "This node does not reach itself at BASE_LOCAL_TARGET (https://127.0.0.1:{a:port})", "It listens on {a}") { Event = 1424 },
        new("the own URL leads to another node, or to a balancer", ["BASE_LOCAL_TARGET={b}"], "BASE_LOCAL_TARGET ({b}) leads to node b instead of this node", "Set it to a URL that leads to this node alone, not to another node or a balancer") { Event = 1425, B = [] },
        new("a listener for HTTP/2 alone, as in the gRPC template", ["Kestrel__EndpointDefaults__Protocols=Http2"], "BASE_LOCAL_TARGET ({a}) takes HTTP/2 only. Members speak that with each other, but probes, balancers and tools that ask over HTTP/1.1 get 400", "give them a second endpoint with Protocols Http1, or use https with Protocols Http1AndHttp2") { Event = 1429 },
    ];

    private static IEnumerable<WrongSetup> Together() =>
    [
        new("one id for two nodes, as without `BASE_NODE_ID` on one machine", ["BASE_NODE_ID="], "is used more than once, so nobody gets a vote", "Give each node its own BASE_NODE_ID") { Event = 1017, B = ["BASE_NODE_ID="] },
        new("another secret", [], "the peer does not take our signature", "BASE_CLUSTER_SECRET or BASE_PEER_KEYS must be the same on every node") { Event = 1101, B = ["BASE_CLUSTER_SECRET=another secret of some length"] },
        new("another cluster id", [], "other_cluster, {b} is of cluster blue", "nodes of one cluster have the same BASE_CLUSTER_ID") { Event = 1100, B = ["BASE_CLUSTER_ID=blue"] },
        new("another lease", [], "Settings of b differ from this node's, so it gets no vote: lease timeout is 3000 ms there and 1500 ms here", "cluster id, quorum and timing must be the same on every node") { Event = 1018, B = ["BASE_LEASE_TIMEOUT=3s"] },
        new("other members", [], "Settings of b differ from this node's, so it gets no vote", "BASE_PEERS, with each member's BASE_LOCAL_TARGET, cluster id, quorum and timing must be the same on every node") { Event = 1018, B = ["BASE_PEERS={a},{b},{c},http://127.0.0.1:1"] },
        new("a node that is in nobody's list", [], "not_member, http://127.0.0.1:1 (b) is not in BASE_PEERS", "is not in BASE_PEERS") { Event = 1100, B = ["BASE_LOCAL_TARGET=http://127.0.0.1:1"] },
        new("a fixed leader beside an election, on a node that elects", [], "fixed_leader, the peer has BASE_STATIC_LEADER, and nobody is elected beside a fixed leader", "set it on every node or on none") { Event = 1101, B = ["BASE_STATIC_LEADER={b}"] },
        new("the same, on the node with the fixed leader", ["BASE_STATIC_LEADER={a}"], "fixed_leader, this node has BASE_STATIC_LEADER, and whoever sent it takes part in an election", "set it on every node or on none") { Event = 1100, B = [] },
    ];
}
