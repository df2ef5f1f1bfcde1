// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package stageflowreceiver

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/stanza/fileconsumer"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/metric/metricdata/metricdatatest"

	"github.com/stageflow/otelcol-stageflow/receiver/stageflowreceiver/internal/journal/journaltest"
	"github.com/stageflow/otelcol-stageflow/receiver/stageflowreceiver/internal/metadatatest"
	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

// The tests run in bubbles of their own time: a look at the files takes none, and the waiting between looks is skipped.

// reading gives the receiver files to read.
func reading(pattern string, change ...func(*fileconsumer.Config)) func(*testReceiver) {
	return with(func(cfg *Config) {
		files := cfg.Files.GetOrInsertDefault()
		files.Include = []string{pattern}
		for _, c := range change {
			c(files)
		}
	})
}

// timed gives the receiver the time of the bubble.
func timed(r *testReceiver) { r.now = time.Now }

// refuser is a logs pipeline that refuses with what it was told last.
type refuser struct {
	consumertest.LogsSink
	err atomic.Pointer[error]
}

func (g *refuser) refuse(err error) { g.err.Store(&err) }

func (g *refuser) ConsumeLogs(ctx context.Context, ld plog.Logs) error {
	if err := g.err.Load(); err != nil && *err != nil {
		ld.ResourceLogs().RemoveIf(func(plog.ResourceLogs) bool { return true }) // it is the pipeline's now
		return *err
	}
	return g.LogsSink.ConsumeLogs(ctx, ld)
}

func behind(g *refuser) func(*testReceiver) { return func(r *testReceiver) { r.logs = g } }

// look waits until the receiver has looked at its files.
func (r *testReceiver) look() {
	time.Sleep(r.cfg.Files.Get().PollInterval + time.Millisecond)
	synctest.Wait()
}

// took are the custom events that the logs pipeline took, by their n, in the order they came.
func took(logs *consumertest.LogsSink) []int {
	out := []int{}
	for _, ld := range logs.AllLogs() {
		for _, rl := range ld.ResourceLogs().All() {
			for _, sl := range rl.ScopeLogs().All() {
				for _, lr := range sl.LogRecords().All() {
					data, _ := lr.Attributes().Get(semconv.EventDataKey)
					if n, ok := data.Map().Get("n"); ok {
						out = append(out, int(n.Int()))
					}
				}
			}
		}
	}
	return out
}

// count is the custom events from one number to another, as lines.
func count(from, to int) string {
	var b strings.Builder
	for n := from; n <= to; n++ {
		b.WriteString(line("custom", "r", n, fmt.Sprintf(`"n":%d`, n)) + "\n")
	}
	return b.String()
}

func upTo(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = i + 1
	}
	return out
}

