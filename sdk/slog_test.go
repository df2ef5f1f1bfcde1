// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package stageflow

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"testing"
	"testing/slogtest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

// plainLog writes messages and attributes alone, as JSON.
func plainLog(out *bytes.Buffer) slog.Handler {
	return slog.NewJSONHandler(out, &slog.HandlerOptions{ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
		if len(groups) == 0 && (a.Key == slog.TimeKey || a.Key == slog.LevelKey) {
			return slog.Attr{}
		}
		return a
	}})
}

func TestSlogHandlerConforms(t *testing.T) {
	var out bytes.Buffer
	slogtest.Run(t, func(*testing.T) slog.Handler {
		out.Reset()
		return NewSlogHandler(slog.NewJSONHandler(&out, nil))
	}, func(t *testing.T) map[string]any {
		m := map[string]any{}
		require.NoError(t, json.Unmarshal(out.Bytes(), &m))
		return m
	})
}

// inActivated logs every record in an activated context, so that the handler takes its long way.
type inActivated struct {
	slog.Handler
	ctx context.Context
}

func (h inActivated) Handle(_ context.Context, r slog.Record) error {
	return h.Handler.Handle(h.ctx, r)
}
func (h inActivated) WithAttrs(a []slog.Attr) slog.Handler {
	return inActivated{h.Handler.WithAttrs(a), h.ctx}
}

func (h inActivated) WithGroup(name string) slog.Handler {
	return inActivated{h.Handler.WithGroup(name), h.ctx}
}

func TestSlogHandlerConformsInARun(t *testing.T) {
	ctx := fullContext().Activate(context.Background())
	var out bytes.Buffer
	slogtest.Run(t, func(*testing.T) slog.Handler {
		out.Reset()
		return inActivated{NewSlogHandler(slog.NewJSONHandler(&out, nil)), ctx}
	}, func(t *testing.T) map[string]any {
		m := map[string]any{}
		require.NoError(t, json.Unmarshal(out.Bytes(), &m))
		assert.Equal(t, remoteRun, m[semconv.RunIDKey], "outside of groups")
		assert.Equal(t, someTrace, m["trace_id"])
		return m
	})
}

func TestSlogHandlerAddsIDs(t *testing.T) {
	span := semconv.StageSpanID(remoteRun, "llm", 1).String()
	ids := `"stageflow.run.id":"` + remoteRun + `","stageflow.stage.name":"llm","stageflow.stage.attempt":1,` +
		`"stageflow.correlation.id":"c","trace_id":"0190d0b27a3c7000800000000000cafe","span_id":"` + span + `"`
	for name, tt := range map[string]struct {
		log  func(context.Context, *slog.Logger)
		want string
	}{
		"bare":      {func(ctx context.Context, l *slog.Logger) { l.InfoContext(ctx, "m") }, `{"msg":"m",` + ids + `}`},
		"attribute": {func(ctx context.Context, l *slog.Logger) { l.InfoContext(ctx, "m", "k", 1) }, `{"msg":"m","k":1,` + ids + `}`},
		"with":      {func(ctx context.Context, l *slog.Logger) { l.With("k", 1).InfoContext(ctx, "m") }, `{"msg":"m","k":1,` + ids + `}`},
		"group": {func(ctx context.Context, l *slog.Logger) {
			l.With("a", 1).WithGroup("g").With("b", 2).WithGroup("h").InfoContext(ctx, "m", "c", 3)
		}, `{"msg":"m","a":1,"g":{"b":2,"h":{"c":3}},` + ids + `}`},
		"empty groups": {func(ctx context.Context, l *slog.Logger) {
			l.WithGroup("g").With("b", 2).WithGroup("h").InfoContext(ctx, "m")
		}, `{"msg":"m","g":{"b":2},` + ids + `}`},
		"same name in a group": {func(ctx context.Context, l *slog.Logger) {
			l.WithGroup("g").With("trace_id", "x").InfoContext(ctx, "m", "span_id", "y")
		}, `{"msg":"m","g":{"trace_id":"x","span_id":"y"},` + ids + `}`},
		"caller's name wins": {func(ctx context.Context, l *slog.Logger) {
			l.With("stageflow.run.id", "mine").InfoContext(ctx, "m", "trace_id", "t",
				slog.Group("", "span_id", "s", "stageflow.stage.name", "n"), "stageflow.stage.attempt", 7)
		}, `{"msg":"m","stageflow.run.id":"mine","trace_id":"t","span_id":"s","stageflow.stage.name":"n","stageflow.stage.attempt":7,"stageflow.correlation.id":"c"}`},
		"no context": {func(_ context.Context, l *slog.Logger) {
			l.WithGroup("g").With("a", 1).Info("m", "b", 2)
		}, `{"msg":"m","g":{"a":1,"b":2}}`},
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			logger := slog.New(NewSlogHandler(plainLog(&out)))
			inStage(t, func(ctx context.Context) { tt.log(ctx, logger) })
			assert.Equal(t, tt.want+"\n", out.String())
		})
	}
}

// Loggers made of one another share nothing that they could overwrite.
func TestSlogHandlerBranches(t *testing.T) {
	var out bytes.Buffer
	ctx := SetCorrelationID(context.Background(), "c")
	base := slog.New(NewSlogHandler(plainLog(&out))).WithGroup("g").With("a", 1)
	left, right := base.With("l", 1), base.WithGroup("h").With("r", 1)
	_ = base.With("x", 1)
	for _, tt := range []struct {
		logger *slog.Logger
		want   string
	}{
		{left, `{"msg":"m","g":{"a":1,"l":1},"stageflow.correlation.id":"c"}`},
		{right, `{"msg":"m","g":{"a":1,"h":{"r":1}},"stageflow.correlation.id":"c"}`},
		{base, `{"msg":"m","g":{"a":1},"stageflow.correlation.id":"c"}`},
	} {
		out.Reset()
		tt.logger.InfoContext(ctx, "m")
		assert.JSONEq(t, tt.want, out.String())
	}
}

func TestSlogHandlerOfNothing(t *testing.T) {
	h := NewSlogHandler(nil)
	assert.False(t, h.Enabled(context.Background(), slog.LevelError))
	slog.New(h).InfoContext(SetCorrelationID(context.Background(), "c"), "m")
}
