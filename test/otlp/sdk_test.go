// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package otlp

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	otelcodes "go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlplog/otlploggrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlplog/otlploghttp"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetricgrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetrichttp"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/log"
	"go.opentelemetry.io/otel/metric"
	sdklog "go.opentelemetry.io/otel/sdk/log"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdkresource "go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
)

var shop = sdkresource.NewWithAttributes("https://opentelemetry.io/schemas/1.30.0",
	attribute.String("service.name", "shop"), attribute.StringSlice("list", []string{"a", "b"}), attribute.Float64("ratio", 0.25))

// both does the same with either side.
func (s sides) both(t *testing.T, do func(one *side)) {
	t.Helper()
	do(s.stock)
	do(s.ours)
}

// Spans that the SDK for Go exports come out as of the otlp receiver.
func TestSpansOfTheGoSDK(t *testing.T) {
	recorder := tracetest.NewSpanRecorder()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(recorder), sdktrace.WithResource(shop),
		sdktrace.WithRawSpanLimits(sdktrace.SpanLimits{AttributeCountLimit: 3, EventCountLimit: 2, LinkCountLimit: 1, AttributePerEventCountLimit: 1, AttributePerLinkCountLimit: 1, AttributeValueLengthLimit: 10}))
	tracer := provider.Tracer("shop.cart", trace.WithInstrumentationVersion("1.2.3"), trace.WithSchemaURL("https://opentelemetry.io/schemas/1.30.0"),
		trace.WithInstrumentationAttributes(attribute.Bool("on", true)))
	ctx, parent := tracer.Start(t.Context(), "checkout ✓", trace.WithSpanKind(trace.SpanKindServer))
	link := trace.Link{SpanContext: parent.SpanContext(), Attributes: []attribute.KeyValue{attribute.Int("a", 1), attribute.Int("b", 2)}}
	_, child := tracer.Start(ctx, "pay", trace.WithSpanKind(trace.SpanKindClient), trace.WithLinks(link, link),
		trace.WithAttributes(attribute.Int("a", 1), attribute.String("b", "longer than ten"), attribute.BoolSlice("c", []bool{true}), attribute.Float64("d", 1)))
	for range 4 {
		child.AddEvent("event", trace.WithAttributes(attribute.Int("a", 1), attribute.Int("b", 2)))
	}
	child.RecordError(errors.New("card declined"))
	child.SetStatus(otelcodes.Error, "card declined")
	child.End()
	parent.SetStatus(otelcodes.Ok, "")
	parent.End()

	s := newSides(t)
	for name, client := range map[string]func(*side) otlptrace.Client{
		"grpc": func(one *side) otlptrace.Client {
			return otlptracegrpc.NewClient(otlptracegrpc.WithInsecure(), otlptracegrpc.WithEndpoint(one.grpc))
		},
		"grpc, gzip": func(one *side) otlptrace.Client {
			return otlptracegrpc.NewClient(otlptracegrpc.WithInsecure(), otlptracegrpc.WithEndpoint(one.grpc), otlptracegrpc.WithCompressor("gzip"))
		},
		"http": func(one *side) otlptrace.Client {
			return otlptracehttp.NewClient(otlptracehttp.WithEndpointURL(one.http + "/v1/traces"))
		},
		"http, gzip": func(one *side) otlptrace.Client {
			return otlptracehttp.NewClient(otlptracehttp.WithEndpointURL(one.http+"/v1/traces"), otlptracehttp.WithCompression(otlptracehttp.GzipCompression))
		},
	} {
		t.Run(name, func(t *testing.T) {
			s.both(t, func(one *side) {
				exporter, err := otlptrace.New(t.Context(), client(one))
				require.NoError(t, err)
				require.NoError(t, exporter.ExportSpans(t.Context(), recorder.Ended()))
				require.NoError(t, exporter.Shutdown(t.Context()))
			})
			assert.Equal(t, 2, s.stock.traces[0].SpanCount())
			assert.Equal(t, 1, s.assertSame(t))
		})
	}
}

