// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package breakerprocessor

import (
	"context"
	"slices"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/stageflow/otelcol-stageflow/sdk/breaker"
	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

// judge takes the outcomes of one batch in the order in which the calls ended, each call once, and writes on
// every call how its breaker was.
func (c *core) judge(ctx context.Context, calls []call, now time.Time) {
	if len(calls) == 0 {
		return
	}
	slices.SortStableFunc(calls, func(a, b call) int { return a.end.Compare(b.end) })
	var counted [results]int64
	changed := false
	c.mu.Lock()
	for i := range calls {
		call := &calls[i]
		if c.decide(call, now) {
			counted[call.result]++
			if call.verdict.transition != "" {
				changed = true
				c.telemetry.ProcessorBreakerTransitions.Add(ctx, 1,
					metric.WithAttributeSet(attribute.NewSet(attribute.String("transition", call.verdict.transition))))
			}
		}
	}
	c.mu.Unlock()
	if changed {
		c.changes.tell()
	}
	if c.keeper != nil {
		c.keeper.touch()
	}
	for r, n := range counted {
		if n > 0 {
			c.telemetry.ProcessorBreakerOutcomes.Add(ctx, n, resultOptions[r])
		}
	}
	for i := range calls {
		calls[i].annotate()
	}
}

// decide finds the call's verdict; true means that the call counted now.
func (c *core) decide(call *call, now time.Time) bool {
	named := call.seen != (callKey{})
	if named {
		if v, ok := c.calls.Get(call.seen); ok {
			if call.result == noOutcome {
				v.transition = "" // its end caused it
			}
			call.verdict = v
			return false
		}
	}
	// Asked before the outcome is told: a call of no length starts when it ends.
	snapshot := c.breakers.StateAt(call.key, call.start)
	call.verdict = verdict{
		state: snapshot.State, failureRatio: snapshot.FailureRatio, calls: snapshot.Calls,
		openedAt: snapshot.OpenedAt, retryAfter: snapshot.RetryAfter,
	}
	if call.result == noOutcome {
		return false // not remembered: its end is still to come
	}
	if call.result != ignored {
		outcome := breaker.Outcome{
			Start: call.start, End: call.end,
			Success: call.result == success, NotPermitted: call.result == notPermitted,
		}
		if t, changed := c.breakers.Record(call.key, outcome, now); changed {
			call.verdict.transition, call.verdict.to = t.String(), t.To
		}
	}
	if named {
		c.calls.Add(call.seen, call.verdict)
	}
	return true
}

func (c *call) annotate() {
	c.attrs.EnsureCapacity(c.attrs.Len() + 5)
	c.attrs.PutStr(semconv.BreakerKeyKey, c.key.String())
	c.attrs.PutStr(semconv.BreakerStateKey, string(c.verdict.state))
	c.attrs.PutDouble(semconv.BreakerFailureRatioKey, c.verdict.failureRatio)
	c.attrs.PutInt(semconv.BreakerCallsKey, int64(c.verdict.calls)) //nolint:gosec // a count of things that happened
	if !c.verdict.openedAt.IsZero() {
		c.attrs.PutStr(semconv.BreakerOpenedAtKey, c.verdict.openedAt.UTC().Format(time.RFC3339Nano))
	}
	if c.verdict.retryAfter > 0 {
		c.attrs.PutInt(semconv.BreakerRetryAfterKey, c.verdict.retryAfter.Milliseconds())
	}
	if c.verdict.transition != "" {
		c.attrs.PutStr(semconv.BreakerTransitionKey, c.verdict.transition)
	}
}

// resultOptions are made once: outcomes are counted with every batch.
var resultOptions = func() (options [results]metric.AddOption) {
	for r, name := range map[result]string{
		success:      "success",
		failure:      "failure",
		ignored:      "ignored",
		notPermitted: "not_permitted",
	} {
		options[r] = metric.WithAttributeSet(attribute.NewSet(attribute.String("result", name)))
	}
	return options
}()