func write(t testing.TB, file, text string) {
	t.Helper()
	f, err := os.OpenFile(file, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	require.NoError(t, err)
	_, err = f.WriteString(text)
	require.NoError(t, errors.Join(err, f.Close()))
}

func contents(t testing.TB, file string) string {
	t.Helper()
	raw, err := os.ReadFile(file)
	require.NoError(t, err)
	return string(raw)
}

// said is the records with all they say, as JSON, in order; batches do not matter.
func said(t testing.TB, logs *consumertest.LogsSink) []string {
	t.Helper()
	var out []string
	for _, ld := range logs.AllLogs() {
		for _, rl := range ld.ResourceLogs().All() {
			for _, lr := range rl.ScopeLogs().At(0).LogRecords().All() {
				attrs, err := json.Marshal(lr.Attributes().AsRaw())
				require.NoError(t, err)
				one := plog.NewLogs()
				to := one.ResourceLogs().AppendEmpty()
				rl.Resource().CopyTo(to.Resource())
				copied := to.ScopeLogs().AppendEmpty().LogRecords().AppendEmpty()
				lr.CopyTo(copied)
				copied.Attributes().Clear()
				raw, err := (&plog.JSONMarshaler{}).MarshalLogs(one)
				require.NoError(t, err)
				out = append(out, string(raw)+string(attrs))
			}
		}
	}
	slices.Sort(out)
	return out
}

// Whatever file, what is read from it is what comes when it is posted.
func TestFilesAreReadAsIfPosted(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(capturesDir, "formats", "*.jsonl"))
	require.NoError(t, err)
	require.Len(t, files, 5)
	captures, err := filepath.Glob(filepath.Join(capturesDir, "*.ndjson"))
	require.NoError(t, err)
	events := 0
	for _, file := range append(files, captures...) {
		if strings.Contains(file, "batch100") {
			continue // a hundred times the same
		}
		t.Run(filepath.Base(file), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				posted := newTestReceiver(t)
				posted.post(t, contents(t, file))
				read := newTestReceiver(t, reading(file))
				read.look()
				assert.Equal(t, said(t, posted.logsSink), said(t, read.logsSink))
				for _, r := range []*testReceiver{posted, read} {
					r.wait(t, 2*time.Second)
					r.wait(t, 6*time.Minute)
					r.wait(t, 20*time.Minute)
				}
				assert.Equal(t, posted.canonicalSpans(t), read.canonicalSpans(t))
				for _, metric := range []string{"otelcol_receiver_stageflow_rejected_events", "otelcol_receiver_stageflow_repaired_values"} {
					assert.Equal(t, sum(posted.telemetry, metric), sum(read.telemetry, metric), metric)
				}
				events += read.logsSink.LogRecordCount()
			})
		})
	}
	assert.Greater(t, events, 400)
}

// sum is a counter's value, 0 when nothing was counted.
func sum(telemetry *componenttest.Telemetry, name string) int64 {
	m, err := telemetry.GetMetric(name)
	if err != nil {
		return 0
	}
	return m.Data.(metricdata.Sum[int64]).DataPoints[0].Value
}

func TestFileThatGrows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "events.jsonl")
		r := newTestReceiver(t, reading(file))
		r.look()
		write(t, file, count(1, 250))
		r.look()
		assert.Equal(t, upTo(250), took(r.logsSink))
		write(t, file, "\n  \r\n"+count(251, 252))
		r.look()
		assert.Equal(t, upTo(252), took(r.logsSink))
		assert.Zero(t, r.log.FilterMessageSnippet("no events").Len(), "an empty line is nothing")
		metric, err := r.telemetry.GetMetric("otelcol_receiver_accepted_log_records")
		require.NoError(t, err)
		point := metric.Data.(metricdata.Sum[int64]).DataPoints[0]
		transport, _ := point.Attributes.Value("transport")
		assert.Equal(t, "file", transport.AsString())
		assert.EqualValues(t, 252, point.Value)
	})
}

// Somebody writes a line in parts, and takes minutes over it. The last line may lack its end, if it is whole.
func TestFileThatGrowsByHalfALine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "events.jsonl")
		r := newTestReceiver(t, reading(file))
		whole := count(2, 2)
		write(t, file, count(1, 1)+whole[:40])
		r.look()
		time.Sleep(5 * time.Minute)
		assert.Equal(t, upTo(1), took(r.logsSink))
		write(t, file, strings.TrimSpace(whole[40:]))
		r.look()
		assert.Equal(t, upTo(2), took(r.logsSink))
		write(t, file, "\n"+count(3, 3))
		r.look()
		assert.Equal(t, upTo(3), took(r.logsSink))
		assert.Zero(t, r.log.FilterMessageSnippet("no events").Len())
	})
}

