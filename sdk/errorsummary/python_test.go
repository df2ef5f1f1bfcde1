// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package errorsummary

import (
	"encoding/json"
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Byte by byte what summarize_pipeline_error, error_summary_to_string and error_summary_to_stages_patch of the Python
// library answer, where nothing is masked. The vectors are what their definitions gave under Python 3.11, for errors
// raised with these texts; only where Python says UNKNOWN may a code be better.
func TestWithoutRedactionEqualToPython(t *testing.T) {
	file, err := os.ReadFile("testdata/python_vectors.json")
	require.NoError(t, err)
	var vectors []struct {
		Type, Text, Code, Message, String, Patch string
		Retryable                                bool
	}
	require.NoError(t, json.Unmarshal(file, &vectors))
	require.Greater(t, len(vectors), 40)
	for _, v := range vectors {
		got := Options{}.Classify(Input{Type: v.Type, Message: v.Text})
		if v.Code == CodeUnknown {
			got.Code, got.Retryable = v.Code, v.Retryable
		}
		assert.Equal(t, v.Code, got.Code, "%q", v.Text)
		assert.Equal(t, v.Retryable, got.Retryable, "%q", v.Text)
		assert.Equal(t, v.Message, got.Message)
		assert.Equal(t, v.String, got.String())
		patch, err := json.Marshal(got.StagesPatch())
		require.NoError(t, err)
		assert.JSONEq(t, v.Patch, string(patch))
	}
}
