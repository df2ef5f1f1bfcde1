// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package stageflow

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlplog/otlploggrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlplog/otlploghttp"
	sdklog "go.opentelemetry.io/otel/sdk/log"
	"go.opentelemetry.io/otel/sdk/resource"

	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

// The protocols that [WithProtocol] and OTEL_EXPORTER_OTLP_PROTOCOL name.
const (
	ProtocolGRPC = "grpc"
	ProtocolHTTP = "http/protobuf"
)

// How events are sent; the first two yield to OTEL_BLRP_MAX_EXPORT_BATCH_SIZE and OTEL_BLRP_SCHEDULE_DELAY.
const (
	// maxBatch keeps a batch of the largest events below the 4 MiB that a collector takes by default.
	maxBatch = 64
	// sendEvery makes a run visible within a second of its first event.
	sendEvery = 200 * time.Millisecond
	// retryFirst and retryMost: a collector that restarts is found again soon. How long a batch is retried is
	// said by OTEL_EXPORTER_OTLP_TIMEOUT, 10 s by default.
	retryFirst, retryMost, retryFor = 500 * time.Millisecond, 5 * time.Second, time.Minute
	// shutdownWithin bounds the shutdown of a caller that set no deadline.
	shutdownWithin = 5 * time.Second
)

// errDropped: a collector was there, but events came faster than it took them.
var errDropped = errors.New("queue full")

// Option is a setting of [Setup]. An option wins over the environment.
type Option func(*setup)

type setup struct {
	endpoint string
	protocol string
	service  string
	insecure bool
}

// WithEndpoint says where the collector listens: a URL, whose scheme decides on TLS ("http://collector:4317"), or
// host and port. Default: OTEL_EXPORTER_OTLP_LOGS_ENDPOINT, OTEL_EXPORTER_OTLP_ENDPOINT, else port 4317 (gRPC) or
// 4318 (HTTP) of localhost without TLS.
func WithEndpoint(endpoint string) Option { return func(s *setup) { s.endpoint = endpoint } }

// WithProtocol is [ProtocolGRPC] or [ProtocolHTTP]. Default: OTEL_EXPORTER_OTLP_LOGS_PROTOCOL,
// OTEL_EXPORTER_OTLP_PROTOCOL, else gRPC.
func WithProtocol(protocol string) Option { return func(s *setup) { s.protocol = protocol } }

// WithInsecure does without TLS for an endpoint that is host and port.
func WithInsecure() Option { return func(s *setup) { s.insecure = true } }

// WithServiceName names the application. Default: OTEL_SERVICE_NAME.
func WithServiceName(name string) Option { return func(s *setup) { s.service = name } }

// Setup builds the pipeline that brings events to the collector by OTLP, and installs a client on it as the
// [Default]. Call shutdown before the process ends: it sends what still waits, within 5 s or ctx's own deadline, and
// says what could not be sent.
//
// Headers, certificates, compression and timeouts come from the standard OTEL_EXPORTER_OTLP_* variables, queue and
// batch sizes from OTEL_BLRP_*, further resource attributes from OTEL_RESOURCE_ATTRIBUTES. With
// OTEL_SDK_DISABLED=true nothing is sent.
//
// The error tells of settings that cannot be right. That no collector listens is none: events wait in a bounded
// queue (2048), of which the oldest are dropped; the first failure of an outage goes to OpenTelemetry's error handler,
// and when events arrive again, one of type telemetry.lost says how many did not.
func Setup(ctx context.Context, opts ...Option) (shutdown func(context.Context) error, err error) {
	var s setup
	for _, opt := range opts {
		opt(&s)
	}
	if strings.EqualFold(os.Getenv("OTEL_SDK_DISABLED"), "true") {
		SetDefault(nil)
		return func(context.Context) error { return nil }, nil
	}
	res, err := s.resource()
	if err != nil {
		return nil, fmt.Errorf("stageflow: resource: %w", err)
	}
	otlp, err := s.exporter(ctx)
	if err != nil {
		return nil, fmt.Errorf("stageflow: OTLP exporter: %w", err)
	}
	guarded := newGuardedExporter(otlp)
	queue := sdklog.NewBatchProcessor(guarded, batching()...)
	provider := sdklog.NewLoggerProvider(
		sdklog.WithResource(res),
		sdklog.WithProcessor(queue),
		sdklog.WithAllowKeyDuplication(), // there is none, so it need not be looked for
	)
	client := NewClient(provider)
	client.delivered, client.flush = guarded.delivered, provider.ForceFlush
	guarded.report = client.tellLost
	SetDefault(client)

	return func(ctx context.Context) error {
		defaultClient.CompareAndSwap(client, nil)
		if _, bounded := ctx.Deadline(); !bounded {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, shutdownWithin)
			defer cancel()
		}
		// A provider whose context is over does not stop its processors.
		err := errors.Join(provider.Shutdown(ctx), queue.Shutdown(ctx))
		if lost, why := guarded.stop(client.seq.Load()); lost > 0 {
			return fmt.Errorf("stageflow: %d of %d events did not reach the collector: %w", lost, client.seq.Load(), cmp.Or(why, err, errDropped))
		}
		return err
	}, nil
}

