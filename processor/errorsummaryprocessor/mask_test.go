// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package errorsummaryprocessor

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/processor/processortest"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/metric/metricdata/metricdatatest"

	"github.com/stageflow/otelcol-stageflow/processor/errorsummaryprocessor/internal/metadata"
	"github.com/stageflow/otelcol-stageflow/processor/errorsummaryprocessor/internal/metadatatest"
	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

// secret has the form of a key, and is none.
var secret = "sk-proj-" + strings.Repeat("aB3", 16)

func leaky(t testing.TB) ptrace.Traces {
	text := "Incorrect API key provided: " + secret
	return batch(t, span{
		id: 1, message: "status: " + text, attrs: map[string]any{semconv.ExceptionMessageKey: text, semconv.ErrorMessageKey: text, "other": text},
		events: []map[string]any{{semconv.ExceptionTypeKey: "AuthenticationError", semconv.ExceptionMessageKey: text, semconv.ExceptionStackKey: "Traceback\n" + text}},
	}, span{id: 2, ok: true, attrs: map[string]any{semconv.ErrorMessageKey: text}})
}

// json is all of a batch as text.
func json(t *testing.T, td ptrace.Traces) string {
	b, err := (&ptrace.JSONMarshaler{}).MarshalTraces(td)
	require.NoError(t, err)
	return string(b)
}

func TestSummariesHoldNoSecrets(t *testing.T) {
	td := leaky(t)
	got := run(t, td)[1]
	assert.Equal(t, "UNAUTHORIZED", got[semconv.ErrorCodeKey])
	assert.NotContains(t, got[semconv.ErrorTextKey], "aB3")
	assert.NotContains(t, got[semconv.ErrorSummaryKey], "aB3")
	assert.Contains(t, got[semconv.ExceptionMessageKey], secret, "originals stay by default")

	cfg := createDefaultConfig().(*Config)
	cfg.Redaction = RedactionConfig{}
	assert.Contains(t, runWith(t, cfg, leaky(t))[1][semconv.ErrorTextKey], secret)
}

func TestOriginals(t *testing.T) {
	cfg := createDefaultConfig().(*Config)
	cfg.Redaction.Originals = true
	td := leaky(t)
	got := runWith(t, cfg, td)
	assert.Contains(t, got[1]["other"], secret, "no text of the error")
	delete(got[1], "other")
	assert.NotContains(t, fmt.Sprint(got[1]), "aB3")
	assert.Contains(t, got[2][semconv.ErrorMessageKey], secret, "a span without an error passes as it is")
	assert.Equal(t, 2, strings.Count(json(t, td), secret))

	logs := records(t, exception("A", "key "+secret))
	record := logs.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().At(0)
	record.Body().SetStr("body " + secret)
	p, err := NewFactory().CreateLogs(t.Context(), processortest.NewNopSettings(metadata.Type), cfg, consumertest.NewNop())
	require.NoError(t, err)
	require.NoError(t, p.ConsumeLogs(t.Context(), logs))
	b, err := (&plog.JSONMarshaler{}).MarshalLogs(logs)
	require.NoError(t, err)
	assert.NotContains(t, string(b), "aB3")
	assert.Contains(t, record.Body().Str(), "body sk-proj-***")
}

func TestMessageLimitOfTheConfiguration(t *testing.T) {
	cfg := createDefaultConfig().(*Config)
	cfg.MessageLimit = 4
	got := runWith(t, cfg, batch(t, span{id: 1, message: "éééééé"}))[1]
	assert.Equal(t, "éééé", got[semconv.ErrorTextKey])
}

func TestTelemetryOfUnclassifiedAndRedactions(t *testing.T) {
	tel := componenttest.NewTelemetry()
	defer func() { require.NoError(t, tel.Shutdown(t.Context())) }()
	p, err := NewFactory().CreateLogs(t.Context(), metadatatest.NewSettings(tel), createDefaultConfig(), consumertest.NewNop())
	require.NoError(t, err)
	var attrs []map[string]any
	for i := range maxTypes + 6 {
		attrs = append(attrs, exception(fmt.Sprintf("%s%03d", strings.Repeat("x", 20), i), "hm"))
	}
	attrs = append(attrs, exception(strings.Repeat("y", 500), "hm"), exception("", "hm"), exception("TimeoutError", "mail ada@example.com, key "+secret))
	for _, a := range attrs { // one by one: within a batch the order of types is not given
		require.NoError(t, p.ConsumeLogs(t.Context(), records(t, a)))
	}
	got, err := tel.GetMetric("otelcol_processor_errorsummary_unclassified")
	require.NoError(t, err)
	points := got.Data.(metricdata.Sum[int64]).DataPoints
	assert.Len(t, points, maxTypes+1)
	other := attribute.NewSet(attribute.String("exception_type", semconv.ErrorTypeOther))
	for _, point := range points {
		want := int64(1)
		if point.Attributes.Equals(&other) {
			want = 8 // six too many, a seventh with a long name, one without a name
		}
		assert.Equal(t, want, point.Value, point.Attributes)
	}
	metadatatest.AssertEqualProcessorErrorsummaryRedactions(t, tel, []metricdata.DataPoint[int64]{{Value: 2}}, metricdatatest.IgnoreTimestamp())
}

func TestTypesAreBounded(t *testing.T) {
	names := &typeNames{known: map[string]struct{}{}}
	assert.Equal(t, "_OTHER", names.bounded(""))
	assert.Equal(t, strings.Repeat("é", maxTypeName), names.bounded(strings.Repeat("é", 500)))
	for i := range maxTypes - 1 {
		assert.NotEqual(t, "_OTHER", names.bounded(fmt.Sprint(i)))
	}
	assert.Equal(t, "_OTHER", names.bounded("one more"))
	assert.Equal(t, "0", names.bounded("0"), "who was first keeps its own")
}
