// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package stageflow

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/trace"

	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

const (
	runID    = "0190d0b2-7a3c-7000-8000-00000000abcd"
	runTrace = "0190d0b27a3c7000800000000000abcd"
)

func TestRunThatCompletes(t *testing.T) {
	c, s, k := newTestClient(t)
	err := Run(t.Context(), "chat", func(ctx context.Context) error {
		assert.Equal(t, runID, RunID(ctx))
		k.pass(5 * time.Millisecond)
		return Stage(ctx, "llm", KindTransform, func(ctx context.Context) error {
			assert.EqualValues(t, 1, Attempt(ctx))
			k.pass(time.Millisecond)
			return Call(ctx, "chat", "openai", "gpt-x", func(context.Context) (Usage, error) {
				k.pass(1500 * time.Microsecond)
				return Usage{InputTokens: 12, OutputTokens: 3, CostUSD: 0.5, Metrics: map[string]any{"finish_reason": "stop"}}, nil
			})
		})
	}, WithClient(c), WithRunID(runID), WithTopology("linear"), WithExecutionMode("fast"), WithUserID("u"), WithSessionID("s"),
		WithOrgID("o"), WithRequestID("r"), WithCorrelationID("c"),
		WithAttributes(map[string]any{"tenant": "blue", "user_id": "not this one"}))
	require.NoError(t, err)

	events := s.all()
	require.Equal(t, []string{
		"pipeline.started", "stage.llm.started", "provider_call.started",
		"provider_call.ended", "stage.llm.completed", "pipeline.completed",
	}, s.types())
	for i, e := range events {
		assert.EqualValues(t, i+1, e.seq)
		assert.Equal(t, c.sinkID, e.sinkID)
		assert.Equal(t, runTrace, e.traceID.String())
		assert.Empty(t, e.traceparent, "no span is above the run")
	}
	callID := events[2].data["call_id"].(string)

	assert.Equal(t, string(semconv.EventRunStarted), events[0].name)
	assert.Equal(t, noon, events[0].at)
	assert.Equal(t, semconv.RunSpanID(runID).String(), events[0].spanID.String())
	assert.Equal(t, map[string]any{
		"pipeline_run_id": runID, "pipeline_name": "chat", "topology": "linear", "execution_mode": "fast",
		"user_id": "u", "session_id": "s", "org_id": "o", "request_id": "r", "correlation_id": "c", "tenant": "blue",
	}, events[0].data)

	assert.Equal(t, string(semconv.EventStageStarted), events[1].name)
	assert.Equal(t, semconv.StageSpanID(runID, "llm", 1).String(), events[1].spanID.String())
	assert.Equal(t, map[string]any{
		"pipeline_run_id": runID, "stage": "llm", "status": "started", "kind": "transform", "attempt": int64(1), "correlation_id": "c",
	}, events[1].data)

	assert.Equal(t, string(semconv.EventCallStarted), events[2].name)
	assert.Equal(t, semconv.CallSpanID(runID, callID).String(), events[2].spanID.String())
	started := map[string]any{
		"call_id": callID, "operation": "chat", "provider": "openai", "model_id": "gpt-x",
		"pipeline_run_id": runID, "stage": "llm", "stage_attempt": int64(1), "correlation_id": "c",
	}
	assert.Equal(t, started, events[2].data)

	assert.Equal(t, string(semconv.EventCallEnded), events[3].name)
	assert.Equal(t, map[string]any{
		"call_id": callID, "operation": "chat", "provider": "openai", "model_id": "gpt-x",
		"pipeline_run_id": runID, "stage": "llm", "stage_attempt": int64(1), "correlation_id": "c",
		"success": true, "latency_ms": 1.5, "input_tokens": int64(12), "output_tokens": int64(3), "cost_usd": 0.5, "finish_reason": "stop",
	}, events[3].data)

	assert.Equal(t, string(semconv.EventStageEnded), events[4].name)
	assert.Equal(t, map[string]any{
		"pipeline_run_id": runID, "stage": "llm", "status": "completed", "kind": "transform", "attempt": int64(1), "duration_ms": int64(2), "correlation_id": "c",
	}, events[4].data)

	assert.Equal(t, string(semconv.EventRunEnded), events[5].name)
	assert.Equal(t, map[string]any{
		"pipeline_run_id": runID, "pipeline_name": "chat", "duration_ms": int64(7), "status": "completed",
		"stage_results": map[string]any{"llm": "completed"}, "correlation_id": "c",
	}, events[5].data)
}

