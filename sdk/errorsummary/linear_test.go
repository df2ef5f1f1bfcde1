// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package errorsummary

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

// steps counts the bytes that a classification looks at.
func steps(in Input) int {
	s := scanners.Get().(*scanner)
	defer scanners.Put(s)
	s.steps = 0
	s.decide(in, evidence{})
	return s.steps
}

// adversaries are what messages could be made of to make them slow.
func adversaries() map[string]string {
	var every strings.Builder
	for _, r := range compiled().rules {
		for _, m := range r.matches {
			every.WriteString(strings.Trim(strings.ReplaceAll(m, "*", " "), "^$<>") + " ")
		}
	}
	return map[string]string{
		"letters": "a", "quotes": "'", "colons": ": ", "lines": "\n", "causes": "Caused by: ", "cause lines": "\nCaused by: x\n",
		"all joints": strings.Join(joints[:], ""), "wrappers": "Stage x failed: ", "suppressed": "\tSuppressed: x\n",
		"frames": "\n\tat a.b(c)", "tracebacks": pythonHeader + "\nA: x\n\n", "directs": pythonDirect, "groups": pythonGroup,
		"java": java, "node": node, "dotnet": dotnet, "rust": rust, "every literal": every.String(), "bytes": "\xe2\x84\xaa\xff",
		"gaps": "model ", "braces": "{", "rpc": "rpc error: code = ", "types": "A.", "digits": "429 ",
		"circuits": "circuit ", "nearly": "circuit breake", "nearly Kelvin": "circuit brea" + kelvin, "r": "r",
		"passwords": "password=", "bearers": "Bearer ", "keys": "sk-proj-", "addresses": "a@", "userinfo": "http://a:b",
		"private keys": "-----BEGIN PRIVATE KEY-----", "tokens": "eyJ.", "spaces": " ", "NUL": "\x00",
	}
}

func repeat(piece string, size int) string { return strings.Repeat(piece, size/len(piece)+1)[:size] }

// However a message is made, no byte of it is looked at more than a few times, and of a long one most bytes are not
// judged at all. The counter stands beside the loops; what one byte costs is bounded by the table, not by the text.
func TestTimeIsLinear(t *testing.T) {
	for name, piece := range adversaries() {
		assert.LessOrEqual(t, steps(Input{Message: repeat(piece, 1_000_000)}), 80*steps(Input{Message: repeat(piece, 10_000)}), name)
		for _, size := range []int{10_000, 1_000_000} {
			text := strings.Repeat(piece, size/len(piece)+1)
			assert.LessOrEqual(t, steps(Input{Type: "*x.y", Message: text}), 5*len(text)+100, name)
			assert.LessOrEqual(t, steps(Input{Message: "x", Stack: text}), 5*len(text)+100, name)
			assert.LessOrEqual(t, steps(Input{Type: text}), 5*len(text)+100, name)
		}
	}
}

// BenchmarkAdversaries tells how many times the 10 kB of a message its 1 MB cost, masking included.
func BenchmarkAdversaries(b *testing.B) {
	for name, piece := range adversaries() {
		b.Run(name, func(b *testing.B) {
			var took [2]time.Duration
			texts := [2]string{repeat(piece, 10_000), repeat(piece, 1_000_000)}
			const short = 20 // of the short one for each long one
			n := 0
			for b.Loop() {
				begin := time.Now()
				for range short {
					Classify(Input{Message: texts[0]})
				}
				took[0] += time.Since(begin)
				begin = time.Now()
				Classify(Input{Message: texts[1]})
				took[1] += time.Since(begin)
				n++
			}
			b.ReportMetric(float64(took[0].Nanoseconds())/float64(n*short), "10kB-ns")
			b.ReportMetric(float64(took[1].Nanoseconds())/float64(n), "1MB-ns")
			b.ReportMetric(short*took[1].Seconds()/took[0].Seconds(), "times")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// How many patterns one byte can complete is the other half of the proof.
func TestOneByteCompletesFewPatterns(t *testing.T) {
	for _, a := range []*automaton{compiled().texts, compiled().types} {
		for state := range len(a.ends) - 1 {
			parts := 0
			for _, n := range a.literals[a.ends[state]:a.ends[state+1]] {
				parts += len(a.partsOf[n])
			}
			assert.Less(t, parts, 40)
		}
	}
}
