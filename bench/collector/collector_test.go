// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/plog/plogotlp"
)

const captured = "../../testdata/captures/protocol_calls__run_and_provider_logger.ndjson"

func streams(t *testing.T, connections, runs int) []stream {
	t.Helper()
	run, err := readRun(captured)
	require.NoError(t, err)
	return newStreams(run, connections, runs, 1)
}

// Each event is sent once: a copy would be dropped, and cost nothing.
func TestNoTwoEventsAreAlike(t *testing.T) {
	known := map[string]bool{}
	for _, s := range streams(t, 3, 50) {
		assert.Len(t, s, 50*eventsPerRun)
		for _, line := range s {
			assert.False(t, known[string(line)], "%s", line)
			known[string(line)] = true
		}
	}
	assert.Len(t, known, 3*50*eventsPerRun)
}

// Every contestant is sent the same events.
func TestEncodings(t *testing.T) {
	all := streams(t, 2, 5)
	for name, encode := range map[string]encoding{
		"lines": jsonLines, "proto": textProto, "text": textJSON, "attributes": attributesJSON,
	} {
		t.Run(name, func(t *testing.T) {
			sent, err := requests(all, 7, encode)
			require.NoError(t, err)
			assert.Equal(t, 2*5*eventsPerRun, eventsOf(sent))
			assert.Len(t, sent[0], 5)
			assert.Equal(t, 7, recordsIn(t, name, sent[0][0].body))
			assert.Equal(t, 2, recordsIn(t, name, sent[0][4].body))
		})
	}
}

func recordsIn(t *testing.T, name string, body []byte) int {
	t.Helper()
	if name == "lines" {
		return bytes.Count(body, []byte("\n")) + 1
	}
	r := plogotlp.NewExportRequest()
	if name == "proto" {
		require.NoError(t, r.UnmarshalProto(body))
	} else {
		require.NoError(t, r.UnmarshalJSON(body))
	}
	return r.Logs().LogRecordCount()
}

// All contestants start, take what they are sent, and say that they did.
func TestCompare(t *testing.T) {
	o := options{
		ours: "../../bin/otelcol-stageflow", stock: "../../bin/otelcol-stock", capture: captured,
		connections: 2, events: 1200, rounds: 1, batches: "100",
	}
	for _, binary := range []string{o.ours, o.stock} {
		if _, err := os.Stat(binary); err != nil {
			t.Skip(err, ": make bench builds it")
		}
	}
	var out strings.Builder
	require.NoError(t, compare(t.Context(), &o, &out))
	for _, c := range contestants {
		assert.Contains(t, out.String(), "| "+c.name+" | ")
	}
}
