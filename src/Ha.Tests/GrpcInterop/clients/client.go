// gRPC's interoperability cases with grpc-go. Arguments: host:port, the server's name, a PEM file to trust.
// Prints a line for each case, which GrpcInteropTests.cs compares. Messages are written by hand, so that no compiler is needed.
package main

import (
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	_ "google.golang.org/grpc/encoding/gzip"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

const (
	service = "/grpc.testing.TestService"
	message = "test status message"
	special = "\t\ntest with whitespace\r\nand Unicode BMP ☺ and non-BMP 😈\t\n"
	patient = time.Minute
)

var (
	sizes    = []int{31415, 9, 2653, 58979}
	payloads = []int{27182, 8, 1828, 45904}
	names    = map[codes.Code]string{
		codes.OK: "OK", codes.Canceled: "CANCELLED", codes.Unknown: "UNKNOWN", codes.InvalidArgument: "INVALID_ARGUMENT",
		codes.DeadlineExceeded: "DEADLINE_EXCEEDED", codes.Unimplemented: "UNIMPLEMENTED",
	}
	server *grpc.ClientConn
)

// bare passes messages as they are.
type bare struct{}

func (bare) Marshal(v interface{}) ([]byte, error) { return *v.(*[]byte), nil }
func (bare) Unmarshal(data []byte, v interface{}) error {
	*v.(*[]byte) = append([]byte{}, data...)
	return nil
}
func (bare) Name() string { return "proto" }

func number(value int) []byte {
	out := []byte{}
	for ; value > 127; value >>= 7 {
		out = append(out, byte(value&127|128))
	}
	return append(out, byte(value))
}

func integer(key, value int) []byte { return append(number(key<<3), number(value)...) }

func bytes(key int, value []byte) []byte {
	return append(append(number(key<<3|2), number(len(value))...), value...)
}

func join(parts ...[]byte) []byte {
	out := []byte{}
	for _, part := range parts {
		out = append(out, part...)
	}
	return out
}

// read returns the first field: a number, or bytes.
func read(from []byte) (int, []byte) {
	value, shift, at := 0, 0, 1
	for {
		value |= int(from[at]&127) << shift
		shift += 7
		at++
		if from[at-1] < 128 {
			break
		}
	}
	if from[0]&7 == 0 {
		return value, nil
	}
	return value, from[at : at+value]
}

func size(answer []byte) int {
	_, body := read(answer)
	if len(body) == 0 {
		return 0
	}
	length, _ := read(body)
	return length
}

func payload(key, length int) []byte { return bytes(key, bytes(2, make([]byte, length))) }
func failing(text string) []byte     { return bytes(7, join(integer(1, 2), bytes(2, []byte(text)))) }
func large() []byte                  { return join(integer(2, 314159), payload(3, 271828)) }

func output(answer, request, interval int) []byte {
	return join(bytes(2, join(integer(1, answer), integer(2, interval))), payload(3, request))
}

func code(err error) string {
	if err == io.EOF {
		err = nil
	}
	if name, known := names[status.Code(err)]; known {
		return name
	}
	return err.Error()
}

func unary(request []byte, path string, options ...grpc.CallOption) ([]byte, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patient)
	defer cancel()
	return unaryIn(ctx, request, path, options...)
}

func unaryIn(ctx context.Context, request []byte, path string, options ...grpc.CallOption) ([]byte, error) {
	var answer []byte
	err := server.Invoke(ctx, service+path, &request, &answer, options...)
	return answer, err
}

func stream(ctx context.Context, path string) grpc.ClientStream {
	call, err := server.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}, service+path)
	if err != nil {
		panic(err)
	}
	return call
}

func send(call grpc.ClientStream, request []byte) {
	if err := call.SendMsg(&request); err != nil && err != io.EOF {
		panic(err)
	}
}

func receive(call grpc.ClientStream) ([]byte, error) {
	var answer []byte
	err := call.RecvMsg(&answer)
	return answer, err
}

func rest(call grpc.ClientStream) (answers []string, err error) {
	for {
		answer, err := receive(call)
		if err != nil {
			return answers, err
		}
		answers = append(answers, fmt.Sprint(size(answer)))
	}
}

