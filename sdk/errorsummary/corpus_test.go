// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package errorsummary

import (
	"cmp"
	"encoding/csv"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
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

// corpora are real error texts, as found, and others of the same kinds.
var corpora = []string{"error_samples.csv", "field_samples.csv", "more_samples.csv"}

func samples(t testing.TB, file string) []sample {
	f, err := os.Open("testdata/" + file)
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
	for _, s := range samples(t, corpora[0]) {
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

// Every row: code and flag. With -v the confusion table, which has no row off the diagonal.
func TestCorpora(t *testing.T) {
	for _, file := range corpora {
		t.Run(file, func(t *testing.T) {
			confusion := map[[2]string]int{}
			for _, s := range samples(t, file) {
				got := Classify(s.in)
				confusion[[2]string{s.code, got.Code}]++
				assert.Equal(t, s.code, got.Code, "%s by %s: %q", s.id, got.Rule, s.in.Message)
				assert.Equal(t, s.retry, got.Retryable, "%s by %s: %q", s.id, got.Rule, s.in.Message)
			}
			t.Log(confusionTable(confusion))
		})
	}
}

// confusionTable has a line for every pair of expected and given code that occurs.
func confusionTable(confusion map[[2]string]int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "\n%-26s%-26s%s\n", "expected", "given", "rows")
	right, all := 0, 0
	for _, pair := range slices.SortedFunc(maps.Keys(confusion), func(x, y [2]string) int {
		return cmp.Or(cmp.Compare(x[0], y[0]), cmp.Compare(x[1], y[1]))
	}) {
		n, mark := confusion[pair], ""
		all += n
		if pair[0] == pair[1] {
			right += n
		} else {
			mark = " <- wrong"
		}
		fmt.Fprintf(&b, "%-26s%-26s%4d%s\n", pair[0], pair[1], n, mark)
	}
	fmt.Fprintf(&b, "%d of %d", right, all)
	return b.String()
}
