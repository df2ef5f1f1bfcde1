// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package stageflowreceiver

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/stageflow/otelcol-stageflow/internal/captures"
	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

const capturesDir = "../../testdata/captures"

// Every capture becomes the runs and stages that its truth tells, and no span a second time when it is sent again.
func TestCapturesBecomeTheirTruth(t *testing.T) {
	all, err := captures.Load(capturesDir)
	require.NoError(t, err)
	for _, c := range all {
		t.Run(c.Name, func(t *testing.T) {
			r := newTestReceiver(t)
			w := r.post(t, string(c.Body))
			require.Equal(t, http.StatusOK, w.Code, w.Body)
			assert.Contains(t, w.Body.String(), `"rejected":[]`)
			r.wait(t, 2*time.Second)
			r.wait(t, 6*time.Minute)
			r.wait(t, 20*time.Minute)
			assert.Zero(t, r.intake.assembler.Active())

			runs := map[string]ptrace.Span{}
			stages := map[string]map[string]ptrace.Span{}
			for _, span := range r.spans() {
				id := attr(span, semconv.RunIDKey)
				assert.GreaterOrEqual(t, span.EndTimestamp(), span.StartTimestamp())
				if attr(span, semconv.RunStatusKey) != "" {
					assert.NotContains(t, runs, id, "one run span per run")
					runs[id] = span
				}
				if name := attr(span, semconv.StageNameKey); attr(span, semconv.StageStatusKey) != "" {
					if stages[id] == nil {
						stages[id] = map[string]ptrace.Span{}
					}
					if old, ok := stages[id][name]; !ok || attr(span, semconv.StageAttemptKey) > attr(old, semconv.StageAttemptKey) {
						stages[id][name] = span
					}
				}
			}
			for _, truth := range c.Runs {
				if !truth.Emitted {
					continue
				}
				span, ok := runs[truth.ID]
				require.True(t, ok, "run %s %q", truth.ID, truth.Label)
				assert.Equal(t, string(truth.Status), attr(span, semconv.RunStatusKey), "run %s %q", truth.ID, truth.Label)
				if blamed := attr(span, semconv.RunFailedStageKey); blamed != "" && truth.FailedStage != "" {
					assert.Equal(t, truth.FailedStage, blamed, "run %s %q", truth.ID, truth.Label)
				}
				if truth.Status == semconv.StatusCancelled {
					assert.Equal(t, truth.FailedStage, attr(span, semconv.RunFailedStageKey), "run %s %q", truth.ID, truth.Label)
				}
				for name := range truth.Told {
					assert.Contains(t, stages[truth.ID], name, "run %s %q", truth.ID, truth.Label)
				}
				for name, got := range stages[truth.ID] {
					if want, told := truth.Stages[name]; told && truth.Unknowable == "" {
						assert.Equal(t, string(want), attr(got, semconv.StageStatusKey), "run %s %q stage %s", truth.ID, truth.Label, name)
					}
				}
			}

			before := len(r.spans())
			r.post(t, string(c.Body))
			r.wait(t, 20*time.Minute)
			assert.Len(t, r.spans(), before, "sent again, it says nothing new")
		})
	}
}
