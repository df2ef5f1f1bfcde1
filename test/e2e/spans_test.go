// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/stageflow/otelcol-stageflow/internal/captures"
	"github.com/stageflow/otelcol-stageflow/internal/spantree"
)

// toFiles writes what leaves the pipelines as OTLP JSON, beside the run log.
const toFiles = quick + `
exporters:
  file/spans: {path: %q}
  file/records: {path: %q}
service:
  pipelines:
    traces: {exporters: [runlog, file/spans]}
    logs: {exporters: [runlog, file/records]}
`

// Every captured stream leaves the collector as the trees that its truth tells, at its times, with every field.
func TestCapturesAreTrees(t *testing.T) {
	all, err := captures.Load(capturesDir)
	require.NoError(t, err)
	dir := t.TempDir()
	spans, records := filepath.Join(dir, "spans.json"), filepath.Join(dir, "records.json")
	c := start(t, dir, fmt.Sprintf(toFiles, spans, records))
	for _, capture := range all {
		postAll(t, c, capture)
	}
	settled(t, c)
	require.NoError(t, c.Stop())

	forest := spantree.New(t, linesOf(t, spans, (&ptrace.JSONUnmarshaler{}).UnmarshalTraces), linesOf(t, records, (&plog.JSONUnmarshaler{}).UnmarshalLogs))
	forest.CheckTrees(t)
	var account spantree.Account
	for _, capture := range all {
		forest.CheckTimes(t, capture)
		account.Check(t, forest, capture)
	}
	forest.CheckNothingElse(t)
	account.Close(t)
}

// linesOf reads a file of the file exporter.
func linesOf[T any](t *testing.T, path string, read func([]byte) (T, error)) []T {
	t.Helper()
	file, err := os.Open(path)
	require.NoError(t, err)
	defer file.Close()
	var out []T
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 64<<20)
	for lines.Scan() {
		one, err := read(lines.Bytes())
		require.NoError(t, err)
		out = append(out, one)
	}
	require.NoError(t, lines.Err())
	return out
}