func TestRotation(t *testing.T) {
	for name, rotate := range map[string]func(t *testing.T, file string){
		"renamed": func(t *testing.T, file string) {
			require.NoError(t, os.Rename(file, file+".1"))
		},
		"renamed and written on": func(t *testing.T, file string) {
			require.NoError(t, os.Rename(file, file+".1"))
			write(t, file+".1", count(4, 4))
		},
		"copied and truncated": func(t *testing.T, file string) {
			write(t, file+".1", contents(t, file))
			require.NoError(t, os.Truncate(file, 0))
		},
		"truncated": func(t *testing.T, file string) {
			require.NoError(t, os.Truncate(file, 0))
		},
		"compressed": func(t *testing.T, file string) {
			require.NoError(t, os.WriteFile(file+".1.gz", gzipped(t, contents(t, file)), 0o600))
			require.NoError(t, os.Remove(file))
		},
		"compressed with a line that nobody has read yet": func(t *testing.T, file string) {
			require.NoError(t, os.WriteFile(file+".1.gz", gzipped(t, contents(t, file)+count(4, 4)), 0o600))
			require.NoError(t, os.Remove(file))
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				file := filepath.Join(t.TempDir(), "events.jsonl")
				r := newTestReceiver(t, reading(file+"*"))
				write(t, file, count(1, 3))
				r.look()
				rotate(t, file)
				write(t, file, count(5, 8)) // at the same places in the file as the first three
				r.look()
				r.look()
				got := took(r.logsSink)
				slices.Sort(got)
				if slices.Contains(got, 4) {
					assert.Equal(t, upTo(8), got)
				} else {
					assert.Equal(t, []int{1, 2, 3, 5, 6, 7, 8}, got)
				}
				assert.Equal(t, strings.Contains(name, "written on") || strings.Contains(name, "nobody has read"), slices.Contains(got, 4))
				assert.Zero(t, r.log.FilterMessageSnippet("no events").Len())
			})
		})
	}
}

func TestCompressedFile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		directory := t.TempDir()
		r := newTestReceiver(t, reading(directory+"/*"))
		require.NoError(t, os.WriteFile(directory+"/events.jsonl.gz", gzipped(t, count(1, 249)+strings.TrimSpace(count(250, 250))), 0o600))
		r.look()
		r.look()
		assert.Equal(t, upTo(250), took(r.logsSink))
	})
}

// A clean restart goes on where it was: nothing is lost, nothing comes twice, and the journal is not in the way.
func TestFilesOutliveARestart(t *testing.T) {
	file, m := filepath.Join(t.TempDir(), "events.jsonl"), journaltest.New()
	write(t, file, count(1, 150))
	synctest.Test(t, func(t *testing.T) {
		r := newTestReceiver(t, stored(m), reading(file+"*"))
		r.look()
		assert.Equal(t, upTo(150), took(r.logsSink))
		assert.Zero(t, r.log.FilterMessageSnippet("in memory only").Len())
	})
	synctest.Test(t, func(t *testing.T) {
		require.NoError(t, os.Rename(file, file+".1"))
		write(t, file+".1", count(151, 160))
		write(t, file, count(161, 170))
		r := newTestReceiver(t, stored(m), reading(file+"*"))
		r.look()
		got := took(r.logsSink)
		slices.Sort(got)
		assert.Equal(t, upTo(170)[150:], got)
		assert.Zero(t, sum(r.telemetry, "otelcol_receiver_stageflow_duplicate_events"))
	})
}

// The storage that users have, and the offsets beside the journal in it.
func TestFilesOutliveARestartWithFileStorage(t *testing.T) {
	directory, files := t.TempDir(), t.TempDir()
	file := filepath.Join(files, "events.jsonl")
	write(t, file, count(1, 3))
	for round, want := range [][]int{{1, 2, 3}, {4}} {
		synctest.Test(t, func(t *testing.T) {
			r := newTestReceiver(t, inFiles(t, directory, 0), reading(file))
			r.look()
			assert.Equal(t, want, took(r.logsSink), "round %d", round)
		})
		write(t, file, count(4, 4))
	}
}

// A crash comes before the offsets are stored: the lines are read again, and the journal knows their events.
func TestFilesAfterACrash(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		file, m := filepath.Join(t.TempDir(), "events.jsonl"), journaltest.New()
		write(t, file, line("pipeline.started", "r", 1, "")+"\n"+line("stage.a.started", "r", 2, `"stage":"a"`)+"\n")
		r := newTestReceiver(t, stored(m), reading(file))
		r.look()
		write(t, file, line("stage.b.started", "r", 3, `"stage":"b"`)+"\n")
		r.look()
		left := m.Copy()
		left.Set("knownFiles", []byte("0\n"))
		write(t, file, line("stage.a.completed", "r", 4, `"stage":"a","status":"completed"`)+"\n"+line("pipeline.completed", "r", 5, ""))
		again := newTestReceiver(t, stored(left), reading(file))
		again.look()
		assert.Equal(t, 3, again.logsSink.LogRecordCount(), "of the last batch nobody knows whether it was passed on")
		assert.EqualValues(t, 2, sum(again.telemetry, "otelcol_receiver_stageflow_duplicate_events"))
		again.wait(t, time.Second)
		assert.Equal(t, []string{"invoke_workflow completed", "stage a completed", "stage b abandoned"}, names(again))
	})
}