// metrics of the SDK for Go: of every instrument, with exemplars, and a summary as bridges make it.
func metricsOfGo(t *testing.T, temporality metricdata.Temporality) *metricdata.ResourceMetrics {
	t.Helper()
	reader := sdkmetric.NewManualReader(sdkmetric.WithTemporalitySelector(func(sdkmetric.InstrumentKind) metricdata.Temporality { return temporality }))
	provider := sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader), sdkmetric.WithResource(shop), sdkmetric.WithView(sdkmetric.NewView(
		sdkmetric.Instrument{Name: "exponential"}, sdkmetric.Stream{Aggregation: sdkmetric.AggregationBase2ExponentialHistogram{MaxSize: 20, MaxScale: 10}})))
	meter := provider.Meter("shop.cart", metric.WithInstrumentationVersion("1"), metric.WithSchemaURL("https://opentelemetry.io/schemas/1.30.0"))
	// Exemplars are of what is measured in a span that is sampled.
	ctx := trace.ContextWithSpanContext(t.Context(), trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}, TraceFlags: trace.FlagsSampled}))
	must := func(err error) { require.NoError(t, err) }
	counter, err := meter.Int64Counter("orders", metric.WithUnit("{order}"), metric.WithDescription("Orders."))
	must(err)
	counter.Add(ctx, 3, metric.WithAttributes(attribute.String("country", "DE")))
	carts, err := meter.Float64UpDownCounter("carts")
	must(err)
	carts.Add(ctx, -2)
	temperature, err := meter.Float64Gauge("temperature", metric.WithUnit("Cel"))
	must(err)
	temperature.Record(ctx, 21.5)
	histogram, err := meter.Float64Histogram("duration", metric.WithUnit("s"))
	must(err)
	whole, err := meter.Int64Histogram("size", metric.WithExplicitBucketBoundaries(1, 10))
	must(err)
	exponential, err := meter.Float64Histogram("exponential")
	must(err)
	for _, v := range []float64{0, 0.001, 3, 700, -5} {
		histogram.Record(ctx, v)
		whole.Record(ctx, int64(v))
		exponential.Record(ctx, v)
	}
	_, err = meter.Int64ObservableCounter("cpu", metric.WithInt64Callback(func(_ context.Context, o metric.Int64Observer) error {
		o.Observe(7, metric.WithAttributes(attribute.Int("cpu", 0)))
		return nil
	}))
	must(err)
	var rm metricdata.ResourceMetrics
	must(reader.Collect(ctx, &rm))
	rm.ScopeMetrics[0].Metrics = append(rm.ScopeMetrics[0].Metrics, metricdata.Metrics{Name: "summary", Data: metricdata.Summary{DataPoints: []metricdata.SummaryDataPoint{{
		Attributes: attribute.NewSet(attribute.Int("a", 1)), StartTime: time.Unix(1, 0), Time: time.Unix(2, 0), Count: 2, Sum: 3,
		QuantileValues: []metricdata.QuantileValue{{Quantile: 0.5, Value: 1}, {Quantile: 1, Value: 2}},
	}}}})
	return &rm
}

// Metrics that the SDK for Go exports come out as of the otlp receiver.
func TestMetricsOfTheGoSDK(t *testing.T) {
	s := newSides(t)
	for name, exporter := range map[string]func(*side) (sdkmetric.Exporter, error){
		"grpc": func(one *side) (sdkmetric.Exporter, error) {
			return otlpmetricgrpc.New(t.Context(), otlpmetricgrpc.WithInsecure(), otlpmetricgrpc.WithEndpoint(one.grpc))
		},
		"grpc, gzip": func(one *side) (sdkmetric.Exporter, error) {
			return otlpmetricgrpc.New(t.Context(), otlpmetricgrpc.WithInsecure(), otlpmetricgrpc.WithEndpoint(one.grpc), otlpmetricgrpc.WithCompressor("gzip"))
		},
		"http": func(one *side) (sdkmetric.Exporter, error) {
			return otlpmetrichttp.New(t.Context(), otlpmetrichttp.WithEndpointURL(one.http+"/v1/metrics"))
		},
		"http, gzip": func(one *side) (sdkmetric.Exporter, error) {
			return otlpmetrichttp.New(t.Context(), otlpmetrichttp.WithEndpointURL(one.http+"/v1/metrics"), otlpmetrichttp.WithCompression(otlpmetrichttp.GzipCompression))
		},
	} {
		t.Run(name, func(t *testing.T) {
			for _, temporality := range []metricdata.Temporality{metricdata.CumulativeTemporality, metricdata.DeltaTemporality} {
				rm := metricsOfGo(t, temporality)
				s.both(t, func(one *side) {
					e, err := exporter(one)
					require.NoError(t, err)
					require.NoError(t, e.Export(t.Context(), rm))
					require.NoError(t, e.Shutdown(t.Context()))
				})
				got := s.stock.metrics[0]
				assert.Equal(t, 8, got.MetricCount())
				raw := s.stock.wire[0]
				assert.Contains(t, raw, string([]byte{1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}), "there are exemplars")
				assert.Equal(t, 1, s.assertSame(t))
			}
		})
	}
}