// Every event is told apart by its name as the receiver does it.
func TestEventNamesAreTheOnesOfTheirTypes(t *testing.T) {
	c, s, _ := newTestClient(t)
	for _, stageErr := range []error{nil, errors.New("x"), Cancel("x"), Skip("x")} {
		_ = Run(t.Context(), "p", func(ctx context.Context) error {
			return Stage(ctx, "wide", KindWork, func(context.Context) error { return stageErr })
		}, WithClient(c))
	}
	require.Len(t, s.all(), 16)
	for _, e := range s.all() {
		status, _ := e.data["status"].(string)
		assert.Equal(t, e.name, string(semconv.EventNameOf(e.eventType, status, false)), e.eventType)
	}
}

type statusError struct{ code int }

func (e *statusError) Error() string   { return fmt.Sprintf("provider said %d", e.code) }
func (e *statusError) StatusCode() int { return e.code }

func TestRunThatFails(t *testing.T) {
	c, s, k := newTestClient(t)
	limited := &statusError{429}
	err := Run(t.Context(), "chat", func(ctx context.Context) error {
		_ = Stage(ctx, "cache", KindEnrich, func(context.Context) error { return errors.New("cold") })
		err := Stage(ctx, "llm", KindAgent, func(ctx context.Context) error {
			k.pass(time.Millisecond)
			return fmt.Errorf("llm: %w", Call(ctx, "chat", "p-fails", "", func(context.Context) (Usage, error) {
				return Usage{InputTokens: 7}, limited
			}))
		})
		return fmt.Errorf("giving up: %w", err)
	}, WithClient(c))
	require.ErrorIs(t, err, limited)
	require.EqualError(t, err, "giving up: llm: provider said 429")

	ended := s.only(t, "provider_call.ended").data
	assert.Equal(t, false, ended["success"])
	assert.Equal(t, "provider said 429", ended["error"])
	assert.Equal(t, "RATE_LIMITED", ended["error_code"])
	assert.Equal(t, "*stageflow.statusError", ended["error_type"])
	assert.Equal(t, true, ended["error_retryable"])
	assert.EqualValues(t, 429, ended["http_status"])
	assert.EqualValues(t, 7, ended["input_tokens"], "usage counts beside an error")

	stage := s.only(t, "stage.llm.failed").data
	assert.Equal(t, "llm: provider said 429", stage["error"])
	assert.Equal(t, "RATE_LIMITED", stage["error_code"])
	assert.Equal(t, "*stageflow.statusError", stage["error_type"])

	failed := s.only(t, "pipeline.failed")
	assert.Equal(t, map[string]any{
		"pipeline_run_id": failed.data["pipeline_run_id"], "pipeline_name": "chat", "stage": "llm", "duration_ms": int64(1),
		"error": "giving up: llm: provider said 429", "error_code": "RATE_LIMITED",
		"error_type": "*stageflow.statusError", "error_retryable": true,
	}, failed.data)
}

func TestCulprit(t *testing.T) {
	boom, other := errors.New("boom"), errors.New("other")
	fail := func(ctx context.Context, stage string, err error) error {
		return Stage(ctx, stage, KindWork, func(context.Context) error { return err })
	}
	tests := map[string]struct {
		f    func(context.Context) error
		want any
	}{
		"no stage failed": {func(context.Context) error { return boom }, nil},
		"latest stage with that error": {func(ctx context.Context) error {
			_ = fail(ctx, "a", boom)
			return fail(ctx, "b", boom)
		}, "b"},
		"error of the run's own": {func(ctx context.Context) error {
			_ = fail(ctx, "a", other)
			_ = fail(ctx, "b", other)
			return boom
		}, "a"},
		"recovered stage is not to blame": {func(ctx context.Context) error {
			_ = fail(ctx, "a", other)
			_ = fail(ctx, "a", nil)
			return boom
		}, nil},
		"innermost of nested stages": {func(ctx context.Context) error {
			return Stage(ctx, "outer", KindWork, func(ctx context.Context) error {
				return fmt.Errorf("wrapped: %w", fail(ctx, "inner", boom))
			})
		}, "inner"},
		"outer stage with an error of its own": {func(ctx context.Context) error {
			return Stage(ctx, "outer", KindWork, func(ctx context.Context) error {
				_ = fail(ctx, "inner", other)
				return boom
			})
		}, "outer"},
		"more failures than are remembered": {func(ctx context.Context) error {
			for i := range 3 * maxBlames {
				_ = fail(ctx, fmt.Sprint("s", i), other)
			}
			return fail(ctx, "last", boom)
		}, "last"},
		"error that cannot be compared": {func(ctx context.Context) error {
			return fail(ctx, "odd", uncomparable{"x"})
		}, "odd"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			c, s, _ := newTestClient(t)
			require.Error(t, Run(t.Context(), "p", tt.f, WithClient(c)))
			assert.Equal(t, tt.want, s.only(t, "pipeline.failed").data["stage"])
		})
	}
}

