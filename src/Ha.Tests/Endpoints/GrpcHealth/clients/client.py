"""gRPC's own C core, through Python: it watches the health of each node by itself and sends calls to the leader.

Arguments: a PEM file to trust, then id=host:port of the leader, of the node that will lead after it, and of the third.
Prints one line for each thing that it learns; the test kills the leader in between. See GrpcClientsTests.cs.
"""

import json
import sys
import time

import grpc

SAY = "/test.Echo/Say"
CHECK = "/grpc.health.v1.Health/Check"
WATCH = "/grpc.health.v1.Health/Watch"
PATIENCE = 60

with open(sys.argv[1], "rb") as file:
    credentials = grpc.ssl_channel_credentials(file.read())
nodes = [argument.split("=") for argument in sys.argv[2:]]
(follower_id, follower_target) = nodes[1]
STATUSES = ["UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN"]


def channel(target, service_config=None):
    options = [("grpc.ssl_target_name_override", "localhost"), ("grpc.enable_http_proxy", 0)]
    if service_config:
        options.append(("grpc.service_config", json.dumps(service_config)))
    return grpc.secure_channel(target, credentials, options)


def health(service):
    name = service.encode()
    return bytes([10, len(name)]) + name if name else b""


def say(line):
    print(line, flush=True)


def check(to, service):
    try:
        return STATUSES[to.unary_unary(CHECK)(health(service), timeout=PATIENCE, wait_for_ready=True)[1]]
    except grpc.RpcError as error:
        return error.code().name


def told(to, text):
    call = to.unary_unary(SAY)
    try:
        answer, end = call.with_call(text.encode(), timeout=PATIENCE, wait_for_ready=True)
        return f"{answer.decode()}, OK, echo-end {dict(end.trailing_metadata())['echo-end']}"
    except grpc.RpcError as error:
        end = dict(error.trailing_metadata())
        return f"{error.code().name}, {error.details()}, echo-end {end.get('echo-end')}"


# Step 1: the second node follows. It says so, and passes calls on with their status and trailers.
with channel(f"ipv4:{follower_target}") as follower:
    say(f"check {check(follower, 'ha.Leader')} {check(follower, '')} {check(follower, 'nobody')}")
    say(f"say {told(follower, 'hello')}")
    say(f"say {told(follower, 'fail')}")
    watch = follower.unary_stream(WATCH)(health("ha.Leader"), timeout=PATIENCE)
    say(f"watch {follower_id} {STATUSES[next(watch)[1]]}")

    # Step 2: with all nodes and the leader's health, calls go straight to whoever leads, one after the other.
    config = {"loadBalancingConfig": [{"round_robin": {}}], "healthCheckConfig": {"serviceName": "ha.Leader"}}
    with channel("ipv4:" + ",".join(target for _, target in nodes), config) as leader:
        call = leader.unary_unary(SAY)
        last, deadline = None, time.monotonic() + PATIENCE
        while last != f"{follower_id} direct x".encode() and time.monotonic() < deadline:
            try:
                # Nobody ready while there is no leader: the call waits.
                answer = call(b"x", timeout=PATIENCE, wait_for_ready=True)
            except grpc.RpcError as error:
                say(f"call {error.code().name}")
                continue
            if answer != last:
                last = answer
                say(f"calls {answer.decode()}")
            time.sleep(0.01)

    # Step 3: the stream that was open all the time has told the same.
    say(f"watch {follower_id} {STATUSES[next(watch)[1]]}")
    watch.cancel()