// While the pipeline refuses, files wait; then all is there, once, in order. The status says so after a while.
func TestRefusedLinesWait(t *testing.T) {
	for name, refuse := range map[string]func(t *testing.T, r *testReceiver, logs *refuser) (relent func()){
		"by the pipeline": func(_ *testing.T, _ *testReceiver, logs *refuser) func() {
			logs.refuse(errors.New("queue is full"))
			return func() { logs.refuse(nil) }
		},
		"for too many runs": func(t *testing.T, r *testReceiver, _ *refuser) func() {
			r.post(t, line("pipeline.completed", "other", 1, ""))
			return func() { r.settler.sweep(t.Context(), false) }
		},
		"by the storage": func(_ *testing.T, r *testReceiver, _ *refuser) func() {
			m := r.extensions[*r.cfg.Storage].(*journaltest.Memory)
			m.Refuse(errors.New("a cable is out"))
			return func() { m.Refuse(nil) }
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				file, logs := filepath.Join(t.TempDir(), "events.jsonl"), &refuser{}
				r := newTestReceiver(t, stored(journaltest.New()), reading(file), timed, behind(logs), with(func(cfg *Config) { cfg.Runs.MaxActive = 1 }))
				relent := refuse(t, r, logs)
				logs.Reset()
				text := strings.ReplaceAll(count(1, 250), `"custom"`, `"stage.a.progress"`)
				write(t, file, text)
				time.Sleep(5 * time.Second)
				synctest.Wait()
				assert.Empty(t, r.Statuses(), "a hiccup is no news")
				time.Sleep(time.Minute)
				synctest.Wait()
				assert.Zero(t, logs.LogRecordCount())
				assert.Equal(t, []componentstatus.Status{componentstatus.StatusRecoverableError}, r.Statuses())
				warned := r.log.FilterMessageSnippet("events were refused").Len()
				assert.Greater(t, warned, 4)
				assert.Less(t, warned, 9, "not for every try")

				relent()
				time.Sleep(maxBackoff)
				r.look()
				assert.Equal(t, upTo(250), took(&logs.LogsSink))
				assert.Equal(t, []componentstatus.Status{componentstatus.StatusRecoverableError, componentstatus.StatusOK}, r.Statuses())
				assert.Zero(t, sum(r.telemetry, "otelcol_receiver_stageflow_duplicate_events"))
			})
		})
	}
}

// The receiver stops while the pipeline refuses: that must not take long, and the lines are there for the next one.
func TestRefusedLinesOutliveARestart(t *testing.T) {
	for name, put := range map[string]func(t *testing.T, directory string){
		"plain": func(t *testing.T, directory string) { write(t, directory+"/events.jsonl", count(1, 250)) },
		"compressed": func(t *testing.T, directory string) {
			require.NoError(t, os.WriteFile(directory+"/events.jsonl.gz", gzipped(t, count(1, 250)), 0o600))
		},
	} {
		t.Run(name, func(t *testing.T) {
			directory, m, logs := t.TempDir(), journaltest.New(), &refuser{}
			logs.refuse(errLater)
			put(t, directory)
			synctest.Test(t, func(t *testing.T) {
				newTestReceiver(t, stored(m), reading(directory+"/*"), behind(logs)).look()
			})
			assert.Zero(t, logs.LogRecordCount())
			synctest.Test(t, func(t *testing.T) {
				r := newTestReceiver(t, stored(m), reading(directory+"/*"))
				r.look()
				assert.Equal(t, upTo(250), took(r.logsSink))
			})
		})
	}
}

