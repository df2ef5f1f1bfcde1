// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package stageflow

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/baggage"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"pgregory.net/rapid"

	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

const remoteRun = "0190d0b2-7a3c-7000-8000-00000000cafe"

// fullContext is one that a client sent, as the server reads it.
func fullContext() TraceContext {
	return TraceContext{
		TraceID: someTrace, ParentSpanID: someSpan, Sampled: true, TraceState: "vendor=1",
		CorrelationID: "c-1", PipelineRunID: remoteRun, RequestID: "r-1", OrgID: "o-1",
		Baggage: map[string]string{"tenant": "acme"},
	}
}

// capture is the trace context of ctx without its time.
func capture(ctx context.Context) TraceContext {
	tc := CaptureTraceContext(ctx)
	tc.CreatedAt = time.Time{}
	return tc
}

func anyTraceContext(t *rapid.T) TraceContext {
	text := rapid.OneOf(rapid.String(), rapid.StringMatching(`[a-zA-Z0-9 %,;=-]{0,40}`))
	hexID := func(n int) *rapid.Generator[string] {
		id := rapid.StringOfN(rapid.SampledFrom([]rune("0123456789abcdef")), n, n, n)
		return rapid.OneOf(id, id, rapid.Just(strings.Repeat("0", n)), text)
	}
	return TraceContext{
		TraceID:       hexID(32).Draw(t, "trace"),
		SpanID:        hexID(16).Draw(t, "span"),
		ParentSpanID:  hexID(16).Draw(t, "parent"),
		Sampled:       rapid.Bool().Draw(t, "sampled"),
		TraceState:    rapid.OneOf(rapid.StringMatching(`[a-z]{1,5}=[a-z]{1,5}`), text).Draw(t, "state"),
		CorrelationID: text.Draw(t, "correlation"),
		PipelineRunID: text.Draw(t, "run"),
		RequestID:     text.Draw(t, "request"),
		OrgID:         text.Draw(t, "org"),
		Baggage:       rapid.MapOfN(text, text, 0, 70).Draw(t, "baggage"),
		CreatedAt:     time.Unix(rapid.Int64Range(0, 1<<32).Draw(t, "at"), rapid.Int64Range(0, 999_999_999).Draw(t, "ns")).UTC(),
	}
}

func TestTraceContextRoundTripThroughMapAndJSON(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tc, _ := anyTraceContext(t).valid()
		require.Equal(t, tc, TraceContextFromMap(tc.ToMap()))

		raw, err := json.Marshal(tc.ToMap())
		require.NoError(t, err)
		var m map[string]any
		require.NoError(t, json.Unmarshal(raw, &m))
		require.Equal(t, tc, TraceContextFromMap(m))

		direct, err := json.Marshal(tc)
		require.NoError(t, err)
		require.JSONEq(t, string(raw), string(direct), "the struct's own JSON is the same")
	})
}

func TestTraceContextFromMapSkipsWhatIsWrong(t *testing.T) {
	assert.Empty(t, TraceContextFromMap(nil))
	assert.Equal(t, TraceContext{OrgID: "o", Baggage: map[string]string{"k": "v"}}, TraceContextFromMap(map[string]any{
		"trace_id": 17, "span_id": someSpan, "sampled": "yes", "request_id": strings.Repeat("x", maxID+1), "org_id": "o",
		"run": "unknown", "created_at": "noon", "baggage": map[string]any{"k": "v", "n": 1, "": "nameless", "bad": "\xff"},
	}))
	assert.Equal(t, map[string]string{"k": "v"}, TraceContextFromMap(map[string]any{"baggage": map[string]string{"k": "v"}}).Baggage)
	assert.Empty(t, TraceContextFromMap(map[string]any{"baggage": []string{"k"}}))
}

// The valid part of any context holds where it is activated, whatever was there before.
func TestTraceContextActivateThenCapture(t *testing.T) {
	c, _, _ := newTestClient(t)
	rapid.Check(t, func(t *rapid.T) {
		tc, _ := anyTraceContext(t).valid()
		tc.CreatedAt = time.Time{}
		before, _ := anyTraceContext(t).valid()

		assert.Equal(t, tc, capture(tc.Activate(context.Background())))
		assert.Equal(t, tc, capture(tc.Activate(before.Activate(context.Background()))))
		_ = Run(before.Activate(context.Background()), "p", func(ctx context.Context) error {
			assert.Equal(t, tc, capture(tc.Activate(ctx)))
			here := capture(ctx)
			assert.Equal(t, here, capture(here.Activate(ctx)))
			assert.Equal(t, here, capture(here.Activate(context.Background())))
			return nil
		}, WithClient(c))
	})
}