func (s *setup) resource() (*resource.Resource, error) {
	// The default is made once per process; the environment is read now.
	res, err := resource.Merge(resource.Default(), resource.Environment())
	if err != nil || s.service == "" {
		return res, err
	}
	return resource.Merge(res, resource.NewSchemaless(attribute.String(semconv.ServiceNameKey, s.service)))
}

func (s *setup) exporter(ctx context.Context) (sdklog.Exporter, error) {
	protocol := cmp.Or(s.protocol, os.Getenv("OTEL_EXPORTER_OTLP_LOGS_PROTOCOL"), os.Getenv("OTEL_EXPORTER_OTLP_PROTOCOL"), ProtocolGRPC)
	switch protocol {
	case ProtocolGRPC:
		return s.grpc(ctx)
	case ProtocolHTTP:
		return s.http(ctx)
	}
	return nil, fmt.Errorf("protocol %q is neither %q nor %q", protocol, ProtocolGRPC, ProtocolHTTP)
}

func (s *setup) grpc(ctx context.Context) (sdklog.Exporter, error) {
	opts := []otlploggrpc.Option{otlploggrpc.WithRetry(otlploggrpc.RetryConfig{
		Enabled: true, InitialInterval: retryFirst, MaxInterval: retryMost, MaxElapsedTime: retryFor,
	})}
	switch endpoint, isURL, err := s.target("http://localhost:4317"); {
	case err != nil:
		return nil, err
	case isURL:
		opts = append(opts, otlploggrpc.WithEndpointURL(endpoint))
	case endpoint != "":
		opts = append(opts, otlploggrpc.WithEndpoint(endpoint))
	}
	if s.insecure {
		opts = append(opts, otlploggrpc.WithInsecure())
	}
	return otlploggrpc.New(ctx, opts...)
}

func (s *setup) http(ctx context.Context) (sdklog.Exporter, error) {
	opts := []otlploghttp.Option{otlploghttp.WithRetry(otlploghttp.RetryConfig{
		Enabled: true, InitialInterval: retryFirst, MaxInterval: retryMost, MaxElapsedTime: retryFor,
	})}
	switch endpoint, isURL, err := s.target("http://localhost:4318"); {
	case err != nil:
		return nil, err
	case isURL:
		const path = "/v1/logs"
		opts = append(opts, otlploghttp.WithEndpointURL(strings.TrimSuffix(strings.TrimRight(endpoint, "/"), path)+path))
	case endpoint != "":
		opts = append(opts, otlploghttp.WithEndpoint(endpoint))
	}
	if s.insecure {
		opts = append(opts, otlploghttp.WithInsecure())
	}
	return otlploghttp.New(ctx, opts...)
}

// target is the endpoint of the option, "" to leave it to the exporter to read the environment, else the local
// collector: the exporters themselves would speak TLS to localhost.
func (s *setup) target(local string) (endpoint string, isURL bool, err error) {
	endpoint = s.endpoint
	if endpoint == "" {
		if anySet("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT") {
			return "", false, nil
		}
		if anySet("OTEL_EXPORTER_OTLP_LOGS_CERTIFICATE", "OTEL_EXPORTER_OTLP_CERTIFICATE") {
			local = strings.Replace(local, "http:", "https:", 1)
		}
		return local, true, nil
	}
	if !strings.Contains(endpoint, "://") {
		return endpoint, false, nil
	}
	u, err := url.Parse(endpoint)
	if err != nil {
		return "", false, err
	}
	if u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return "", false, fmt.Errorf("endpoint %q: want http:// or https:// and a host", endpoint)
	}
	return endpoint, true, nil
}

func batching() []sdklog.BatchProcessorOption {
	var opts []sdklog.BatchProcessorOption
	if !anySet("OTEL_BLRP_MAX_EXPORT_BATCH_SIZE") {
		opts = append(opts, sdklog.WithExportMaxBatchSize(maxBatch))
	}
	if !anySet("OTEL_BLRP_SCHEDULE_DELAY") {
		opts = append(opts, sdklog.WithExportInterval(sendEvery))
	}
	return opts
}

func anySet(names ...string) bool {
	for _, name := range names {
		if os.Getenv(name) != "" {
			return true
		}
	}
	return false
}