type uncomparable []string

func (u uncomparable) Error() string { return strings.Join(u, " ") }

func TestStageCalledAgainIsTheNextAttempt(t *testing.T) {
	c, s, _ := newTestClient(t)
	err := Run(t.Context(), "p", func(ctx context.Context) error {
		for i := range 3 {
			err := Stage(ctx, "s", KindWork, func(ctx context.Context) error {
				assert.EqualValues(t, i+1, Attempt(ctx))
				assert.Equal(t, semconv.StageSpanID(runID, "s", int64(i+1)).String(), trace.SpanContextFromContext(ctx).SpanID().String())
				if i < 2 {
					return errors.New("not yet")
				}
				return nil
			})
			if err == nil {
				break
			}
		}
		return nil
	}, WithClient(c), WithRunID(runID))
	require.NoError(t, err)
	assert.Equal(t, []string{
		"pipeline.started", "stage.s.started", "stage.s.failed", "stage.s.started", "stage.s.failed",
		"stage.s.started", "stage.s.completed", "pipeline.completed",
	}, s.types())
	assert.Equal(t, map[string]any{"s": "completed"}, s.only(t, "pipeline.completed").data["stage_results"])
}

func TestManyStageNamesAreBounded(t *testing.T) {
	c, _, _ := newTestClient(t)
	require.NoError(t, Run(t.Context(), "p", func(ctx context.Context) error {
		for i := range maxStages + 10 {
			require.NoError(t, Stage(ctx, fmt.Sprint("s", i), KindWork, func(context.Context) error { return nil }))
		}
		r := scopeOf(ctx).run
		assert.Len(t, r.attempts, maxStages)
		assert.Len(t, r.results, maxStages)
		return nil
	}, WithClient(c)))
}

func TestCancellationIsNoFailure(t *testing.T) {
	tests := map[string]struct {
		err       error
		cancelled bool
		reason    any
	}{
		"Cancel":                  {Cancel("policy"), true, "policy"},
		"Cancel without a reason": {Cancel(""), true, nil},
		"wrapped":                 {fmt.Errorf("guard: %w", Cancel("policy")), true, "policy"},
		"context":                 {context.Canceled, true, "context canceled"},
		"all joined":              {errors.Join(Cancel("a"), context.Canceled), true, "a"},
		"joined with a failure":   {errors.Join(context.Canceled, errors.New("real")), false, nil},
		"deadline":                {context.DeadlineExceeded, false, nil},
		"failure":                 {errors.New("cancelled by the word only"), false, nil},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			c, s, k := newTestClient(t)
			err := Run(t.Context(), "p", func(ctx context.Context) error {
				return Stage(ctx, "guard", KindGuard, func(context.Context) error {
					k.pass(time.Millisecond)
					return tt.err
				})
			}, WithClient(c))
			require.Equal(t, tt.err, err)
			if !tt.cancelled {
				assert.Equal(t, []string{"pipeline.started", "stage.guard.started", "stage.guard.failed", "pipeline.failed"}, s.types())
				return
			}
			stage, run := s.only(t, "stage.guard.cancelled").data, s.only(t, "pipeline.cancelled").data
			assert.Equal(t, "cancelled", stage["status"])
			assert.Equal(t, tt.reason, stage["reason"])
			assert.NotContains(t, stage, "error")
			assert.Equal(t, tt.reason, run["reason"])
			assert.Equal(t, "guard", run["stage"])
			assert.EqualValues(t, 1, run["duration_ms"])
		})
	}
}

func TestCancelledFromOutside(t *testing.T) {
	c, s, _ := newTestClient(t)
	ctx, cancel := context.WithCancelCause(t.Context())
	err := Run(ctx, "p", func(ctx context.Context) error {
		return Stage(ctx, "s", KindWork, func(ctx context.Context) error {
			cancel(errors.New("user hung up"))
			<-ctx.Done()
			return errors.New("rpc error: code = Canceled desc = context canceled")
		})
	}, WithClient(c))
	require.Error(t, err)
	assert.Equal(t, "user hung up", s.only(t, "pipeline.cancelled").data["reason"])
	assert.Equal(t, "user hung up", s.only(t, "stage.s.cancelled").data["reason"])
}