func TestTraceContextCaptureHasAllIDs(t *testing.T) {
	c, _, _ := newTestClient(t)
	err := Run(context.Background(), "chat", func(ctx context.Context) error {
		member, err := baggage.NewMemberRaw("tenant", "acme")
		require.NoError(t, err)
		bag, err := baggage.New(member)
		require.NoError(t, err)
		ctx = baggage.ContextWithBaggage(ctx, bag)

		runSpan, stageSpan := semconv.RunSpanID(remoteRun).String(), semconv.StageSpanID(remoteRun, "llm", 1).String()
		want := TraceContext{
			TraceID: strings.ReplaceAll(remoteRun, "-", ""), SpanID: runSpan, Sampled: true,
			CorrelationID: "c-1", PipelineRunID: remoteRun, RequestID: "r-1", OrgID: "o-1",
			Baggage: map[string]string{"tenant": "acme"},
		}
		assert.Equal(t, want, capture(ctx))
		assert.WithinDuration(t, time.Now(), CaptureTraceContext(ctx).CreatedAt, time.Minute)

		return Stage(ctx, "llm", KindAgent, func(ctx context.Context) error {
			want.SpanID, want.ParentSpanID = stageSpan, runSpan
			assert.Equal(t, want, capture(ctx))

			provider := sdktrace.NewTracerProvider()
			ctx, span := provider.Tracer("app").Start(ctx, "own")
			defer span.End()
			want.SpanID, want.ParentSpanID = span.SpanContext().SpanID().String(), stageSpan
			assert.Equal(t, want, capture(ctx))
			return nil
		})
	}, WithClient(c), WithRunID(remoteRun), WithCorrelationID("c-1"), WithRequestID("r-1"), WithOrgID("o-1"))
	require.NoError(t, err)
}

func TestTraceContextEmptyActivationClears(t *testing.T) {
	c, s, _ := newTestClient(t)
	_ = Run(fullContext().Activate(context.Background()), "p", func(outer context.Context) error {
		ctx := TraceContext{}.Activate(outer)
		assert.Empty(t, capture(ctx))
		assert.Empty(t, RunID(ctx))
		assert.Zero(t, Attempt(ctx))
		assert.Empty(t, TraceContextDict(ctx))
		assert.False(t, trace.SpanContextFromContext(ctx).HasTraceID())
		assert.NotEmpty(t, RunID(outer), "the outer context keeps its own")

		// A run in it has nothing above it, but the same client.
		return Run(ctx, "apart", func(context.Context) error { return nil }, WithRunID("apart"))
	}, WithClient(c))
	for _, e := range s.all() {
		if e.data[fieldRunID] == "apart" {
			assert.NotContains(t, e.data, fieldParentRunID)
			assert.NotContains(t, e.data, fieldCorrelationID)
			assert.Empty(t, e.traceparent)
			return
		}
	}
	t.Fatal("the run was not sent")
}

func TestTraceContextRunHangsUnderTheRemoteStage(t *testing.T) {
	c, s, _ := newTestClient(t)
	ctx := fullContext().Activate(context.Background())
	assert.Equal(t, remoteRun, RunID(ctx))
	_ = Run(ctx, "server", func(ctx context.Context) error {
		assert.Equal(t, "here", RunID(ctx))
		assert.Equal(t, "c-1", GetCorrelationID(ctx))
		assert.Equal(t, someSpan, capture(ctx).ParentSpanID)
		assert.Equal(t, "vendor=1", capture(ctx).TraceState)
		return Stage(ctx, "work", KindWork, func(ctx context.Context) error {
			return Run(ctx, "grandchild", func(context.Context) error { return nil }, WithRunID("below"), WithCorrelationID("c-2"))
		})
	}, WithClient(c), WithRunID("here"))

	for _, e := range s.all() {
		assert.Equal(t, someTrace, e.traceID.String(), e.eventType)
		switch e.data[fieldRunID] {
		case "here":
			assert.Equal(t, someParent, e.traceparent, e.eventType)
			assert.Equal(t, "c-1", e.data[fieldCorrelationID], "every event has it: %s", e.eventType)
			if e.eventType == semconv.TypeRunStarted {
				assert.Equal(t, remoteRun, e.data[fieldParentRunID])
				assert.NotContains(t, e.data, fieldParentStage)
				assert.Equal(t, "r-1", e.data[fieldRequestID])
				assert.Equal(t, "o-1", e.data[fieldOrgID])
			}
		case "below":
			assert.Equal(t, "c-2", e.data[fieldCorrelationID], e.eventType)
			if e.eventType == semconv.TypeRunStarted {
				assert.Equal(t, "here", e.data[fieldParentRunID], "a scope of its own wins")
				assert.Equal(t, "work", e.data[fieldParentStage])
				assert.Equal(t, "r-1", e.data[fieldRequestID])
			}
		default:
			t.Errorf("%s of no run", e.eventType)
		}
	}
}

