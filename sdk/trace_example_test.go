// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package stageflow_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/propagation"
	sdklog "go.opentelemetry.io/otel/sdk/log"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/test/bufconn"

	stageflow "github.com/stageflow/otelcol-stageflow/sdk"
	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

// lineage prints where every run that starts hangs, where a real program would use Setup.
type lineage struct{ printer }

func (lineage) Export(_ context.Context, records []sdklog.Record) error {
	for _, r := range records {
		if r.EventName() != string(semconv.EventRunStarted) {
			continue
		}
		field, parent := map[string]string{}, "none"
		r.WalkAttributes(func(kv attribute.KeyValue) bool {
			switch string(kv.Key) {
			case semconv.EventDataKey:
				for _, f := range kv.Value.AsMap() {
					field[string(f.Key)] = f.Value.String()
				}
			case semconv.EventTraceParentKey:
				parent = kv.Value.AsString()[36:52]
			}
			return true
		})
		fmt.Printf("run %s in trace %s\n", field["pipeline_name"], r.TraceID())
		fmt.Printf("  parent run %q, parent span %s, correlation %q\n", field["parent_run_id"], parent, field["correlation_id"])
	}
	return nil
}

func exampleClient() *stageflow.Client {
	return stageflow.NewClient(sdklog.NewLoggerProvider(sdklog.WithProcessor(sdklog.NewSimpleProcessor(lineage{}))))
}

// A run in an HTTP server hangs under the stage of the client that called it. With otelhttp on both sides and
// otel.SetTextMapPropagator(stageflow.NewPropagator()), the lines that use the propagator are not needed.
func ExampleNewPropagator_http() {
	client, propagator := exampleClient(), stageflow.NewPropagator()

	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		ctx := propagator.Extract(r.Context(), propagation.HeaderCarrier(r.Header))
		_ = stageflow.Run(ctx, "rank", func(context.Context) error { return nil }, stageflow.WithClient(client))
	}))
	defer server.Close()

	const runID = "0190d0b2-7a3c-7000-8000-00000000abcd"
	err := stageflow.Run(context.Background(), "search", func(ctx context.Context) error {
		return stageflow.Stage(ctx, "rank", stageflow.KindWork, func(ctx context.Context) error {
			req, err := http.NewRequestWithContext(ctx, http.MethodGet, server.URL, http.NoBody)
			if err != nil {
				return err
			}
			propagator.Inject(ctx, propagation.HeaderCarrier(req.Header))
			resp, err := server.Client().Do(req)
			if err != nil {
				return err
			}
			return resp.Body.Close()
		})
	}, stageflow.WithClient(client), stageflow.WithRunID(runID), stageflow.WithCorrelationID("order-12"))
	fmt.Println("stage span:", semconv.StageSpanID(runID, "rank", 1), err)
	// Output:
	// run search in trace 0190d0b27a3c7000800000000000abcd
	//   parent run "", parent span none, correlation "order-12"
	// run rank in trace 0190d0b27a3c7000800000000000abcd
	//   parent run "0190d0b2-7a3c-7000-8000-00000000abcd", parent span b7fed58fe118a75d, correlation "order-12"
	// stage span: b7fed58fe118a75d <nil>
}

// metadataCarrier lets a propagator read and write gRPC metadata.
type metadataCarrier metadata.MD

func (c metadataCarrier) Get(key string) string {
	if values := metadata.MD(c).Get(key); len(values) > 0 {
		return values[0]
	}
	return ""
}

func (c metadataCarrier) Values(key string) []string { return metadata.MD(c).Get(key) }
func (c metadataCarrier) Set(key, value string)      { metadata.MD(c).Set(key, value) }
func (c metadataCarrier) Keys() (keys []string) {
	for key := range c {
		keys = append(keys, key)
	}
	return keys
}

// The same over gRPC, with one interceptor on each side. otelgrpc does as much by itself.
func ExampleNewPropagator_grpc() {
	client, propagator := exampleClient(), stageflow.NewPropagator()

	incoming := func(ctx context.Context, req any, info *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (reply any, err error) {
		md, _ := metadata.FromIncomingContext(ctx)
		ctx = propagator.Extract(ctx, metadataCarrier(md))
		err = stageflow.Run(ctx, info.FullMethod, func(ctx context.Context) (err error) {
			reply, err = handle(ctx, req)
			return err
		}, stageflow.WithClient(client))
		return reply, err
	}
	outgoing := func(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
		md, _ := metadata.FromOutgoingContext(ctx)
		md = md.Copy()
		propagator.Inject(ctx, metadataCarrier(md))
		return invoke(metadata.NewOutgoingContext(ctx, md), method, req, reply, cc, opts...)
	}

	listener := bufconn.Listen(1 << 16)
	server := grpc.NewServer(grpc.UnaryInterceptor(incoming))
	healthpb.RegisterHealthServer(server, health.NewServer())
	go func() { _ = server.Serve(listener) }()
	defer server.Stop()

	conn, err := grpc.NewClient("passthrough:///bufconn",
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return listener.DialContext(ctx) }),
		grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithUnaryInterceptor(outgoing))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = conn.Close() }()

	const runID = "0190d0b2-7a3c-7000-8000-00000000abcd"
	err = stageflow.Run(context.Background(), "search", func(ctx context.Context) error {
		return stageflow.Stage(ctx, "rank", stageflow.KindWork, func(ctx context.Context) error {
			_, err := healthpb.NewHealthClient(conn).Check(ctx, &healthpb.HealthCheckRequest{})
			return err
		})
	}, stageflow.WithClient(client), stageflow.WithRunID(runID), stageflow.WithCorrelationID("order-12"))
	fmt.Println("stage span:", semconv.StageSpanID(runID, "rank", 1), err)
	// Output:
	// run search in trace 0190d0b27a3c7000800000000000abcd
	//   parent run "", parent span none, correlation "order-12"
	// run /grpc.health.v1.Health/Check in trace 0190d0b27a3c7000800000000000abcd
	//   parent run "0190d0b2-7a3c-7000-8000-00000000abcd", parent span b7fed58fe118a75d, correlation "order-12"
	// stage span: b7fed58fe118a75d <nil>
}

// A message that waits in a queue takes its trace context with it.
func ExampleTraceContext_ToMap() {
	client := exampleClient()
	var message map[string]any // its body would be JSON

	_ = stageflow.Run(context.Background(), "order", func(ctx context.Context) error {
		message = stageflow.CaptureTraceContext(ctx).ToMap()
		return nil
	}, stageflow.WithClient(client), stageflow.WithRunID("order-12"))

	ctx := stageflow.TraceContextFromMap(message).Activate(context.Background())
	_ = stageflow.Run(ctx, "ship", func(context.Context) error { return nil }, stageflow.WithClient(client))
	// Output:
	// run order in trace f06c66ce0c37182ae1dd745588067d82
	//   parent run "", parent span none, correlation ""
	// run ship in trace f06c66ce0c37182ae1dd745588067d82
	//   parent run "order-12", parent span 8132603e2683c52d, correlation ""
}
