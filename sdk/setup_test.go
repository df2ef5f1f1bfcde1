// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package stageflow

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel"
	collogpb "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

// collector is a server that takes OTLP logs.
type collector struct {
	collogpb.UnimplementedLogsServiceServer
	mu       sync.Mutex
	requests []*collogpb.ExportLogsServiceRequest
}

func (c *collector) Export(_ context.Context, r *collogpb.ExportLogsServiceRequest) (*collogpb.ExportLogsServiceResponse, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.requests = append(c.requests, r)
	return &collogpb.ExportLogsServiceResponse{}, nil
}

func (c *collector) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	var req collogpb.ExportLogsServiceRequest
	if r.URL.Path != "/v1/logs" || proto.Unmarshal(body, &req) != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	_, _ = c.Export(r.Context(), &req)
	// So that the exporter keeps no connection, whose goroutines would outlive the test.
	w.Header().Set("Connection", "close")
	w.Header().Set("Content-Type", "application/x-protobuf")
}

// received are the event types, in order, and the service that sent them.
func (c *collector) received(t *testing.T) (types []string, service string) {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, r := range c.requests {
		for _, rl := range r.ResourceLogs {
			service = get(rl.Resource.Attributes, semconv.ServiceNameKey)
			for _, sl := range rl.ScopeLogs {
				assert.Equal(t, semconv.ScopeName, sl.Scope.Name)
				for _, lr := range sl.LogRecords {
					assert.True(t, strings.HasPrefix(lr.EventName, semconv.EventNamePrefix))
					assert.Equal(t, lr.TimeUnixNano, lr.ObservedTimeUnixNano)
					assert.NotEmpty(t, get(field(lr.Attributes, semconv.EventDataKey).GetKvlistValue().GetValues(), fieldRunID), "data is a nested map")
					types = append(types, get(lr.Attributes, semconv.EventTypeKey))
				}
			}
		}
	}
	return types, service
}

func get(kvs []*commonpb.KeyValue, key string) string { return field(kvs, key).GetStringValue() }

func field(kvs []*commonpb.KeyValue, key string) *commonpb.AnyValue {
	for _, kv := range kvs {
		if kv.Key == key {
			return kv.Value
		}
	}
	return nil
}

func grpcCollector(t *testing.T) (*collector, string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	c, server := &collector{}, grpc.NewServer()
	collogpb.RegisterLogsServiceServer(server, c)
	go func() { _ = server.Serve(l) }()
	t.Cleanup(server.Stop)
	return c, l.Addr().String()
}

func httpCollector(t *testing.T) (*collector, string) {
	t.Helper()
	c := &collector{}
	server := httptest.NewServer(c)
	t.Cleanup(server.Close)
	return c, server.URL
}

func TestSetupReachesTheCollector(t *testing.T) {
	tests := map[string]func(t *testing.T) (*collector, []Option){
		"gRPC by options": func(t *testing.T) (*collector, []Option) {
			c, addr := grpcCollector(t)
			return c, []Option{WithEndpoint("http://" + addr), WithServiceName("voice")}
		},
		"gRPC by host and port": func(t *testing.T) (*collector, []Option) {
			c, addr := grpcCollector(t)
			return c, []Option{WithEndpoint(addr), WithInsecure(), WithServiceName("voice")}
		},
		"gRPC by the environment": func(t *testing.T) (*collector, []Option) {
			c, addr := grpcCollector(t)
			t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://"+addr)
			t.Setenv("OTEL_SERVICE_NAME", "voice")
			return c, nil
		},
		"HTTP by options": func(t *testing.T) (*collector, []Option) {
			c, url := httpCollector(t)
			return c, []Option{WithEndpoint(url), WithProtocol(ProtocolHTTP), WithServiceName("voice")}
		},
		"HTTP by the environment": func(t *testing.T) (*collector, []Option) {
			c, url := httpCollector(t)
			t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", url)
			t.Setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")
			t.Setenv("OTEL_EXPORTER_OTLP_LOGS_PROTOCOL", "http/protobuf")
			t.Setenv("OTEL_RESOURCE_ATTRIBUTES", "service.name=other")
			return c, []Option{WithServiceName("voice")}
		},
	}
	for name, prepare := range tests {
		t.Run(name, func(t *testing.T) {
			c, opts := prepare(t)
			shutdown, err := Setup(t.Context(), opts...)
			require.NoError(t, err)
			require.NoError(t, Run(t.Context(), "p", func(ctx context.Context) error {
				return Stage(ctx, "s", KindWork, func(context.Context) error { return nil })
			}))
			require.NoError(t, shutdown(t.Context()))
			types, service := c.received(t)
			assert.Equal(t, []string{"pipeline.started", "stage.s.started", "stage.s.completed", "pipeline.completed"}, types)
			assert.Equal(t, "voice", service)

			assert.Same(t, discard, Default(), "nobody listens after shutdown")
			require.NoError(t, shutdown(t.Context()), "twice is once")
		})
	}
}

