// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package errorsummary

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestRulesAreWellFormed(t *testing.T) {
	seen := map[string]bool{}
	matches := map[string]string{}
	for i, r := range compiled().rules {
		if r.look != "http" && r.look != "grpc" { // each status has a row, and they share a name
			assert.False(t, seen[r.name], "%s twice", r.name)
		}
		seen[r.name] = true
		assert.Regexp(t, "^[a-z][a-z_]+$", r.name, i)
		assert.NotEmpty(t, r.why, r.name)
		assert.True(t, r.source == "" || strings.HasPrefix(r.source, "https://"), r.name)
		assert.Equal(t, r.block != "status", Known(r.code), r.name)
		assert.NotContains(t, []string{CodeUnknown, CodeAbandoned}, r.code, r.name)
		for _, m := range r.matches {
			assert.Equal(t, strings.ToLower(m), m, r.name)
			assert.Less(t, len(m), 100, r.name)
			for _, c := range []byte(m) {
				assert.True(t, ' ' <= c && c <= '~', "%s: %q", r.name, m)
			}
			for part := range strings.SplitSeq(strings.TrimPrefix(m, "*"), "*") {
				assert.NotEmpty(t, strings.Trim(part, "^$<> "), "%s: %q", r.name, m)
			}
			key := r.look + " " + strings.Map(func(c rune) rune { return rune(fold(byte(c))) }, m)
			assert.Empty(t, matches[key], "%q stands in %s and %s: the second never decides", m, r.name, matches[key])
			matches[key] = r.name
		}
	}
	assert.Equal(t, "timeout_type", compiled().rules[0].name)
	assert.Equal(t, []string{"circuit breaker"}, compiled().rules[2].matches)
}

// A rule that no sample meets is a guess.
func TestEveryRuleIsMetByASample(t *testing.T) {
	met := map[string]bool{}
	for _, file := range corpora {
		for _, s := range samples(t, file) {
			met[Classify(s.in).Rule] = true
		}
	}
	for _, r := range compiled().rules {
		switch r.look {
		case "says", "http after", "grpc after": // FromError; a row of another block then decides
		default:
			assert.True(t, met[r.name], r.name)
		}
	}
}

func TestEveryStatusHasARule(t *testing.T) {
	for status := 400; status < 600; status++ {
		got := Classify(Input{HTTPStatus: status})
		assert.NotEqual(t, CodeUnknown, got.Code, status)
		if phrase := http.StatusText(status); phrase != "" {
			assert.NotEqual(t, CodeUnknown, Classify(Input{Message: phrase}).Code, phrase)
			assert.Equal(t, got.Code, Classify(Input{Message: fmt.Sprint(status, " ", phrase)}).Code, phrase)
		}
	}
	for status := 1; status <= 16; status++ {
		assert.Equal(t, status == 2, Classify(Input{GRPCStatus: status}).Code == CodeUnknown, status)
	}
}

func TestMistakesInTheTableAreFound(t *testing.T) {
	head := strings.Join(columns, ",") + "\n"
	for name, text := range map[string]string{
		"columns":           "name,code\n",
		"too few cells":     head + "a,type\n",
		"a block":           head + "a,middle,text,x,TIMEOUT,,why,\n",
		"look and block":    head + "a,http,text,x,TIMEOUT,,why,\n",
		"empty alternative": head + "a,generic,text,x||y,TIMEOUT,,why,\n",
		"a flag":            head + "a,generic,text,x,TIMEOUT,maybe,why,\n",
		"HTTP status":       head + "a,http,http,4x4,TIMEOUT,,why,\n",
		"HTTP range":        head + "a,http,http,500-600,TIMEOUT,,why,\n",
		"gRPC status":       head + "a,grpc,grpc,nonsense,TIMEOUT,,why,\n",
	} {
		_, err := compile(text)
		assert.Error(t, err, name)
	}
	_, err := compile(head)
	assert.NoError(t, err)
}

// The little language of the column match.
func TestPatterns(t *testing.T) {
	for _, tt := range []struct {
		pattern string
		yes, no []string
	}{
		{"rate limit", []string{"Rate limited", "RATE_LIMIT", "the rate-limit"}, []string{"ratelimit", "rate  limit", "rate"}},
		{"<oom>", []string{"OOM", "it was oom, again"}, []string{"zoom", "oomph"}},
		{"^abc", []string{"abcd"}, []string{" abc"}},
		{"abc$", []string{"xabc", "abc.", "abc \n"}, []string{"abcd", "abc. d"}},
		{"a1 * b2 * c3", []string{"a1 b2 c3", "xa1xb2xc3", "a1 c3 b2 a1 c3", "b2 a1 b2 c3"}, []string{"a1 c3 b2", "a1\nb2 c3", "b2 c3"}},
		{"aba * bab", []string{"aba bab"}, []string{"abab", "ababa"}},
		{"model * <not found", []string{"model x not found"}, []string{"model knot found"}},
	} {
		var b builder
		b.add(tt.pattern, found{rank: rankGeneric})
		a := b.build()
		fits := func(text string) bool {
			var f findings
			(&scanner{progress: make([]progress, 1)}).scan(a, text, false, &f)
			return f.best[rankGeneric].rule != 0
		}
		for _, text := range tt.yes {
			require.True(t, fits(text), "%q in %q", tt.pattern, text)
		}
		for _, text := range tt.no {
			require.False(t, fits(text), "%q in %q", tt.pattern, text)
		}
	}
}
