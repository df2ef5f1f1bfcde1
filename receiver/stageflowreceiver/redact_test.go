// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package stageflowreceiver

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/pdatatest/plogtest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/metric/metricdata/metricdatatest"

	"github.com/stageflow/otelcol-stageflow/receiver/stageflowreceiver/internal/event"
	"github.com/stageflow/otelcol-stageflow/receiver/stageflowreceiver/internal/journal/journaltest"
	"github.com/stageflow/otelcol-stageflow/receiver/stageflowreceiver/internal/metadatatest"
	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

func redacting(keys, patterns []string) func(*testReceiver) {
	return with(func(cfg *Config) { cfg.Redact = RedactConfig{Keys: keys, Patterns: patterns} })
}

func TestRedact(t *testing.T) {
	for _, tt := range []struct {
		name           string
		keys, patterns []string
		in, want       string
		count          int
	}{
		{"nothing", nil, nil, `{"type":"x","data":{"a":"secret"}}`, `{"type":"x","data":{"a":"secret"}}`, 0},
		{"a name, wherever", []string{"a"}, nil, `{"type":"x","a":1,"data":{"a":"s","b":{"a":[1,2]},"c":[{"a":{"d":1}}],"ab":"s"}}`,
			`{"type":"x","a":"[redacted]","data":{"a":"[redacted]","b":{"a":"[redacted]"},"c":[{"a":"[redacted]"}],"ab":"s"}}`, 4},
		{"in any case", []string{"Authorization"}, nil, `{"type":"x","data":{"headers":{"authorization":"s","AUTHORIZATION":"s"}}}`,
			`{"type":"x","data":{"headers":{"authorization":"[redacted]","AUTHORIZATION":"[redacted]"}}}`, 2},
		{"a path", []string{"user.name"}, nil, `{"type":"x","data":{"name":"s","user":{"name":"s","id":1},"more":{"user":[{"name":"s"}]},"user.name":"s"}}`,
			`{"type":"x","data":{"name":"s","user":{"name":"[redacted]","id":1},"more":{"user":[{"name":"[redacted]"}]},"user.name":"[redacted]"}}`, 3},
		{"a path from the top", []string{"data.name"}, nil, `{"type":"x","name":"s","data":{"name":"s","user":{"name":"s"}}}`,
			`{"type":"x","name":"s","data":{"name":"[redacted]","user":{"name":"s"}}}`, 1},
		{"a glob", []string{"*.prompt", "user_?d", "b[12]"}, nil, `{"type":"x","prompt":"s","data":{"prompt":"s","user_id":"s","b1":"s","b2":"s","b3":"s"}}`,
			`{"type":"x","prompt":"s","data":{"prompt":"[redacted]","user_id":"[redacted]","b1":"[redacted]","b2":"[redacted]","b3":"s"}}`, 4},
		{"in the stages of a wide event", []string{"error"}, nil, `{"type":"pipeline.wide","data":{"stage_details":[{"stage":"a","error":"s"},{"stage":"b","error":null}]}}`,
			`{"type":"pipeline.wide","data":{"stage_details":[{"stage":"a","error":"[redacted]"},{"stage":"b","error":null}]}}`, 1},
		{"null stays, and what is redacted", []string{"a"}, []string{"red"}, `{"type":"x","data":{"a":null,"b":{"a":"[redacted]"}}}`, `{"type":"x","data":{"a":null,"b":{"a":"[redacted]"}}}`, 0},
		{"data that is no object", []string{"value"}, nil, `{"type":"x","data":"s"}`, `{"type":"x","data":{"value":"[redacted]"}}`, 1},
		{"a pattern, in texts", nil, []string{`sk-\w+`, `\d{4}`}, `{"type":"x","note":"sk-ab","data":{"a":"key sk-ab, sk-cd and 1234","b":["sk-ab"],"c":"sk"}}`,
			`{"type":"x","note":"[redacted]","data":{"a":"key [redacted], [redacted] and [redacted]","b":["[redacted]"],"c":"sk"}}`, 3},
		{"a pattern, in numbers", nil, []string{`4111\d{12}`, `^2\.5$`, `true`}, `{"type":"x","data":{"card":4111111111111111,"n":41,"d":2.5,"f":true}}`,
			`{"type":"x","data":{"card":"[redacted]","n":41,"d":"[redacted]","f":"[redacted]"}}`, 3},
		{"a pattern, in names", nil, []string{`\S+@\S+`}, `{"type":"x","data":{"by":{"ada@example.com":1,"n":2}}}`, `{"type":"x","data":{"by":{"[redacted]":1,"n":2}}}`, 1},
		{"kept from patterns", nil, []string{`.+`}, `{"type":"stage.a.started","sink_id":"s","seq":7,"traceparent":"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01","emitted_at":"2026-11-22T12:00:00Z","data":{"pipeline_run_id":"0af7651916cd43dd8448eb211c80319c","stage":"a","status":"started","attempt":2}}`,
			`{"type":"stage.a.started","sink_id":"s","seq":7,"traceparent":"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01","emitted_at":"2026-11-22T12:00:00Z","data":{"pipeline_run_id":"0af7651916cd43dd8448eb211c80319c","stage":"a","status":"started","attempt":2}}`, 0},
		{"a kept field that is none", nil, []string{`secret`}, `{"type":"x","data":{"status":{"a":"secret"},"stage":["secret"]}}`, `{"type":"x","data":{"status":{"a":"[redacted]"},"stage":["[redacted]"]}}`, 2},
		{"a kept name further down", nil, []string{`secret`}, `{"type":"x","data":{"a":{"stage":"secret"}}}`, `{"type":"x","data":{"a":{"stage":"[redacted]"}}}`, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newTestReceiver(t, redacting(tt.keys, tt.patterns))
			w := r.post(t, tt.in)
			require.Equal(t, http.StatusOK, w.Code, w.Body)
			e, repairs, ok := event.Open(r.logsSink.AllLogs()[0].ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().At(0))
			require.True(t, ok)
			assert.Zero(t, repairs)
			assert.JSONEq(t, tt.want, string(e.AppendJSON(nil)))
			if tt.count == 0 {
				assert.Zero(t, sum(r.telemetry, "otelcol_receiver_stageflow_redacted_values"))
			} else {
				metadatatest.AssertEqualReceiverStageflowRedactedValues(t, r.telemetry, []metricdata.DataPoint[int64]{{Value: int64(tt.count)}}, metricdatatest.IgnoreTimestamp(), metricdatatest.IgnoreExemplars())
			}
			// A gateway with the same configuration finds nothing to redact in what an agent redacted.
			gateway := newTestReceiver(t, redacting(tt.keys, tt.patterns))
			require.NoError(t, gateway.intake.take(t.Context(), r.logsSink.AllLogs()[0]))
			assert.Zero(t, sum(gateway.telemetry, "otelcol_receiver_stageflow_redacted_values"))
			assert.Equal(t, 1, gateway.logsSink.LogRecordCount())
		})
	}
}

