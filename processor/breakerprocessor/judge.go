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
	duplicates, changed := int64(0), false
	c.mu.Lock()
	for i := range calls {
		call := &calls[i]
		switch c.decide(ctx, call, now) {
		case countedNow:
			counted[call.result]++
			changed = changed || call.verdict.transition != ""
		case countedBefore:
			duplicates++
		}
	}
	c.mu.Unlock()
	if changed {
		c.changes.tell()
	}
	if c.keeper != nil {
		c.keeper.touch()
	}
	if duplicates > 0 {
		c.telemetry.ProcessorBreakerDuplicates.Add(ctx, duplicates)
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

// counting is whether a call counted.
type counting uint8

const (
	notCounted counting = iota
	countedNow
	countedBefore
)

// decide finds the call's verdict, and counts it unless it was counted before, or is not over.
func (c *core) decide(ctx context.Context, call *call, now time.Time) counting {
	over := call.result != noOutcome
	known, counted := verdict{}, false
	if call.id != 0 {
		known, counted = c.calls.Get(call.id)
	}
	if counted && known.state != "" {
		call.verdict = known
		if !over {
			call.verdict.transition = "" // its end caused it
			return notCounted
		}
		return countedBefore
	}
	// Asked before the outcome is told: a call of no length starts when it ends.
	snapshot := c.breakers.StateAt(call.key, call.start)
	call.verdict = verdict{
		state: snapshot.State, failureRatio: snapshot.FailureRatio, calls: snapshot.Calls,
		openedAt: snapshot.OpenedAt, retryAfter: snapshot.RetryAfter,
	}
	if !over {
		return notCounted // nor remembered: its end is still to come
	}
	if counted {
		return countedBefore
	}
	if call.result != ignored {
		outcome := breaker.Outcome{
			Start: call.start, End: call.end, RetryAfter: call.retryAfter,
			Success: call.result == success, NotPermitted: call.result == notPermitted,
		}
		if t, changed := c.breakers.Record(call.key, outcome, now); changed {
			call.verdict.transition, call.verdict.to = t.String(), t.To
			c.changed(ctx, call.key, t)
		}
	}
	if call.id != 0 {
		c.calls.Add(call.id, call.verdict)
	}
	return countedNow
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