// What the pipeline is about to take when the receiver stops is taken, and not given up on the way.
func TestLinesUnderWayWhenTheReceiverStops(t *testing.T) {
	file, logs := filepath.Join(t.TempDir(), "events.jsonl"), &slowLogs{}
	write(t, file, count(1, 50))
	synctest.Test(t, func(t *testing.T) {
		newTestReceiver(t, reading(file), func(r *testReceiver) { r.logs = logs }).look()
	})
	assert.Equal(t, upTo(50), took(&logs.LogsSink))
}

// slowLogs is a logs pipeline that takes its time, and gives up when it is told to.
type slowLogs struct{ consumertest.LogsSink }

func (s *slowLogs) ConsumeLogs(ctx context.Context, ld plog.Logs) error {
	if !pause(ctx, time.Second) {
		return ctx.Err()
	}
	return s.LogsSink.ConsumeLogs(ctx, ld)
}

func TestLinesRefusedForGoodHoldNobodyUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		file, logs := filepath.Join(t.TempDir(), "events.jsonl"), &refuser{}
		logs.refuse(consumererror.NewPermanent(errors.New("no")))
		r := newTestReceiver(t, reading(file), behind(logs))
		write(t, file, count(1, 250))
		r.look()
		lost := r.log.FilterMessageSnippet("refused for good").All()
		require.Len(t, lost, 1, "one line in the log, not one for each batch")
		assert.Equal(t, file, lost[0].ContextMap()["file"])
		logs.refuse(nil)
		write(t, file, count(251, 252))
		r.look()
		assert.Equal(t, []int{251, 252}, took(&logs.LogsSink))
		assert.Empty(t, r.Statuses())
	})
}

// Lines that are no events are counted, the log names where the first is and why, and never shows any of it.
func TestLinesThatAreNoEvents(t *testing.T) {
	const secret = "hunter2"
	for name, tt := range map[string]struct {
		bad, reason string
		lines       int64
	}{
		"not JSON":        {`{"type":"x","data":{"password":"` + secret + `"`, "not JSON", 1},
		"not an event":    {`{"password":"` + secret + `"}`, `an event has a string "type" (or "event_type")`, 1},
		"not an object":   {`["` + secret + `",17]`, "an event is a JSON object", 2},
		"binary garbage":  {"\x00\xff\xfe" + secret + "\x1b{\n\x80\x81[[\"", "not JSON", 2},
		"too long":        {`{"type":"x","data":{"password":"` + strings.Repeat(secret, 1<<16) + `"}}`, "the line is longer than 2000 bytes (files::max_log_size)", 1},
		"far too long":    {strings.Repeat(secret, 1<<20), "the line is longer than 2000 bytes (files::max_log_size)", 1},
		"compressed":      {"\x1f\x8b\x08\x00\x00\x00\x00" + secret, "not JSON", 1},
		"UTF-16":          {"{\x00\"\x00t\x00y\x00p\x00e\x00\"\x00:\x00", "not JSON", 1},
		"a logger's line": {`{"level":"INFO","message":"` + secret + `"}`, `an event has a string "type" (or "event_type")`, 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				file := filepath.Join(t.TempDir(), "events.jsonl")
				r := newTestReceiver(t, reading(file, func(cfg *fileconsumer.Config) { cfg.MaxLogSize, cfg.Compression = 2000, "" }))
				before := count(1, 1)
				write(t, file, before+tt.bad+"\n"+count(2, 3))
				r.look()
				assert.Equal(t, upTo(3), took(r.logsSink))
				said := r.log.FilterMessageSnippet("no events").All()
				require.Len(t, said, 1)
				assert.Equal(t, map[string]any{"file": file, "offset": int64(len(before)), "reason": tt.reason, "lines": tt.lines}, said[0].ContextMap())
				for _, entry := range r.log.All() {
					assert.NotContains(t, fmt.Sprint(entry.Message, entry.ContextMap()), secret)
				}
				metadatatest.AssertEqualReceiverStageflowRejectedEvents(t, r.telemetry, []metricdata.DataPoint[int64]{{Value: tt.lines}}, metricdatatest.IgnoreTimestamp(), metricdatatest.IgnoreExemplars())
			})
		})
	}
}

