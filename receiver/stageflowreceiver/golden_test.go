// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package stageflowreceiver

import (
	"cmp"
	"crypto/sha256"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/golden"
	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/pdatatest/plogtest"
	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/pdatatest/ptracetest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/stageflow/otelcol-stageflow/internal/captures"
	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

const (
	goldenDir = "testdata/golden"
	// maxGolden bounds all golden files together, in bytes: they are there to be read. The hundred runs of
	// batch100__unified_wide are a third of them.
	maxGolden = 2_200_000
	// updateGolden is the environment variable that has the golden files written instead of read, when it is "1".
	updateGolden = "UPDATE_GOLDEN"
)

// goldenLogs are the captures whose log records have a golden file, too; every capture has its traces. The rule: they are few, and together they
// hold every kind of event (EventName) that a capture with golden files holds. Log records are mostly the capture
// over again, so more would repeat what completeness_test.go checks for every line.
var goldenLogs = []string{
	"conditional_skip__unified_default",
	"context_truncation",
	"guard_bypass_by_breaker__unified_wide",
	"guard_fail_open__unified_wide",
	"guard_retry_exhausted__unified_wide",
	"hostile_payloads",
	"no_ids__unified_wide",
	"protocol_calls__run_and_provider_logger",
	"retry_exhausted__positional_sink",
	"retry_success__positional_sink",
	"simple_success__legacy_wide",
	"stage_exception__unified_wide",
	"streaming_raw_emitter",
	"subpipeline_child_failed__tool_executor",
	"tools_lifecycle",
}

// Every capture gives the traces, and the chosen ones the log records, that their golden files show.
func TestGolden(t *testing.T) {
	update := os.Getenv(updateGolden) == "1"
	for _, c := range loadCaptures(t) {
		t.Run(c.Name, func(t *testing.T) {
			r := settledCapture(t, c)
			traces, logs := r.mergedTraces(), r.mergedLogs()
			dir := filepath.Join(goldenDir, c.Name)
			tracesFile, logsFile := filepath.Join(dir, "traces.yaml"), filepath.Join(dir, "logs.yaml")
			withLogs := slices.Contains(goldenLogs, c.Name)
			if update {
				require.NoError(t, os.MkdirAll(dir, 0o755))
				require.NoError(t, golden.WriteTracesToFile(tracesFile, traces))
				if withLogs {
					require.NoError(t, golden.WriteLogsToFile(logsFile, logs))
				}
			}
			want, err := golden.ReadTraces(tracesFile)
			require.NoError(t, err, "regenerate with %s=1", updateGolden)
			// Both sides have one fixed order, so no order is ignored.
			require.NoError(t, ptracetest.CompareTraces(want, traces))
			if withLogs {
				want, err := golden.ReadLogs(logsFile)
				require.NoError(t, err, "regenerate with %s=1", updateGolden)
				require.NoError(t, plogtest.CompareLogs(want, logs))
				assert.Equal(t, eventNames(want), eventNames(logs))
			}
		})
	}
}

// The golden files are those that the tables tell and no more, small enough to be read, and the chosen logs hold
// every kind of event.
func TestGoldenFilesAreComplete(t *testing.T) {
	var wanted []string
	kinds, chosen := map[string]string{}, map[string]bool{}
	for _, c := range loadCaptures(t) {
		wanted = append(wanted, filepath.Join(goldenDir, c.Name, "traces.yaml"))
		withLogs := slices.Contains(goldenLogs, c.Name)
		if withLogs {
			wanted = append(wanted, filepath.Join(goldenDir, c.Name, "logs.yaml"))
		}
		for _, kind := range eventNames(settledCapture(t, c).mergedLogs()) {
			kinds[kind] = c.Name
			chosen[kind] = chosen[kind] || withLogs
		}
	}
	for _, kind := range slices.Sorted(maps.Keys(kinds)) {
		assert.True(t, chosen[kind], "no golden logs hold %s; %s has it", kind, kinds[kind])
	}

	files, err := filepath.Glob(filepath.Join(goldenDir, "*", "*"))
	require.NoError(t, err)
	slices.Sort(wanted)
	assert.Equal(t, wanted, files)
	var size int64
	for _, file := range files {
		info, err := os.Stat(file)
		require.NoError(t, err)
		size += info.Size()
	}
	assert.LessOrEqual(t, size, int64(maxGolden))
}

func loadCaptures(t *testing.T) []captures.Capture {
	t.Helper()
	all, err := captures.Load(capturesDir)
	require.NoError(t, err)
	return all
}

// settledCapture is a receiver that took a capture in one request and waited until all its runs were over.
func settledCapture(t *testing.T, c captures.Capture) *testReceiver {
	t.Helper()
	r := newTestReceiver(t)
	w := r.post(t, string(c.Body))
	require.Equal(t, http.StatusOK, w.Code, w.Body)
	require.Contains(t, w.Body.String(), `"rejected":[]`)
	r.wait(t, 2*time.Second)
	r.wait(t, 6*time.Minute)
	r.wait(t, 20*time.Minute)
	require.Zero(t, r.intake.assembler.Active())
	return r
}

// mergedTraces are all spans that left, in one fixed order: resources by service, spans by start, name and id,
// attributes by key.
func (r *testReceiver) mergedTraces() ptrace.Traces {
	out := ptrace.NewTraces()
	byService := map[string]ptrace.SpanSlice{}
	for _, td := range r.tracesSink.AllTraces() {
		for _, rs := range td.ResourceSpans().All() {
			service := serviceName(rs.Resource())
			spans, ok := byService[service]
			if !ok {
				to := out.ResourceSpans().AppendEmpty()
				rs.Resource().CopyTo(to.Resource())
				ss := to.ScopeSpans().AppendEmpty()
				rs.ScopeSpans().At(0).Scope().CopyTo(ss.Scope())
				spans = ss.Spans()
				byService[service] = spans
			}
			for _, span := range rs.ScopeSpans().At(0).Spans().All() {
				copied := spans.AppendEmpty()
				span.CopyTo(copied)
				sortAttributes(copied.Attributes())
				copied.Status().SetMessage(readable(copied.Status().Message()))
			}
		}
	}
	out.ResourceSpans().Sort(func(a, b ptrace.ResourceSpans) bool { return serviceName(a.Resource()) < serviceName(b.Resource()) })
	for _, spans := range byService {
		spans.Sort(func(a, b ptrace.Span) bool {
			return cmp.Or(cmp.Compare(a.StartTimestamp(), b.StartTimestamp()), strings.Compare(a.Name(), b.Name()),
				strings.Compare(a.SpanID().String(), b.SpanID().String())) < 0
		})
	}
	return out
}

// mergedLogs are all records that left: resources by service, records as they came, attributes by key.
func (r *testReceiver) mergedLogs() plog.Logs {
	out := plog.NewLogs()
	byService := map[string]plog.LogRecordSlice{}
	for _, ld := range r.logsSink.AllLogs() {
		for _, rl := range ld.ResourceLogs().All() {
			service := serviceName(rl.Resource())
			records, ok := byService[service]
			if !ok {
				to := out.ResourceLogs().AppendEmpty()
				rl.Resource().CopyTo(to.Resource())
				sl := to.ScopeLogs().AppendEmpty()
				rl.ScopeLogs().At(0).Scope().CopyTo(sl.Scope())
				records = sl.LogRecords()
				byService[service] = records
			}
			for _, lr := range rl.ScopeLogs().At(0).LogRecords().All() {
				copied := records.AppendEmpty()
				lr.CopyTo(copied)
				sortAttributes(copied.Attributes())
			}
		}
	}
	out.ResourceLogs().Sort(func(a, b plog.ResourceLogs) bool { return serviceName(a.Resource()) < serviceName(b.Resource()) })
	return out
}

func serviceName(resource pcommon.Resource) string {
	v, ok := resource.Attributes().Get(semconv.ServiceNameKey)
	if !ok {
		return ""
	}
	return v.AsString()
}

func sortAttributes(attrs pcommon.Map) {
	sorted := pcommon.NewMap()
	sorted.EnsureCapacity(attrs.Len())
	raw := map[string]pcommon.Value{}
	for key, v := range attrs.All() {
		raw[key] = v
	}
	for _, key := range slices.Sorted(maps.Keys(raw)) {
		makeReadable(sorted.PutEmpty(key), raw[key])
	}
	sorted.MoveTo(attrs)
}

const (
	// maxText and maxKeys are the longest text and the largest map that a golden file shows in full.
	maxText = 1000
	maxKeys = 100
)

// makeReadable copies a value; of texts and maps that nobody would read a digest stands for the rest.
func makeReadable(dst, src pcommon.Value) {
	switch src.Type() {
	case pcommon.ValueTypeStr:
		dst.SetStr(readable(src.Str()))
	case pcommon.ValueTypeMap:
		if src.Map().Len() > maxKeys {
			dst.SetStr(fmt.Sprintf("%d keys: %s", src.Map().Len(), readable(src.AsString())))
			return
		}
		to := dst.SetEmptyMap()
		for key, v := range src.Map().All() {
			makeReadable(to.PutEmpty(key), v)
		}
	case pcommon.ValueTypeSlice:
		to := dst.SetEmptySlice()
		for _, v := range src.Slice().All() {
			makeReadable(to.AppendEmpty(), v)
		}
	default:
		src.CopyTo(dst)
	}
}

func readable(s string) string {
	if len(s) <= maxText {
		return s
	}
	return fmt.Sprintf("%s… (%d bytes, sha256 %x)", strings.ToValidUTF8(s[:maxText/10], ""), len(s), sha256.Sum256([]byte(s)))
}

// eventNames are the kinds of the records in their order.
func eventNames(ld plog.Logs) []string {
	var out []string
	for _, rl := range ld.ResourceLogs().All() {
		for _, lr := range rl.ScopeLogs().At(0).LogRecords().All() {
			out = append(out, lr.EventName())
		}
	}
	return out
}
