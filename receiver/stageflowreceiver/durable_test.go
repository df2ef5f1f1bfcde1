// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package stageflowreceiver

import (
	"errors"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/extension/xextension/storage"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/metric/metricdata/metricdatatest"

	"github.com/stageflow/otelcol-stageflow/receiver/stageflowreceiver/internal/journal/journaltest"
	"github.com/stageflow/otelcol-stageflow/receiver/stageflowreceiver/internal/metadatatest"
	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

// restart is a receiver on what a crash now would leave of the storage.
func restart(t testing.TB, m *journaltest.Memory, change ...func(*testReceiver)) (*testReceiver, *journaltest.Memory) {
	left := m.Copy()
	return newTestReceiver(t, append(change, stored(left))...), left
}

func names(r *testReceiver) []string {
	out := []string{}
	for _, s := range r.spans() {
		out = append(out, s.Name()+" "+attr(s, semconv.RunStatusKey)+attr(s, semconv.StageStatusKey)+attr(s, semconv.CallStatusKey))
	}
	return out
}

func TestRunsOutliveACrash(t *testing.T) {
	m := journaltest.New()
	r := newTestReceiver(t, stored(m))
	assert.Zero(t, r.log.FilterMessageSnippet("in memory only").Len())
	r.post(t, line("pipeline.started", "r", 1, `"pipeline_name":"chat"`)+"\n"+line("stage.a.started", "r", 2, `"stage":"a","status":"started"`))
	r.post(t, line("provider_call.started", "r", 3, `"call_id":"c","operation":"chat","provider":"openai","model_id":"m"`))

	r, m = restart(t, m)
	assert.Equal(t, 1, r.intake.assembler.Active())
	metadatatest.AssertEqualReceiverStageflowJournalSize(t, r.telemetry, []metricdata.DataPoint[int64]{{Value: r.journal.Size()}}, metricdatatest.IgnoreTimestamp())
	assert.Positive(t, r.journal.Size())
	r.post(t, `{"type":"provider_call.ended","emitted_at":"2026-11-22T12:00:01Z","data":{"call_id":"c","success":true}}`+"\n"+
		line("stage.a.completed", "r", 4, `"stage":"a","status":"completed"`)+"\n"+line("pipeline.completed", "r", 5, ""))
	ended := r.logsSink.AllLogs()[0].ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().At(0)
	provider, _ := ended.Attributes().Get(semconv.GenAIProviderNameKey)
	assert.Equal(t, "openai", provider.AsString(), "the start of the call is remembered")

	r, m = restart(t, m)
	r.wait(t, time.Second)
	assert.Equal(t, []string{"invoke_workflow chat completed", "stage a completed", "chat m completed"}, names(r))
	r.wait(t, rememberedFor)
	assert.Equal(t, []string{"!first"}, m.Keys(), "what has been handed on is gone")

	r, _ = restart(t, m)
	r.wait(t, time.Hour)
	assert.Empty(t, r.spans())
}

// rememberedFor is longer than a settled run is remembered.
const rememberedFor = 11 * time.Minute

// A clean shutdown sends what has ended and keeps the rest.
func TestRunsOutliveAShutdown(t *testing.T) {
	m := journaltest.New()
	first := newTestReceiver(t, stored(m))
	first.post(t, line("pipeline.completed", "over", 1, "")+"\n"+line("pipeline.started", "open", 1, ""))
	first.settler.stop(t.Context())
	assert.Equal(t, []string{"invoke_workflow completed"}, names(first))

	r, _ := restart(t, m)
	r.wait(t, time.Hour)
	require.Len(t, r.spans(), 1)
	assert.Equal(t, "open", attr(r.spans()[0], semconv.RunIDKey))
}

func TestPipelineThatStillRefusesAtShutdown(t *testing.T) {
	m := journaltest.New()
	traces := &flakyTraces{}
	r := newTestReceiver(t, stored(m), into(traces))
	r.post(t, line("pipeline.completed", "r", 1, ""))
	traces.errs = []error{errLater}
	r.settler.stop(t.Context())
	assert.Empty(t, r.spans())
	assert.Zero(t, r.log.FilterMessageSnippet("lost").Len())

	r, _ = restart(t, m)
	r.wait(t, time.Second)
	assert.Len(t, r.spans(), 1)
}

// What was refused is not taken: not by the journal, not after a restart, and the sender may send it again.
func TestStorageThatIsFull(t *testing.T) {
	m := journaltest.New()
	r := newTestReceiver(t, stored(m))
	r.post(t, line("pipeline.started", "before", 1, ""))
	m.Refuse(storage.ErrStorageFull)
	w := r.post(t, line("pipeline.started", "r", 1, ""))
	assert.Equal(t, http.StatusServiceUnavailable, w.Code)
	assert.NotEmpty(t, w.Header().Get("Retry-After"))
	assert.Contains(t, w.Body.String(), "the storage refused an entry")
	assert.Equal(t, 1, r.logsSink.LogRecordCount(), "nothing was passed on")
	assert.Equal(t, 1, r.intake.assembler.Active())

	m.Refuse(nil)
	assert.Equal(t, http.StatusOK, r.post(t, line("pipeline.started", "r", 1, "")).Code)
	r, _ = restart(t, m)
	assert.Equal(t, 2, r.intake.assembler.Active())
}

func TestRefusedBatchIsWithdrawn(t *testing.T) {
	m := journaltest.New()
	logs := &flakyLogs{err: errLater}
	r := newTestReceiver(t, stored(m), func(r *testReceiver) { r.logs = logs })
	assert.Equal(t, http.StatusServiceUnavailable, r.post(t, line("pipeline.started", "r", 1, "")).Code)
	again, _ := restart(t, m)
	assert.Zero(t, again.intake.assembler.Active())
	logs.err = nil
	assert.Equal(t, http.StatusOK, r.post(t, line("pipeline.started", "r", 1, "")).Code)
	again, _ = restart(t, m)
	assert.Equal(t, 1, again.intake.assembler.Active())
}

// The traces pipeline took a run, but the storage does not take it down: it is tried again until it does, and the run
// is not sent twice.
func TestStorageThatRefusesMarks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := journaltest.New()
		r := newTestReceiver(t, stored(m))
		r.post(t, line("pipeline.completed", "r", 1, ""))
		m.Refuse(errors.New("a cable is out"))
		done := make(chan struct{})
		go func() {
			defer close(done)
			r.wait(t, time.Second)
		}()
		time.Sleep(3 * maxBackoff)
		m.Refuse(nil)
		<-done
		assert.Len(t, r.spans(), 1)
		assert.Greater(t, r.log.FilterMessageSnippet("could not be told").Len(), 3)
		again, _ := restart(t, m)
		assert.Zero(t, again.intake.assembler.Active())
	})
}

