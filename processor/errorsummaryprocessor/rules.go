// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package errorsummaryprocessor

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.uber.org/zap"

	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/ottl"
	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/ottl/contexts/ottllog"
	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/ottl/contexts/ottlspan"
	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/ottl/ottlfuncs"

	"github.com/stageflow/otelcol-stageflow/sdk/errorsummary"
)

// condition is a rule's, for each of the signals that it can be asked about.
type condition struct {
	span *ottl.Condition[*ottlspan.TransformContext]
	log  *ottl.Condition[*ottllog.TransformContext]
}

// parse reads a condition. One about spans only does not parse for log records, which is no error as long as it does for
// one of them.
func parse(text string) (c condition, err error) {
	quiet := component.TelemetrySettings{Logger: zap.NewNop()}
	spans, err := ottlspan.NewParser(ottlfuncs.StandardConverters[*ottlspan.TransformContext](), quiet, ottlspan.EnablePathContextNames())
	if err != nil {
		return c, err
	}
	logs, err := ottllog.NewParser(ottlfuncs.StandardConverters[*ottllog.TransformContext](), quiet, ottllog.EnablePathContextNames())
	if err != nil {
		return c, err
	}
	var spanErr, logErr error
	c.span, spanErr = spans.ParseCondition(text)
	c.log, logErr = logs.ParseCondition(text)
	if spanErr == nil || logErr == nil {
		return c, nil
	}
	// Both say that they do not know the other's paths; the one that is meant says what is wrong.
	if strings.Contains(text, ottllog.ContextName+".") && !strings.Contains(text, ottlspan.ContextName+".") {
		return c, oneLine(logErr)
	}
	return c, oneLine(spanErr)
}

func oneLine(err error) error { return errors.New(strings.Join(strings.Fields(err.Error()), " ")) }

// rule is a rule of the user's own.
type rule struct {
	condition
	name, code string
	retryable  bool
	// complained tells that a failure of the condition was logged: it would fail for every error alike.
	complained atomic.Bool
}

// rules are all of them. They come before the built-in ones.
type rules struct {
	all    []*rule
	logger *zap.Logger
}

func newRules(cfg *Config, logger *zap.Logger) (rules, error) {
	r := rules{logger: logger}
	for i, c := range cfg.Rules {
		parsed, err := parse(c.Condition)
		if err != nil {
			return r, err
		}
		one := &rule{condition: parsed, name: c.shown(i), code: c.Code, retryable: errorsummary.Retryable(c.Code)}
		if c.Retryable != nil {
			one.retryable = *c.Retryable
		}
		r.all = append(r.all, one)
	}
	return r, nil
}

// fit is the first rule whose condition holds; nil when none does.
func (r *rules) fit(holds func(*rule) (bool, error)) *rule {
	for _, one := range r.all {
		ok, err := holds(one)
		if err != nil && !one.complained.Swap(true) {
			r.logger.Warn("The condition of a rule fails, so it does not fit; this is told once.", zap.String("rule", one.name), zap.Error(err))
		}
		if ok && err == nil {
			return one
		}
	}
	return nil
}

// ofSpan decides about a span's failure, which must have its summary written already: conditions may ask for it.
func (r *rules) ofSpan(ctx context.Context, rs ptrace.ResourceSpans, ss ptrace.ScopeSpans, span ptrace.Span) *rule {
	t := ottlspan.NewTransformContextPtr(rs, ss, span)
	defer t.Close()
	return r.fit(func(one *rule) (bool, error) {
		if one.span == nil {
			return false, nil
		}
		return one.span.Eval(ctx, t)
	})
}

// ofLog decides about a log record's failure, as ofSpan does.
func (r *rules) ofLog(ctx context.Context, rl plog.ResourceLogs, sl plog.ScopeLogs, record plog.LogRecord) *rule {
	t := ottllog.NewTransformContextPtr(rl, sl, record)
	defer t.Close()
	return r.fit(func(one *rule) (bool, error) {
		if one.log == nil {
			return false, nil
		}
		return one.log.Eval(ctx, t)
	})
}
