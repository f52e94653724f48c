"""gRPC's interoperability cases with its C core, through Python. Arguments: host:port, the server's name, a PEM file to trust.

Prints a line for each case, which GrpcInteropTests.cs compares. Messages are written by hand, so that no compiler is needed.
"""

import sys
import threading

import grpc

UNARY, EMPTY = "/grpc.testing.TestService/UnaryCall", "/grpc.testing.TestService/EmptyCall"
INPUT, OUTPUT = "/grpc.testing.TestService/StreamingInputCall", "/grpc.testing.TestService/StreamingOutputCall"
DUPLEX = "/grpc.testing.TestService/FullDuplexCall"
SIZES, PAYLOADS = [31415, 9, 2653, 58979], [27182, 8, 1828, 45904]
MESSAGE, SPECIAL = "test status message", "\t\ntest with whitespace\r\nand Unicode BMP ☺ and non-BMP 😈\t\n"
METADATA = (("x-grpc-test-echo-initial", "test_initial_metadata_value"), ("x-grpc-test-echo-trailing-bin", b"\xab\xab\xab"))
PATIENCE = 60

target, name, file = sys.argv[1:]
with open(file, "rb") as trusted:
    credentials = grpc.ssl_channel_credentials(trusted.read())
channel = grpc.secure_channel(target, credentials, [
    ("grpc.ssl_target_name_override", name), ("grpc.enable_http_proxy", 0), ("grpc.max_receive_message_length", -1)])


def number(value):
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes(out + bytes([value]))


def field(key, value):
    """A field of a message: an int, or bytes."""
    if isinstance(value, int):
        return number(key << 3) + number(value)
    return number(key << 3 | 2) + number(len(value)) + value


def payload(size, key=3):
    return field(key, field(2, bytes(size)))


def output(size, request=0, interval=0):
    parameters = field(1, size) + (field(2, interval) if interval else b"")
    return field(2, parameters) + payload(request)


def status(code, message):
    return field(7, field(1, code) + field(2, message.encode()))


def read(message):
    """The first field: an int, or bytes."""
    at, kind = 1, message[0] & 7
    value = shift = 0
    while True:
        value |= (message[at] & 127) << shift
        shift, at = shift + 7, at + 1
        if message[at - 1] < 128:
            return value if kind == 0 else message[at:at + value]


def size(message):
    body = read(message)
    return len(read(body)) if body else 0


def unary(request, path=UNARY, **options):
    """The answer and the call."""
    return channel.unary_unary(path).with_call(request, timeout=PATIENCE, **options)


def duplex(requests, **options):
    options.setdefault("timeout", PATIENCE)
    return channel.stream_stream(DUPLEX)(iter(requests), **options)


def end(call):
    """How a call ended, what it answered unread."""
    try:
        if hasattr(call, "__next__"):
            for _ in call:
                pass
        elif callable(call):
            call()
        else:
            call.result()
    except grpc.RpcError as error:
        return error
    return call


def told(call):
    error = end(call)
    return f"{error.code().name} {error.details()}"


def code(call):
    return end(call).code().name


def compressed(call):
    return dict(call.trailing_metadata())["interop-compressed"].split()


class Requests:
    """Requests that come one by one, and end when the test says so."""

    def __init__(self):
        self._queue, self._more, self._ended = [], threading.Condition(), False

    def send(self, request):
        with self._more:
            self._queue.append(request)
            self._more.notify()

    def close(self):
        with self._more:
            self._ended = True
            self._more.notify()

    def __iter__(self):
        return self

    def __next__(self):
        with self._more:
            self._more.wait_for(lambda: self._queue or self._ended, PATIENCE)
            if self._queue:
                return self._queue.pop(0)
            raise StopIteration


def large():
    return field(2, 314159) + payload(271828)


def empty_unary():
    return f"OK {len(unary(b'', EMPTY)[0])}"


def large_unary():
    return f"OK {size(unary(large())[0])}"


