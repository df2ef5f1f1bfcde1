// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package errorsummary

import (
	"encoding/csv"
	"os"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

type sample struct {
	id                 string
	in                 Input
	code, upstreamCode string
	retry, upstream    bool
}

// samples reads the corpus of real error texts.
func samples(t *testing.T) []sample {
	f, err := os.Open("testdata/error_samples.csv")
	require.NoError(t, err)
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	require.NoError(t, err)
	column := map[string]int{}
	for i, name := range rows[0] {
		column[name] = i
	}
	var out []sample
	for _, row := range rows[1:] {
		cell := func(name string) string { return row[column[name]] }
		number := func(name string) int {
			if cell(name) == "" {
				return 0
			}
			n, err := strconv.Atoi(cell(name))
			require.NoError(t, err, cell("id"))
			return n
		}
		out = append(out, sample{
			id: cell("id"),
			in: Input{
				Type: cell("exception_type"), Message: cell("message"),
				HTTPStatus: number("http_status"), GRPCStatus: number("rpc_grpc_status"),
			},
			code: cell("expected_code"), retry: cell("expected_retryable") == "true",
			upstreamCode: cell("upstream_code"), upstream: cell("upstream_retryable") == "true",
		})
	}
	return out
}

// What the Python library calls TIMEOUT or CIRCUIT_OPEN is so here.
func TestCorpusNeverContradictsThePythonLibrary(t *testing.T) {
	met := 0
	for _, s := range samples(t) {
		if s.upstreamCode == CodeUnknown {
			continue
		}
		met++
		got := Classify(s.in)
		assert.Equal(t, s.upstreamCode, got.Code, s.id)
		assert.Equal(t, s.upstream, got.Retryable, s.id)
	}
	assert.NotZero(t, met)
}

// outranked lists the rows whose status says less than the provider's own code or text in the message. The
// table has no rows for those yet; a row that is met goes from this list.
var outranked = map[string]bool{
	"E054": true, "E071": true, "E086": true, "E089": true, "E106": true, "E110": true, "E111": true, "E115": true,
	"E122": true, "E131": true, "E152": true, "E153": true, "E154": true, "E187": true, "E192": true, "E195": true,
	"E242": true, "E251": true,
}

func TestCorpusRowsWithAStatus(t *testing.T) {
	for _, s := range samples(t) {
		if s.in.HTTPStatus < 400 && s.in.GRPCStatus <= 0 {
			continue
		}
		got := Classify(s.in)
		if outranked[s.id] {
			assert.NotEqual(t, s.code, got.Code, "%s is met now: take it off the list", s.id)
			continue
		}
		assert.Equal(t, s.code, got.Code, "%s %q", s.id, s.in.Message)
		assert.Equal(t, s.retry, got.Retryable, s.id)
	}
}

// The share of the whole corpus that the table gets right may only grow.
func TestCorpusOverall(t *testing.T) {
	const atLeast = 76
	met, all := 0, samples(t)
	for _, s := range all {
		if got := Classify(s.in); got.Code == s.code && got.Retryable == s.retry {
			met++
		}
	}
	t.Logf("%d of %d", met, len(all))
	assert.GreaterOrEqual(t, met, atLeast)
}