// What comes late finds its run after a restart, too: its trace, the numbers of its attempts, the end that it had.
func TestLateEventsAfterACrash(t *testing.T) {
	m := journaltest.New()
	r := newTestReceiver(t, stored(m))
	stage := func(at int, status string) string {
		return line("stage.a."+status, "r", at, `"stage":"a","status":"`+status+`"`)
	}
	r.post(t, line("pipeline.started", "r", 1, "")+"\n"+stage(2, "started")+"\n"+stage(3, "failed")+"\n"+line("pipeline.failed", "r", 9, `"error":"boom"`))
	r.wait(t, time.Second)
	require.Len(t, r.spans(), 2)

	r, m = restart(t, m)
	r.post(t, stage(10, "started")+"\n"+stage(11, "completed"))
	r.wait(t, time.Second)
	require.Len(t, r.spans(), 1, "no second run span")
	assert.Equal(t, "2", attr(r.spans()[0], semconv.StageAttemptKey))

	r, _ = restart(t, m)
	r.post(t, stage(12, "started")+"\n"+stage(13, "completed"))
	r.wait(t, time.Second)
	require.Len(t, r.spans(), 1)
	assert.Equal(t, "3", attr(r.spans()[0], semconv.StageAttemptKey))
}

// An inferred end is corrected after a restart with what the first span said.
func TestLateCorrectionAfterACrash(t *testing.T) {
	m := journaltest.New()
	r := newTestReceiver(t, stored(m))
	r.post(t, line("stage.a.completed", "r", 3, `"stage":"a","status":"completed","user_id":"u","duration_ms":2`))
	r.wait(t, 6*time.Minute)
	require.Len(t, r.spans(), 2)
	r, _ = restart(t, m)
	r.post(t, line("pipeline.failed", "r", 9, `"error":"boom"`))
	r.wait(t, time.Second)
	require.Len(t, r.spans(), 1)
	span := r.spans()[0]
	assert.Equal(t, "failed", attr(span, semconv.RunStatusKey))
	assert.Equal(t, "u", attr(span, semconv.UserIDKey))
	assert.Equal(t, "5", attr(span, semconv.RunRevisionKey))
	assert.Equal(t, int(time.Millisecond), span.StartTimestamp().AsTime().Nanosecond())
}