func TestSkip(t *testing.T) {
	c, s, _ := newTestClient(t)
	require.NoError(t, Run(t.Context(), "p", func(ctx context.Context) error {
		return Stage(ctx, "tts", KindWork, func(context.Context) error { return fmt.Errorf("so: %w", Skip("text only")) })
	}, WithClient(c)))
	skipped := s.only(t, "stage.tts.skipped").data
	assert.Equal(t, "text only", skipped["reason"])
	assert.Equal(t, "skipped", skipped["status"])
	assert.NotContains(t, skipped, "error")
	assert.Equal(t, map[string]any{"tts": "skipped"}, s.only(t, "pipeline.completed").data["stage_results"])

	joinedErr := errors.Join(Skip("x"), errors.New("real"))
	require.Equal(t, joinedErr, Run(t.Context(), "p", func(ctx context.Context) error {
		return Stage(ctx, "a", KindWork, func(context.Context) error { return joinedErr })
	}, WithClient(c)), "a failure beside a skip is a failure")
}

func TestPanicIsRecordedAndGoesOn(t *testing.T) {
	for name, value := range map[string]any{"text": "boom", "error": context.DeadlineExceeded} {
		t.Run(name, func(t *testing.T) {
			c, s, _ := newTestClient(t)
			assert.PanicsWithValue(t, value, func() {
				_ = Run(t.Context(), "p", func(ctx context.Context) error {
					return Stage(ctx, "s", KindWork, func(ctx context.Context) error {
						return Call(ctx, "chat", "p-panics", "", func(context.Context) (Usage, error) { panic(value) })
					})
				}, WithClient(c))
			})
			for _, eventType := range []string{"provider_call.ended", "stage.s.failed", "pipeline.failed"} {
				assert.Equal(t, fmt.Sprint("panic: ", value), s.only(t, eventType).data["error"], eventType)
			}
			assert.Equal(t, "s", s.only(t, "pipeline.failed").data["stage"])
			if name == "error" {
				assert.Equal(t, "TIMEOUT", s.only(t, "pipeline.failed").data["error_code"])
			}
		})
	}
}

func TestGoexitIsRecorded(t *testing.T) {
	c, s, _ := newTestClient(t)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = Run(context.Background(), "p", func(context.Context) error {
			runtime.Goexit()
			return nil
		}, WithClient(c))
	}()
	<-done
	assert.Equal(t, errGoexit.Error(), s.only(t, "pipeline.failed").data["error"])
}

func TestErrorThatCannotSayWhatItIs(t *testing.T) {
	c, s, _ := newTestClient(t)
	err := Run(t.Context(), "p", func(context.Context) error { return mute{} }, WithClient(c))
	require.Equal(t, mute{}, err)
	assert.Equal(t, "UNKNOWN", s.only(t, "pipeline.failed").data["error_code"])
}

type mute struct{}

func (mute) Error() string { panic("no comment") }

func ambient(t *testing.T) (context.Context, trace.SpanContext) {
	t.Helper()
	sc := trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: trace.TraceID{0xaa, 1}, SpanID: trace.SpanID{0xbb, 2}, TraceFlags: 0,
	})
	return trace.ContextWithSpanContext(t.Context(), sc), sc
}

func TestRunUnderASpan(t *testing.T) {
	c, s, _ := newTestClient(t)
	ctx, sc := ambient(t)
	require.NoError(t, Run(ctx, "p", func(ctx context.Context) error {
		inside := trace.SpanContextFromContext(ctx)
		assert.Equal(t, sc.TraceID(), inside.TraceID())
		assert.Equal(t, semconv.RunSpanID(runID).String(), inside.SpanID().String())
		assert.True(t, inside.IsRemote())
		assert.False(t, inside.IsSampled(), "the caller's decision stands for the caller's spans")
		return Stage(ctx, "s", KindWork, func(ctx context.Context) error {
			// The application's own span changes nothing.
			ctx = trace.ContextWithSpanContext(ctx, sc.WithSpanID(trace.SpanID{9}))
			return Call(ctx, "op", "p-spans", "", func(ctx context.Context) (Usage, error) {
				assert.Equal(t, sc.TraceID(), trace.SpanContextFromContext(ctx).TraceID())
				return Usage{}, nil
			})
		})
	}, WithClient(c), WithRunID(runID)))
	require.Len(t, s.all(), 6)
	for _, e := range s.all() {
		assert.Equal(t, "00-aa010000000000000000000000000000-bb02000000000000-01", e.traceparent, e.eventType)
		assert.Equal(t, sc.TraceID(), e.traceID)
	}
}

