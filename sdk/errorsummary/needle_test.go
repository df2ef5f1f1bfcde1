// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package errorsummary

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"pgregory.net/rapid"
)

func TestNeedleFindsWhatContainsFinds(t *testing.T) {
	n := newNeedle("ab akc", 0)
	rapid.Check(t, func(t *rapid.T) {
		text := strings.Join(rapid.SliceOfN(rapid.SampledFrom(
			[]string{"ab a", "kc", "a", "B", "\n", " ", "_", "-", "K", "c", kelvin, "AB_A" + kelvin}), 0, 12).Draw(t, "pieces"), "")
		found, steps := n.in(text)
		plain := strings.NewReplacer("_", " ", "-", " ", kelvin, "k").Replace(strings.ToLower(text))
		assert.Equal(t, strings.Contains(plain, "ab akc"), found, "%q", text)
		assert.LessOrEqual(t, steps, 5*len(text))
	})
}

// What a long text says is judged at its two ends, and the Python library's two words are found anywhere.
func TestLongTextsAreJudgedAtTheirEnds(t *testing.T) {
	dump := strings.Repeat("0123456789abcde\n", 1_000_000/16)
	for name, c := range map[string]struct {
		in   Input
		want string
	}{
		"at the beginning":      {Input{Message: "Connection refused " + dump}, CodeNetworkError},
		"at the end":            {Input{Message: dump + "Connection refused"}, CodeNetworkError},
		"a cause at the end":    {Input{Message: "a.B: x\n" + dump + "Caused by: java.net.ConnectException: Connection refused"}, CodeNetworkError},
		"of a stack":            {Input{Message: "x", Stack: "a.B: x\n" + dump + "Caused by: java.net.ConnectException: Connection refused"}, CodeNetworkError},
		"in the middle":         {Input{Message: dump + "Connection refused\n" + dump}, CodeUnknown},
		"breaker in the middle": {Input{Message: dump + "CIRCUIT BREAKER\n" + dump}, CodeCircuitOpen},
		"with a Kelvin sign":    {Input{Message: dump + "circuit brea" + kelvin + "er\n" + dump}, CodeCircuitOpen},
		"a word cut in two":     {Input{Message: strings.Repeat("x429 ", 300_000)}, CodeUnknown},
		"a long type":           {Input{Type: strings.Repeat("a.", 500_000) + "TimeoutError"}, CodeTimeout},
	} {
		assert.Equal(t, c.want, Classify(c.in).Code, name)
	}

	python := pythonHeader + "\n  File \"a.py\", line 1\nValueError: too much: " + dump
	assert.Equal(t, "ValueError: too much: 0123", Options{}.Classify(Input{Message: python}).Message[:26],
		"the message of a long traceback begins where its exception does")
}