// What has left of a run that goes on does not leave again, and keeps its number.
func TestFlushedAttemptsAfterACrash(t *testing.T) {
	m := journaltest.New()
	r := newTestReceiver(t, stored(m))
	r.post(t, line("pipeline.started", "r", 1, "")+"\n"+line("stage.a.started", "r", 20, `"stage":"a","status":"started"`)+"\n"+line("stage.a.completed", "r", 30, `"stage":"a","status":"completed"`))
	r.wait(t, time.Minute)
	assert.Equal(t, []string{"stage a completed"}, names(r))

	r, m = restart(t, m)
	r.wait(t, time.Minute)
	assert.Empty(t, r.spans())
	r.post(t, line("stage.a.started", "r", 2, `"stage":"a","status":"started"`)+"\n"+line("stage.a.failed", "r", 3, `"stage":"a","status":"failed"`))
	r, _ = restart(t, m)
	r.post(t, line("pipeline.completed", "r", 40, ""))
	r.wait(t, time.Second)
	assert.ElementsMatch(t, []string{"invoke_workflow completed", "stage a retried"}, names(r))
	for _, s := range r.spans() {
		if strings.HasPrefix(s.Name(), "stage") {
			assert.Equal(t, "2", attr(s, semconv.StageAttemptKey), "1 has left")
		}
	}
}

// A sender that never got its answer sends again: what was surely passed on is a duplicate, what may not have been
// is passed on again. The run is the same either way.
func TestCopiesAfterACrash(t *testing.T) {
	m := journaltest.New()
	r := newTestReceiver(t, stored(m))
	a, b := line("pipeline.started", "r", 1, ""), line("pipeline.completed", "r", 2, "")
	r.post(t, a)
	r.post(t, b)
	r, _ = restart(t, m)
	r.post(t, a+"\n"+b)
	assert.Equal(t, 1, r.logsSink.LogRecordCount())
	r.wait(t, time.Second)
	assert.Len(t, r.spans(), 1)
}

// Records that are no events are nobody's to keep.
func TestForeignRecordsAreNotStored(t *testing.T) {
	m := journaltest.New()
	r := newTestReceiver(t, stored(m))
	ld := plog.NewLogs()
	records := ld.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords()
	records.AppendEmpty().Body().SetStr("hello")
	require.NoError(t, r.intake.take(t.Context(), ld))
	assert.Empty(t, m.Keys())

	ld = plog.NewLogs()
	records = ld.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords()
	records.AppendEmpty().Body().SetStr(strings.Repeat("hello", 1000))
	lr := records.AppendEmpty()
	lr.SetEventName(string(semconv.EventRunStarted))
	lr.Attributes().PutStr(semconv.EventTypeKey, semconv.TypeRunStarted)
	lr.Attributes().PutEmptyMap(semconv.EventDataKey).PutStr("pipeline_run_id", "r")
	require.NoError(t, r.intake.take(t.Context(), ld))
	assert.Less(t, r.journal.Size(), int64(500))
	r, _ = restart(t, m)
	assert.Equal(t, 1, r.intake.assembler.Active())
}