func TestChildRun(t *testing.T) {
	for name, withSpan := range map[string]bool{"trace of its own": false, "under a span": true} {
		t.Run(name, func(t *testing.T) {
			c, s, _ := newTestClient(t)
			ctx, want := t.Context(), runTrace
			if withSpan {
				var sc trace.SpanContext
				ctx, sc = ambient(t)
				want = sc.TraceID().String()
			}
			require.NoError(t, Run(ctx, "parent", func(ctx context.Context) error {
				return Stage(ctx, "persist", KindWork, func(ctx context.Context) error {
					// A span of the application between the two does not matter.
					ctx = trace.ContextWithSpanContext(ctx, trace.SpanContextFromContext(ctx).WithSpanID(trace.SpanID{9}))
					return Run(ctx, "child", func(ctx context.Context) error {
						assert.Equal(t, "child-1", RunID(ctx))
						return Stage(ctx, "persist", KindWork, func(ctx context.Context) error {
							assert.EqualValues(t, 1, Attempt(ctx), "counted per run")
							return nil
						})
					}, WithRunID("child-1"), WithRequestID("other"))
				})
			}, WithClient(c), WithRunID(runID), WithUserID("u"), WithSessionID("s"), WithOrgID("o"), WithRequestID("r"),
				WithCorrelationID("c"), WithTopology("t"), WithAttributes(map[string]any{"x": 1})))

			parentStage := semconv.StageSpanID(runID, "persist", 1).String()
			var child int
			for _, e := range s.all() {
				assert.Equal(t, want, e.traceID.String(), "the same trace")
				if e.data["pipeline_run_id"] == "child-1" {
					child++
					assert.Equal(t, "00-"+want+"-"+parentStage+"-01", e.traceparent, e.eventType)
				}
			}
			assert.Equal(t, 4, child)
			started := s.all()[2]
			assert.Equal(t, map[string]any{
				"pipeline_run_id": "child-1", "pipeline_name": "child", "parent_run_id": runID, "parent_stage_id": "persist",
				"user_id": "u", "session_id": "s", "org_id": "o", "request_id": "other", "correlation_id": "c",
			}, started.data)
			assert.Equal(t, semconv.RunSpanID("child-1").String(), started.spanID.String())
		})
	}
}

func TestStageAndCallOutsideOfARun(t *testing.T) {
	c, s, _ := newTestClient(t)
	SetDefault(c)
	t.Cleanup(func() { SetDefault(nil) })
	boom := errors.New("boom")
	require.Equal(t, boom, Stage(t.Context(), "s", KindWork, func(context.Context) error { return boom }))
	require.NoError(t, Stage(t.Context(), "s", KindWork, func(context.Context) error { return Skip("x") }))
	require.Empty(t, s.all())

	require.NoError(t, Call(t.Context(), "stt", "deepgram", "nova", func(context.Context) (Usage, error) { return Usage{}, nil }))
	require.Equal(t, []string{"provider_call.started", "provider_call.ended"}, s.types())
	assert.NotContains(t, s.all()[1].data, "pipeline_run_id")
}

func TestStagesAtTheSameTime(t *testing.T) {
	c, s, _ := newTestClient(t)
	require.NoError(t, Run(t.Context(), "p", func(ctx context.Context) error {
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				for i := range 20 {
					_ = Stage(ctx, "s", KindWork, func(ctx context.Context) error {
						_ = Call(ctx, "op", "p-parallel", "", func(context.Context) (Usage, error) { return Usage{}, nil })
						if i%2 == 0 {
							return errors.New("even")
						}
						return nil
					})
				}
			})
		}
		wg.Wait()
		return nil
	}, WithClient(c)))
	seen := map[int64]bool{}
	seqs := map[int64]bool{}
	for _, e := range s.all() {
		seqs[e.seq] = true
		if e.eventType == "stage.s.started" {
			seen[e.data["attempt"].(int64)] = true
		}
	}
	assert.Len(t, seen, 160, "every execution is an attempt of its own")
	assert.Len(t, seqs, 2+160*4)
}
