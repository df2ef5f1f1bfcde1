// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package event

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"pgregory.net/rapid"
)

// What was made stays as it is, whatever is made after it.
func TestTextsStay(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var made Texts
		var want, got []string
		for range rapid.IntRange(1, 3).Draw(t, "events") {
			made = Texts{}
			for _, s := range rapid.SliceOf(rapid.StringN(0, -1, pieceSize)).Draw(t, "texts") {
				b := []byte(s)
				want, got = append(want, s), append(got, made.add(b))
				clear(b) // the parser uses its memory again
			}
		}
		assert.Equal(t, want, got)
	})
}

func TestShortTextsShareMemory(t *testing.T) {
	var made Texts
	b := []byte("twelve bytes")
	assert.Less(t, testing.AllocsPerRun(1000, func() { made.add(b) }), 0.1)
	large := []byte(strings.Repeat("x", pieceSize/2+1))
	assert.InDelta(t, 1, testing.AllocsPerRun(100, func() { made.add(large) }), 0, "or a name would keep a page alive")
}