// What lies so deep that it becomes text cannot be searched for fields, so none of it leaves.
func TestRedactWhatIsNestedDeep(t *testing.T) {
	deep := strings.Repeat(`{"a":`, 60) + `{"prompt":"hunter2"}` + strings.Repeat(`}`, 60)
	list := strings.Repeat(`[`, 60) + `{"prompt":"hunter2"}` + strings.Repeat(`]`, 60)
	overOTLP := func() plog.Logs {
		ld := plog.NewLogs()
		lr := ld.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords().AppendEmpty()
		lr.SetEventName("stageflow.event")
		lr.Attributes().PutStr(semconv.EventTypeKey, "x")
		m := lr.Attributes().PutEmptyMap(semconv.EventDataKey)
		for range 60 {
			m = m.PutEmptyMap("a")
		}
		m.PutStr("prompt", "hunter2")
		return ld
	}
	r := newTestReceiver(t, redacting([]string{"prompt"}, nil))
	r.post(t, `{"type":"x","data":`+deep+`}`+"\n"+`{"type":"x","data":{"a":`+list+`}}`+"\n"+`{"type":"x","beside":`+deep+`,"more":`+list+`}`)
	require.NoError(t, r.intake.take(t.Context(), overOTLP()))
	assert.Equal(t, 4, r.logsSink.LogRecordCount())
	assert.NotContains(t, r.everything(t), "hunter2")
}

// everything is all that has left the receiver, and what its storage holds.
func (r *testReceiver) everything(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	add := func(raw []byte, err error) {
		require.NoError(t, err)
		b.Write(raw)
	}
	for _, ld := range r.logsSink.AllLogs() {
		add((&plog.JSONMarshaler{}).MarshalLogs(ld))
	}
	for _, td := range r.tracesSink.AllTraces() {
		add((&ptrace.JSONMarshaler{}).MarshalTraces(td))
	}
	for _, md := range r.metricsSink.AllMetrics() {
		add((&pmetric.JSONMarshaler{}).MarshalMetrics(md))
	}
	if r.cfg.Storage != nil {
		m := r.extensions[*r.cfg.Storage].(*journaltest.Memory)
		for _, key := range m.Keys() {
			if key == "knownFiles" {
				continue // a file is known again by its first bytes, which the documentation says
			}
			add(m.Value(key), nil)
		}
	}
	for _, entry := range r.log.All() {
		fmt.Fprint(&b, entry.Message, entry.ContextMap())
	}
	return b.String()
}

