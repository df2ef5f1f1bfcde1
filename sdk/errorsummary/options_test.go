// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package errorsummary

import (
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestSecretsAreMaskedBeforeTheCut(t *testing.T) {
	key := "sk-proj-" + strings.Repeat("aB3", 16)
	for name, text := range map[string]string{
		"short":          "Incorrect API key provided: " + key,
		"across the cut": strings.Repeat("x ", 235) + "Incorrect API key: " + key,
	} {
		t.Run(name, func(t *testing.T) {
			s := Classify(Input{Message: text})
			assert.NotContains(t, s.Message, "aB3")
			assert.NotContains(t, s.String(), "aB3")
			assert.Equal(t, 1, s.Redacted)
			assert.Equal(t, CodeUnauthorized, s.Code, "judged by what was there")
			assert.Equal(t, s.Message, Classify(Input{Message: s.Message}).Message)
		})
	}
	assert.NotContains(t, FromError(errors.New("401: bad key "+key)).Message, "aB3")
	assert.Equal(t, "mail to ***@***", Classify(Input{Message: "mail to ada@example.com"}).Message)
	assert.Equal(t, "mail to ada@example.com", Options{Redaction: Redaction{Secrets: true}}.Classify(Input{Message: "mail to ada@example.com"}).Message)
}

func TestWithoutRedactionTheMessageIsWhatPythonKeeps(t *testing.T) {
	text := "Bearer " + strings.Repeat("aB3", 300)
	s := Options{}.Classify(Input{Message: text})
	assert.Equal(t, text[:MaxMessage], s.Message)
	assert.Zero(t, s.Redacted)
}

func TestMessageLimit(t *testing.T) {
	text := strings.Repeat("é", 1000)
	assert.Equal(t, text[:2*7], Options{MessageLimit: 7}.Classify(Input{Message: text}).Message)
	assert.Equal(t, text, Options{MessageLimit: 2000, Redaction: Redaction{Secrets: true}}.Classify(Input{Message: text}).Message)
}