func TestRunsAreSentBeforeShutdown(t *testing.T) {
	c, addr := grpcCollector(t)
	shutdown, err := Setup(t.Context(), WithEndpoint("http://"+addr))
	require.NoError(t, err)
	NewPipelineRunLogger(nil).LogRunStarted(t.Context(), RunStarted{RunID: runID})
	assert.Eventually(t, func() bool { types, _ := c.received(t); return len(types) == 1 }, time.Second, 10*time.Millisecond,
		"a run is visible within a second")
	require.NoError(t, shutdown(t.Context()))
}

func TestSetupRefuses(t *testing.T) {
	for name, opts := range map[string][]Option{
		"unknown protocol": {WithProtocol("http/json")},
		"unknown scheme":   {WithEndpoint("ftp://x")},
		"no host":          {WithEndpoint("http://")},
		"no URL":           {WithEndpoint("http://[::")},
	} {
		t.Run(name, func(t *testing.T) {
			shutdown, err := Setup(t.Context(), opts...)
			require.Error(t, err)
			assert.Nil(t, shutdown)
		})
	}
}

func TestSetupDisabled(t *testing.T) {
	t.Setenv("OTEL_SDK_DISABLED", "true")
	shutdown, err := Setup(t.Context())
	require.NoError(t, err)
	assert.Same(t, discard, Default())
	require.NoError(t, shutdown(t.Context()))
}

func TestNothingBlocksWithoutACollector(t *testing.T) {
	// An address that refuses, and one that takes connections and never answers.
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = silent.Close() })
	refused, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, refused.Close())

	for name, endpoint := range map[string]string{"refused": refused.Addr().String(), "silent": silent.Addr().String()} {
		for _, protocol := range []string{ProtocolGRPC, ProtocolHTTP} {
			t.Run(name+" "+protocol, func(t *testing.T) {
				t.Setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "300")
				var mu sync.Mutex
				var reports []error
				before := otel.GetErrorHandler()
				otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) {
					mu.Lock()
					defer mu.Unlock()
					reports = append(reports, err)
				}))
				t.Cleanup(func() { otel.SetErrorHandler(before) })

				shutdown, err := Setup(t.Context(), WithEndpoint("http://"+endpoint), WithProtocol(protocol))
				require.NoError(t, err)
				start := time.Now()
				const runs = 2000 // more events than the queue holds
				for range runs {
					require.NoError(t, Run(t.Context(), "p", func(ctx context.Context) error {
						return Stage(ctx, "s", KindWork, func(context.Context) error { return nil })
					}))
				}
				assert.Less(t, time.Since(start), 3*time.Second, "%d runs", runs)
				time.Sleep(time.Second) // several batches fail

				start = time.Now()
				ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
				defer cancel()
				assert.ErrorContains(t, shutdown(ctx), "events did not reach the collector")
				assert.Less(t, time.Since(start), 3*time.Second, "shutdown keeps to its deadline")
				mu.Lock()
				defer mu.Unlock()
				assert.Len(t, reports, 1, "an outage is reported once")
			})
		}
	}
}

func TestShutdownWithAContextThatIsOver(t *testing.T) {
	_, addr := grpcCollector(t)
	shutdown, err := Setup(t.Context(), WithEndpoint("http://"+addr))
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, shutdown(ctx), context.Canceled) // and leaves no goroutine, see TestMain
}

func TestNoCollectorPackageIsImported(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", "./...").Output()
	require.NoError(t, err)
	for pkg := range strings.Lines(string(out)) {
		assert.False(t, strings.HasPrefix(pkg, "go.opentelemetry.io/collector"), pkg)
	}
	assert.Contains(t, string(out), "github.com/stageflow/otelcol-stageflow/sdk/semconv\n")
}