// salt puts secrets into an event, at random: a field that is redacted by its name, texts that a pattern finds.
func salt(random *rand.Rand, v any, kept bool) any {
	switch v := v.(type) {
	case map[string]any:
		for name, field := range v {
			if !kept || !keptByName[name] || name == detailsField {
				v[name] = salt(random, field, name == detailsField || name == "data")
			}
		}
		if random.IntN(3) == 0 {
			v["transcript"] = map[string]any{"text": "canary", "canary": []any{"canary", 1}}
		}
		if random.IntN(10) == 0 {
			v["SECRET-0000"] = random.IntN(9)
		}
	case []any:
		for i := range v {
			v[i] = salt(random, v[i], kept)
		}
	case string:
		if random.IntN(3) == 0 {
			return v + " SECRET-" + fmt.Sprint(1000+random.IntN(9000))
		}
	}
	return v
}

var keptByName = func() map[string]bool {
	kept := map[string]bool{}
	for _, name := range keptFields {
		kept[name] = true
	}
	return kept
}()

// No redacted text leaves: not in logs, spans or metrics, not into the journal or the log, not by whatever input; and
// the runs are those that the same events make without secrets.
func TestNoRedactedTextLeaves(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for _, c := range loadCaptures(t) {
		if strings.HasPrefix(c.Name, "hostile") || !slices.Contains(goldenLogs, c.Name) {
			continue // encoding/json would not read it, or it has no kind of event that those do not have
		}
		t.Run(c.Name, func(t *testing.T) {
			var salted strings.Builder
			for l := range strings.Lines(string(c.Body)) {
				var e map[string]any
				require.NoError(t, json.Unmarshal([]byte(l), &e))
				raw, err := json.Marshal(salt(random, e, true))
				require.NoError(t, err)
				salted.Write(append(raw, '\n'))
			}
			plain := newTestReceiver(t)
			plain.post(t, string(c.Body))
			file := filepath.Join(t.TempDir(), "events.jsonl")
			write(t, file, salted.String())
			redact := redacting([]string{"transcript"}, []string{`SECRET-\d{4}`})
			synctest.Test(t, func(t *testing.T) {
				posted := newTestReceiver(t, redact, stored(journaltest.New()))
				require.Equal(t, http.StatusOK, posted.post(t, salted.String()).Code)
				read := newTestReceiver(t, redact, stored(journaltest.New()), reading(file))
				read.look()
				for _, r := range []*testReceiver{posted, read, plain} {
					if r != plain {
						secrets(t, r.everything(t)) // while the journal is full
					}
					r.collector.collect(t.Context())
					r.wait(t, 2*time.Second)
					r.wait(t, 6*time.Minute)
					r.wait(t, 20*time.Minute)
					if r != plain {
						secrets(t, r.everything(t))
					}
				}
				for _, r := range []*testReceiver{posted, read} {
					var got []string
					for _, name := range names(r) {
						got = append(got, strings.ReplaceAll(name, " "+redacted, ""))
					}
					assert.ElementsMatch(t, names(plain), got)
				}
			})
		})
	}
}

func secrets(t *testing.T, text string) {
	t.Helper()
	for _, secret := range []string{"canary", "SECRET-"} {
		if i := strings.Index(text, secret); i >= 0 {
			t.Fatalf("%q leaves in …%s…", secret, text[max(0, i-200):min(len(text), i+100)])
		}
	}
}

// An agent that does not redact has written what the data says beside it; a gateway that does redacts both.
func TestRedactWhatAnAgentSends(t *testing.T) {
	agent := newTestReceiver(t)
	agent.post(t, line("stage.a.failed", "r", 1, `"stage":"a","status":"failed","error":"no secret here","user_id":"ada"`)+"\n"+
		`{"type":"tool.undo_failed","data":{"action_id":"x","reason":"ada"}}`)
	forwarded := agent.logsSink.AllLogs()[0]
	event := forwarded.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().At(0)
	event.Body().SetStr("a secret body")
	event.Attributes().PutEmptyBytes("raw").FromRaw([]byte("secret"))
	event.Attributes().PutEmptyMap("mine").PutStr("user_id", "ada")
	event.Attributes().PutStr("a secret name", "x")
	r := newTestReceiver(t, redacting([]string{"user_id", "error", "reason"}, []string{"secret"}), stored(journaltest.New()))
	require.NoError(t, r.intake.take(t.Context(), forwarded))
	r.wait(t, 10*time.Minute)
	left := r.everything(t)
	for _, secret := range []string{"ada", "secret", "c2VjcmV0"} {
		assert.NotContains(t, left, secret)
	}
	assert.Len(t, r.spans(), 2)
	assert.Contains(t, names(r), "stage a failed")
}