func TestTraceContextLoggersTakeTheRemoteRun(t *testing.T) {
	c, s, _ := newTestClient(t)
	ctx := fullContext().Activate(context.Background())

	NewPipelineRunLogger(c).LogRunStarted(ctx, RunStarted{RunID: "engine", PipelineName: "p"})
	calls := NewProviderCallLogger(c)
	id := calls.LogCallStart(ctx, CallStart{Operation: "chat", Provider: "openai"})
	calls.LogCallEnd(ctx, id, CallEnd{Success: true})
	c.TryEmit(ctx, "custom.event", nil)

	started := s.only(t, semconv.TypeRunStarted)
	assert.Equal(t, remoteRun, started.data[fieldParentRunID])
	assert.Equal(t, "r-1", started.data[fieldRequestID])
	assert.Equal(t, someParent, started.traceparent)
	for _, e := range s.all()[1:] {
		assert.Equal(t, remoteRun, e.data[fieldRunID], e.eventType)
		assert.Equal(t, "c-1", e.data[fieldCorrelationID], e.eventType)
		assert.Equal(t, someTrace, e.traceID.String(), e.eventType)
		assert.Empty(t, e.traceparent, "what is above the run, only its own process knows: %s", e.eventType)
	}
	assert.Equal(t, semconv.CallSpanID(remoteRun, id).String(), s.only(t, semconv.TypeCallStarted).spanID.String())
}

// A gateway may name the run that it wants started.
func TestTraceContextRunIsNotItsOwnChild(t *testing.T) {
	c, s, _ := newTestClient(t)
	tc := fullContext()
	tc.ParentSpanID = semconv.RunSpanID(remoteRun).String()
	_ = Run(tc.Activate(context.Background()), "p", func(context.Context) error { return nil }, WithClient(c), WithRunID(remoteRun))
	started := s.only(t, semconv.TypeRunStarted)
	assert.NotContains(t, started.data, fieldParentRunID)
	assert.Empty(t, started.traceparent, "its span is not above itself")
	assert.Equal(t, someTrace, started.traceID.String())
}

func TestTraceContextWithoutASpanKeepsTheTrace(t *testing.T) {
	c, s, _ := newTestClient(t)
	ctx := TraceContext{TraceID: someTrace, Sampled: true}.Activate(context.Background())
	_ = Run(ctx, "p", func(context.Context) error { return nil }, WithClient(c))
	for _, e := range s.all() {
		assert.Equal(t, someTrace, e.traceID.String())
		assert.Empty(t, e.traceparent, "a zero span id is no parent")
	}

	_, span := sdktrace.NewTracerProvider().Tracer("app").Start(ctx, "own")
	defer span.End()
	assert.Equal(t, someTrace, span.SpanContext().TraceID().String(), "spans keep it too")
}

func TestTraceContextActivateKeepsWhatIsThere(t *testing.T) {
	c, s, _ := newTestClient(t)
	provider := sdktrace.NewTracerProvider()
	_ = Run(context.Background(), "p", func(ctx context.Context) error {
		ctx, span := provider.Tracer("app").Start(ctx, "own")
		defer span.End()
		property, err := baggage.NewKeyProperty("private")
		require.NoError(t, err)
		member, err := baggage.NewMemberRaw("k", "v", property)
		require.NoError(t, err)
		bag, err := baggage.New(member)
		require.NoError(t, err)
		ctx = baggage.ContextWithBaggage(ctx, bag)

		ctx = CaptureTraceContext(ctx).Activate(ctx)
		assert.Equal(t, span, trace.SpanFromContext(ctx), "the span still records")
		assert.Equal(t, "k=v;private", baggage.FromContext(ctx).String(), "properties are in no map")
		return Stage(ctx, "work", KindWork, func(context.Context) error { return nil })
	}, WithClient(c))
	s.only(t, "stage.work.completed")
}

// An application with an engine of its own may end a run that began in another process.
func TestTraceContextRunEndedElsewhere(t *testing.T) {
	c, s, _ := newTestClient(t)
	ctx := fullContext().Activate(context.Background())
	NewPipelineRunLogger(c).LogRunCompleted(ctx, RunCompleted{RunID: remoteRun, PipelineName: "p"})
	ended := s.only(t, semconv.TypeRunCompleted)
	assert.Equal(t, someTrace, ended.traceID.String())
	assert.Equal(t, semconv.RunSpanID(remoteRun).String(), ended.spanID.String())
	assert.Empty(t, ended.traceparent, "the current span is in the run, not above it")
	assert.NotContains(t, ended.data, fieldDuration)

	NewPipelineRunLogger(c).LogRunCompleted(ctx, RunCompleted{RunID: "unknown", PipelineName: "p"})
	assert.Equal(t, someParent, s.all()[1].traceparent, "any other run is placed by the context")
}