func TestStorageThatIsNotThere(t *testing.T) {
	start := func(extension component.Component) error {
		set := metadatatest.NewSettings(componenttest.NewTelemetry())
		c, err := newCore(createDefaultConfig().(*Config), set)
		require.NoError(t, err)
		id := component.MustNewIDWithName("file_storage", "runs")
		c.cfg.Storage, c.traces = &id, new(flakyTraces)
		host := &testReceiver{extensions: map[component.ID]component.Component{}}
		if extension != nil {
			host.extensions[id] = extension
		}
		return c.Start(t.Context(), host)
	}
	require.ErrorContains(t, start(nil), `storage is "file_storage/runs": there is no such extension; list it under service::extensions`)
	require.ErrorContains(t, start(struct{ component.Component }{}), "that is not a storage extension")
}

// What was noted on a run span is on the one that replaces it, too.
func TestNotesOfACorrectedRun(t *testing.T) {
	m := journaltest.New()
	r := newTestReceiver(t, stored(m))
	r.post(t, line("guard_retry.attempt", "r", 3, `"guard":"g","attempt":1`))
	r.wait(t, 6*time.Minute)
	again, _ := restart(t, m)
	for _, one := range []*testReceiver{r, again} {
		one.tracesSink.Reset()
		one.post(t, line("guard_retry.recovered", "r", 5, `"guard":"g"`)+"\n"+line("pipeline.completed", "r", 9, ""))
		one.wait(t, time.Second)
		require.Len(t, one.spans(), 1)
		notes := one.spans()[0].Events()
		require.Equal(t, 2, notes.Len())
		assert.Equal(t, "guard_retry.attempt", notes.At(0).Name())
		guard, _ := notes.At(0).Attributes().Get("stageflow.data.guard")
		assert.Equal(t, "g", guard.AsString())
	}
}

// A run that goes on for long, and its child, do not keep the journal of all other runs: what they need is appended
// again.
func TestLongRunDoesNotHoldUpTheJournal(t *testing.T) {
	m := journaltest.New()
	r := newTestReceiver(t, stored(m), with(func(cfg *Config) { cfg.Runs.IdleTimeout, cfg.Runs.AbandonAfter = 24*time.Hour, 24*time.Hour }))
	spawned := `{"type":"pipeline.spawned_child","data":{"parent_run_id":"long","child_run_id":"child","parent_stage_id":"a","pipeline_name":"leaf","timestamp":"2026-11-22T12:00:00+00:00"}}`
	r.post(t, spawned+"\n"+line("stage.a.started", "long", 2, `"stage":"a","status":"started"`)+"\n"+line("pipeline.completed", "child", 3, "")+"\n"+
		`{"type":"provider_call.ended","emitted_at":"2026-11-22T12:00:00.005Z","data":{"call_id":"c","success":true}}`)
	filler := strings.Repeat("x", 100_000)
	for i := range 500 {
		require.Equal(t, http.StatusOK, r.post(t, line("pipeline.completed", strconv.Itoa(i), 1, `"filler":"`+filler+`"`)).Code)
		r.wait(t, time.Second)
		require.Less(t, r.journal.Size(), int64(20<<20))
	}
	require.Len(t, r.spans(), 501)

	r, m = restart(t, m)
	assert.Equal(t, 1, r.intake.assembler.Active())
	r.post(t, line("provider_call.started", "long", 4, `"call_id":"c","operation":"chat","model_id":"m","stage":"a"`)+"\n"+
		line("stage.a.completed", "long", 6, `"stage":"a","status":"completed"`)+"\n"+line("pipeline.completed", "long", 7, ""))
	r.wait(t, time.Second)
	assert.ElementsMatch(t, []string{"invoke_workflow completed", "stage a completed", "chat m completed"}, names(r))
	r.wait(t, rememberedFor)
	assert.Equal(t, []string{"!first"}, m.Keys())
}
