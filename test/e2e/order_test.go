// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"bytes"
	"math/rand/v2"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/stageflow/otelcol-stageflow/internal/captures"
)

// patient lets no run settle while its lines still come one by one.
const patient = `
receivers:
  stageflow:
    runs: {settle: 3s, idle_timeout: 4s, abandon_after: 5s}
`

// The rows do not depend on the order in which events come, nor on how many come at once.
func TestOrderAndBatchesDoNotMatter(t *testing.T) {
	all, err := captures.Load(capturesDir)
	require.NoError(t, err)
	var rows [2][]string
	for i, post := range []func(poster, []byte){inOrder, shuffledInSmallBatches} {
		c := start(t, t.TempDir(), patient)
		for _, capture := range all {
			post(func(body []byte) {
				code, answer, err := c.Post(t.Context(), body)
				require.NoError(t, err)
				require.Equal(t, http.StatusOK, code, "%s: %s", capture.Name, answer)
			}, capture.Body)
		}
		settled(t, c)
		rows[i] = everything(t, c.Database)
		require.NoError(t, c.Stop())
	}
	assert.Equal(t, rows[0], rows[1])
}

type poster func(body []byte)

func inOrder(post poster, body []byte) { post(body) }

func shuffledInSmallBatches(post poster, body []byte) {
	lines := bytes.Split(bytes.TrimSpace(body), []byte("\n"))
	random := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // the same order every time
	random.Shuffle(len(lines), func(i, j int) { lines[i], lines[j] = lines[j], lines[i] })
	for len(lines) > 0 {
		n := min(len(lines), 1+random.IntN(20))
		post(bytes.Join(lines[:n], []byte("\n")))
		lines = lines[n:]
	}
}