// An agent has joined an end to its start, so beside the data stands what the data does not say.
func TestRedactWhatAnAgentKnew(t *testing.T) {
	agent := newTestReceiver(t)
	agent.post(t, line("provider_call.started", "r", 1, `"call_id":"c","operation":"chat","provider":"acme"`))
	agent.post(t, line("provider_call.ended", "r", 2, `"call_id":"c","success":true`))
	ended := agent.logsSink.AllLogs()[1]
	r := newTestReceiver(t, redacting([]string{"provider"}, nil))
	require.NoError(t, r.intake.take(t.Context(), ended))
	attrs := r.logsSink.AllLogs()[0].ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().At(0).Attributes().AsRaw()
	assert.Equal(t, redacted, attrs[semconv.GenAIProviderNameKey])
	assert.Equal(t, "chat", attrs[semconv.GenAIOperationNameKey])
}

// Records that are no events, spans and metrics are nobody's to change.
func TestForeignTelemetryIsNotRedacted(t *testing.T) {
	foreign := func() plog.Logs {
		ld := plog.NewLogs()
		rl := ld.ResourceLogs().AppendEmpty()
		rl.Resource().Attributes().PutStr("transcript", "secret")
		lr := rl.ScopeLogs().AppendEmpty().LogRecords().AppendEmpty()
		lr.Body().SetStr("secret")
		lr.Attributes().PutStr("transcript", "secret")
		return ld
	}
	r := newTestReceiver(t, redacting([]string{"transcript"}, []string{"secret"}))
	require.NoError(t, r.intake.take(t.Context(), foreign()))
	require.NoError(t, plogtest.CompareLogs(foreign(), r.logsSink.AllLogs()[0]))
	td := ptrace.NewTraces()
	td.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans().AppendEmpty().Attributes().PutStr("transcript", "secret")
	require.NoError(t, r.passSpans(t.Context(), td))
	assert.Contains(t, r.everything(t), "secret")
}

// What is redacted is known again, and so is what was redacted before a crash.
func TestCopiesOfWhatWasRedacted(t *testing.T) {
	m := journaltest.New()
	redact := redacting([]string{"user_id"}, nil)
	r := newTestReceiver(t, redact, stored(m))
	first := line("pipeline.started", "r", 1, `"user_id":"ada"`)
	r.post(t, first)
	r.post(t, first+"\n"+line("pipeline.completed", "r", 2, `"user_id":"ada"`))
	assert.Equal(t, 2, r.logsSink.LogRecordCount())
	r, _ = restart(t, m, redact)
	r.post(t, first)
	assert.Zero(t, r.logsSink.LogRecordCount())
}

// A journal from before redact was configured holds what must not leave any more.
func TestRedactWhatTheJournalHolds(t *testing.T) {
	m := journaltest.New()
	newTestReceiver(t, stored(m)).post(t, line("stage.a.failed", "r", 1, `"stage":"a","status":"failed","error":"secret"`)+"\n"+line("pipeline.failed", "r", 2, `"error":"secret"`))
	r, _ := restart(t, m, redacting(nil, []string{"secret"}))
	r.wait(t, time.Second)
	require.Len(t, r.spans(), 2)
	for _, td := range r.tracesSink.AllTraces() {
		raw, err := (&ptrace.JSONMarshaler{}).MarshalTraces(td)
		require.NoError(t, err)
		assert.NotContains(t, string(raw), "secret")
	}
}

func TestRefusedBatchesAreNotCountedAsRedacted(t *testing.T) {
	logs := &flakyLogs{err: errLater}
	r := newTestReceiver(t, redacting([]string{"user_id"}, nil), func(r *testReceiver) { r.logs = logs })
	r.post(t, line("custom", "r", 1, `"user_id":"ada"`))
	logs.err = nil
	r.post(t, line("custom", "r", 1, `"user_id":"ada"`))
	assert.EqualValues(t, 1, sum(r.telemetry, "otelcol_receiver_stageflow_redacted_values"))
}