def huge_unary():
    return f"OK {size(unary(field(2, 6291456) + payload(6291456))[0])}"


def client_streaming():
    return f"OK {read(channel.stream_unary(INPUT)(iter([payload(n, 1) for n in PAYLOADS]), timeout=PATIENCE))}"


def server_streaming():
    request = b"".join(field(2, field(1, n)) for n in SIZES)
    return "OK " + " ".join(str(size(answer)) for answer in channel.unary_stream(OUTPUT)(request, timeout=PATIENCE))


def ping_pong():
    requests = Requests()
    call = duplex(requests)
    answers = []
    for answer, request in zip(SIZES, PAYLOADS):
        requests.send(output(answer, request))
        answers.append(str(size(next(call))))
    requests.close()
    return f"{code(call)} " + " ".join(answers)


def empty_stream():
    return code(duplex([]))


def cancel_after_begin():
    call = channel.stream_unary(INPUT).future(Requests(), timeout=PATIENCE)
    call.cancel()
    return call.code().name


def cancel_after_first_response():
    requests = Requests()
    call = duplex(requests)
    requests.send(output(31415, 27182))
    first = size(next(call))
    call.cancel()
    return f"{code(call)} {first}"


def timeout_on_sleeping_server():
    requests = Requests()
    requests.send(output(1, 27182, 60_000_000))
    call = duplex(requests, timeout=0.2)
    ended = code(call)
    requests.close()
    return ended


def status_code_and_message():
    return f"{told(lambda: unary(status(2, MESSAGE)))}; {told(duplex([status(2, MESSAGE)]))}"


def special_status_message():
    error = end(lambda: unary(status(2, SPECIAL)))
    return f"{error.code().name} {error.details().encode().hex()}"


def custom_metadata():
    def echoed(call):
        initial, trailing = dict(call.initial_metadata()), dict(call.trailing_metadata())
        return f"{initial[METADATA[0][0]]} {trailing[METADATA[1][0]].hex()}"

    _, call = unary(large(), metadata=METADATA)
    stream = duplex([output(314159, 271828)], metadata=METADATA)
    return f"{echoed(call)}; {echoed(end(stream))}"


def unimplemented_method():
    return code(lambda: unary(b"", "/grpc.testing.TestService/UnimplementedCall"))


def unimplemented_service():
    return code(lambda: unary(b"", "/grpc.testing.UnimplementedService/UnimplementedCall"))


def client_compressed_unary():
    expected = large() + field(8, field(1, 1))
    refused = code(lambda: unary(expected))
    answer, call = unary(expected, compression=grpc.Compression.Gzip)
    plain, plain_call = unary(large() + field(8, b""))
    return f"{refused}; OK {size(answer)} {compressed(call)[0]}; OK {size(plain)} {compressed(plain_call)[0]}"


def server_compressed_unary():
    answer, call = unary(large() + field(6, field(1, 1)))
    plain, plain_call = unary(large() + field(6, b""))
    return f"OK {size(answer)} {compressed(call)[1]}; OK {size(plain)} {compressed(plain_call)[1]}"


def many_streams():
    requests = [Requests() for _ in range(150)]
    calls = [duplex(request) for request in requests]
    for request in requests:
        request.send(output(9, 8))
    answered = sum(1 for call in calls if size(next(call)) == 9)
    for request in requests:
        request.close()
    return f"{' '.join(sorted({code(call) for call in calls}))} {answered}"


for case in [
        empty_unary, large_unary, huge_unary, client_streaming, server_streaming, ping_pong, empty_stream, cancel_after_begin,
        cancel_after_first_response, timeout_on_sleeping_server, status_code_and_message, special_status_message, custom_metadata,
        unimplemented_method, unimplemented_service, client_compressed_unary, server_compressed_unary, many_streams]:
    try:
        print(f"{case.__name__} {case()}", flush=True)
    except Exception as failure:  # one case, and the others are still worth knowing
        print(f"{case.__name__} failed: {' '.join(str(failure).split())}", flush=True)