func emptyUnary(context.Context) string {
	answer, err := unary([]byte{}, "/EmptyCall")
	return fmt.Sprint(code(err), " ", len(answer))
}

func largeUnary(context.Context) string {
	answer, err := unary(large(), "/UnaryCall")
	return fmt.Sprint(code(err), " ", size(answer))
}

func hugeUnary(context.Context) string {
	answer, err := unary(join(integer(2, 6291456), payload(3, 6291456)), "/UnaryCall")
	return fmt.Sprint(code(err), " ", size(answer))
}

func clientStreaming(ctx context.Context) string {
	call := stream(ctx, "/StreamingInputCall")
	for _, length := range payloads {
		send(call, payload(1, length))
	}
	call.CloseSend()
	answer, err := receive(call)
	if err != nil {
		return code(err)
	}
	sum, _ := read(answer)
	_, err = receive(call)
	return fmt.Sprint(code(err), " ", sum)
}

func serverStreaming(ctx context.Context) string {
	request := []byte{}
	for _, length := range sizes {
		request = append(request, bytes(2, integer(1, length))...)
	}
	call := stream(ctx, "/StreamingOutputCall")
	send(call, request)
	call.CloseSend()
	answers, err := rest(call)
	return code(err) + " " + strings.Join(answers, " ")
}

func pingPong(ctx context.Context) string {
	call := stream(ctx, "/FullDuplexCall")
	answers := []string{}
	for i, length := range sizes {
		send(call, output(length, payloads[i], 0))
		answer, err := receive(call)
		if err != nil {
			return code(err)
		}
		answers = append(answers, fmt.Sprint(size(answer)))
	}
	call.CloseSend()
	_, err := receive(call)
	return code(err) + " " + strings.Join(answers, " ")
}

func emptyStream(ctx context.Context) string {
	call := stream(ctx, "/FullDuplexCall")
	call.CloseSend()
	answers, err := rest(call)
	return strings.Join(append([]string{code(err)}, answers...), " ")
}

func cancelAfterBegin(ctx context.Context) string {
	ctx, cancel := context.WithCancel(ctx)
	call := stream(ctx, "/StreamingInputCall")
	cancel()
	_, err := receive(call)
	return code(err)
}

func cancelAfterFirstResponse(ctx context.Context) string {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	call := stream(ctx, "/FullDuplexCall")
	send(call, output(31415, 27182, 0))
	first, err := receive(call)
	if err != nil {
		return code(err)
	}
	cancel()
	_, err = receive(call)
	return fmt.Sprint(code(err), " ", size(first))
}

func timeoutOnSleepingServer(ctx context.Context) string {
	ctx, cancel := context.WithTimeout(ctx, 200*time.Millisecond)
	defer cancel()
	call := stream(ctx, "/FullDuplexCall")
	send(call, output(1, 27182, 60000000))
	_, err := receive(call)
	return code(err)
}

func statusCodeAndMessage(ctx context.Context) string {
	_, one := unary(failing(message), "/UnaryCall")
	call := stream(ctx, "/FullDuplexCall")
	send(call, failing(message))
	call.CloseSend()
	_, many := rest(call)
	return fmt.Sprintf("%s %s; %s %s", code(one), status.Convert(one).Message(), code(many), status.Convert(many).Message())
}

func specialStatusMessage(context.Context) string {
	_, err := unary(failing(special), "/UnaryCall")
	return code(err) + " " + hex.EncodeToString([]byte(status.Convert(err).Message()))
}

func customMetadata(ctx context.Context) string {
	ctx = metadata.AppendToOutgoingContext(ctx,
		"x-grpc-test-echo-initial", "test_initial_metadata_value", "x-grpc-test-echo-trailing-bin", "\xab\xab\xab")
	echoed := func(initial, trailing metadata.MD) string {
		return strings.Join(initial["x-grpc-test-echo-initial"], "") + " " +
			hex.EncodeToString([]byte(strings.Join(trailing["x-grpc-test-echo-trailing-bin"], "")))
	}
	var initial, trailing metadata.MD
	if _, err := unaryIn(ctx, large(), "/UnaryCall", grpc.Header(&initial), grpc.Trailer(&trailing)); err != nil {
		return code(err)
	}
	call := stream(ctx, "/FullDuplexCall")
	send(call, output(314159, 271828, 0))
	call.CloseSend()
	if _, err := rest(call); err != io.EOF {
		return code(err)
	}
	begin, _ := call.Header()
	return echoed(initial, trailing) + "; " + echoed(begin, call.Trailer())
}