// keeper keeps the records of a logger.
type keeper struct{ records []sdklog.Record }

func (k *keeper) OnEmit(_ context.Context, r *sdklog.Record) error {
	k.records = append(k.records, r.Clone())
	return nil
}

func (*keeper) Enabled(context.Context, sdklog.EnabledParameters) bool { return true }
func (*keeper) Shutdown(context.Context) error                         { return nil }
func (*keeper) ForceFlush(context.Context) error                       { return nil }

// Logs that the SDK for Go exports come out as of the otlp receiver.
func TestLogsOfTheGoSDK(t *testing.T) {
	kept := &keeper{}
	provider := sdklog.NewLoggerProvider(sdklog.WithProcessor(kept), sdklog.WithResource(shop), sdklog.WithAttributeCountLimit(2))
	logger := provider.Logger("shop.log", log.WithInstrumentationVersion("1"), log.WithSchemaURL("https://opentelemetry.io/schemas/1.30.0"))
	ctx := trace.ContextWithSpanContext(t.Context(), trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}, TraceFlags: trace.FlagsSampled}))
	for i, body := range []attribute.Value{
		attribute.StringValue("text"), attribute.IntValue(17), attribute.Float64Value(-0.5), attribute.BoolValue(true), attribute.ByteSliceValue([]byte{0, 255}), {},
		attribute.SliceValue(attribute.StringValue("a"), attribute.Value{}), attribute.MapValue(attribute.Map("deep", attribute.Slice("list", attribute.IntValue(1)))),
	} {
		var r log.Record
		r.SetBody(body)
		r.SetSeverity(log.SeverityInfo)
		r.SetSeverityText("INFO")
		r.SetTimestamp(time.Unix(int64(i), 7))
		r.AddAttributes(attribute.Int("i", i), attribute.Map("map", attribute.Bool("b", true)), attribute.String("dropped", "x"))
		logger.Emit(ctx, r)
	}
	var named log.Record
	named.SetEventName("browser.page_view")
	logger.Emit(t.Context(), named)

	s := newSides(t)
	for name, exporter := range map[string]func(*side) (sdklog.Exporter, error){
		"grpc": func(one *side) (sdklog.Exporter, error) {
			return otlploggrpc.New(t.Context(), otlploggrpc.WithInsecure(), otlploggrpc.WithEndpoint(one.grpc))
		},
		"grpc, gzip": func(one *side) (sdklog.Exporter, error) {
			return otlploggrpc.New(t.Context(), otlploggrpc.WithInsecure(), otlploggrpc.WithEndpoint(one.grpc), otlploggrpc.WithCompressor("gzip"))
		},
		"http": func(one *side) (sdklog.Exporter, error) {
			return otlploghttp.New(t.Context(), otlploghttp.WithEndpointURL(one.http+"/v1/logs"))
		},
		"http, gzip": func(one *side) (sdklog.Exporter, error) {
			return otlploghttp.New(t.Context(), otlploghttp.WithEndpointURL(one.http+"/v1/logs"), otlploghttp.WithCompression(otlploghttp.GzipCompression))
		},
	} {
		t.Run(name, func(t *testing.T) {
			s.both(t, func(one *side) {
				e, err := exporter(one)
				require.NoError(t, err)
				require.NoError(t, e.Export(t.Context(), kept.records))
				require.NoError(t, e.Shutdown(t.Context()))
			})
			assert.Equal(t, 9, s.stock.logs[0].LogRecordCount())
			assert.Equal(t, 1, s.assertSame(t))
		})
	}
}