// A million lines that are no events do not fill the log.
func TestTheLogIsNotFilled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "events.jsonl")
		r := newTestReceiver(t, reading(file), timed)
		write(t, file, strings.Repeat("x\n", 10_000))
		r.look()
		assert.Len(t, r.log.FilterMessageSnippet("no events").All(), 1)
		time.Sleep(complainEvery)
		write(t, file, "x\n")
		r.look()
		said := r.log.FilterMessageSnippet("no events").All()
		require.Len(t, said, 2)
		assert.EqualValues(t, 9_901, said[1].ContextMap()["lines"], "those that were not said are counted")
	})
}

// Several files at once, one of which is a copy of another: each event once.
func TestManyFiles(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		directory := t.TempDir()
		r := newTestReceiver(t, reading(directory+"/**/*.jsonl"))
		require.NoError(t, os.Mkdir(directory+"/sub", 0o700))
		for i := range 20 {
			write(t, fmt.Sprintf("%s/%d.jsonl", directory, i), count(i*10+1, i*10+10))
			write(t, fmt.Sprintf("%s/sub/%d.jsonl", directory, i), count(i*10+1, i*10+10))
		}
		for range 60 { // of two files that begin the same, the reader reads one at a look
			r.look()
		}
		time.Sleep(maxBackoff)
		got := took(r.logsSink)
		slices.Sort(got)
		assert.Equal(t, upTo(200), got)
	})
}

func TestFilesWithoutAStorageSaySo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newTestReceiver(t, reading(t.TempDir()+"/*"))
		warned := r.log.FilterMessageSnippet("how far files have been read is kept in memory only").All()
		require.Len(t, warned, 1)
		assert.Equal(t, "beginning", warned[0].ContextMap()["start_at"])
	})
}

func TestFilesNeedTheirStorage(t *testing.T) {
	c, err := newCore(createDefaultConfig().(*Config), metadatatest.NewSettings(componenttest.NewTelemetry()))
	require.NoError(t, err)
	host := &testReceiver{core: c}
	stored(journaltest.New())(host)
	reading("/nowhere/*")(host)
	host.extensions = nil
	assert.ErrorContains(t, c.Start(t.Context(), host), `storage is "memory": there is no such extension`)
	require.NoError(t, c.Shutdown(t.Context()))
}

func TestOffsetsThatCannotBeRead(t *testing.T) {
	c, err := newCore(createDefaultConfig().(*Config), metadatatest.NewSettings(componenttest.NewTelemetry()))
	require.NoError(t, err)
	host, m := &testReceiver{core: c}, journaltest.New()
	m.Set("knownFiles", []byte("nonsense"))
	stored(m)(host)
	reading("/nowhere/*")(host)
	assert.ErrorContains(t, c.Start(t.Context(), host), "files: read known files from database")
	require.NoError(t, c.Shutdown(t.Context()))
}

func TestWholeJSON(t *testing.T) {
	for text, want := range map[string]bool{
		`{}`: true, `[]`: true, ` {"a":[1,{"b":"}\"]"}]} ` + "\r": true, `{"a":NaN}`: true, `{"a":"\\"}`: true,
		``: false, ` `: false, `17`: false, `"{}"`: false, `{`: false, `{"a":"}`: false, `{"a":"\`: false, `{"a":{}`: false,
		`{}{`: false, `{} x`: false, `{"a":"\"}`: false, `]`: false,
	} {
		assert.Equal(t, want, wholeJSON([]byte(text)), text)
	}
	// No beginning of a line of any capture is whole.
	files, err := filepath.Glob(filepath.Join(capturesDir, "formats", "*.jsonl"))
	require.NoError(t, err)
	for _, file := range files {
		for l := range strings.Lines(contents(t, file)) {
			l = strings.TrimSpace(l)
			assert.True(t, wholeJSON([]byte(l)))
			for i := range l {
				assert.False(t, wholeJSON([]byte(l[:i])))
			}
		}
	}
}