func unimplementedMethod(context.Context) string {
	_, err := unary([]byte{}, "/UnimplementedCall")
	return code(err)
}

func unimplementedService(ctx context.Context) string {
	var request, answer []byte
	return code(server.Invoke(ctx, "/grpc.testing.UnimplementedService/UnimplementedCall", &request, &answer))
}

// compressed makes a call, and says in the end how many of the messages that went up (0) or came down (1) were compressed.
func compressed(ctx context.Context, request []byte, way int, options ...grpc.CallOption) string {
	var trailing metadata.MD
	answer, err := unaryIn(ctx, request, "/UnaryCall", append(options, grpc.Trailer(&trailing))...)
	if err != nil {
		return code(err)
	}
	return fmt.Sprintf("%s %d %s", code(err), size(answer), strings.Split(trailing["interop-compressed"][0], " ")[way])
}

func clientCompressedUnary(ctx context.Context) string {
	expected := join(large(), bytes(8, integer(1, 1)))
	return compressed(ctx, expected, 0) + "; " + compressed(ctx, expected, 0, grpc.UseCompressor("gzip")) + "; " +
		compressed(ctx, join(large(), bytes(8, nil)), 0)
}

func serverCompressedUnary(ctx context.Context) string {
	// This version reads gzip, but does not say so by itself.
	ctx = metadata.AppendToOutgoingContext(ctx, "grpc-accept-encoding", "gzip")
	return compressed(ctx, join(large(), bytes(6, integer(1, 1))), 1) + "; " + compressed(ctx, join(large(), bytes(6, nil)), 1)
}

func manyStreams(ctx context.Context) string {
	calls := make([]grpc.ClientStream, 150)
	for i := range calls {
		calls[i] = stream(ctx, "/FullDuplexCall")
		send(calls[i], output(9, 8, 0))
	}
	answered, ends := 0, "OK"
	for _, call := range calls {
		if answer, err := receive(call); err == nil && size(answer) == 9 {
			answered++
		}
	}
	for _, call := range calls {
		call.CloseSend()
		if _, err := rest(call); err != io.EOF {
			ends = code(err)
		}
	}
	return fmt.Sprint(ends, " ", answered)
}

func run(name string, test func(context.Context) string) {
	defer func() {
		if failure := recover(); failure != nil {
			fmt.Printf("%s failed: %v\n", name, failure)
		}
	}()
	ctx, cancel := context.WithTimeout(context.Background(), patient)
	defer cancel()
	fmt.Println(name, test(ctx))
}

func main() {
	trusted, err := credentials.NewClientTLSFromFile(os.Args[3], os.Args[2])
	if err == nil {
		server, err = grpc.Dial(os.Args[1], grpc.WithTransportCredentials(trusted),
			grpc.WithDefaultCallOptions(grpc.ForceCodec(bare{}), grpc.MaxCallRecvMsgSize(16<<20)))
	}
	if err != nil {
		panic(err)
	}
	run("empty_unary", emptyUnary)
	run("large_unary", largeUnary)
	run("huge_unary", hugeUnary)
	run("client_streaming", clientStreaming)
	run("server_streaming", serverStreaming)
	run("ping_pong", pingPong)
	run("empty_stream", emptyStream)
	run("cancel_after_begin", cancelAfterBegin)
	run("cancel_after_first_response", cancelAfterFirstResponse)
	run("timeout_on_sleeping_server", timeoutOnSleepingServer)
	run("status_code_and_message", statusCodeAndMessage)
	run("special_status_message", specialStatusMessage)
	run("custom_metadata", customMetadata)
	run("unimplemented_method", unimplementedMethod)
	run("unimplemented_service", unimplementedService)
	run("client_compressed_unary", clientCompressedUnary)
	run("server_compressed_unary", serverCompressedUnary)
	run("many_streams", manyStreams)
}
