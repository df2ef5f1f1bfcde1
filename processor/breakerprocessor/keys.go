// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package breakerprocessor

import (
	"strings"

	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

// KeyConfig says which attributes make the key of a breaker.
type KeyConfig struct {
	// Operation and Provider are attributes of spans and log records, of which the first that is there counts.
	Operation []string `mapstructure:"operation"`
	Provider  []string `mapstructure:"provider"`

	// prevent unkeyed literal initialization
	_ struct{}
}

// defaultKey reads ours and OpenTelemetry's GenAI conventions, then OpenLLMetry's and OpenInference's.
func defaultKey() KeyConfig {
	return KeyConfig{
		Operation: []string{semconv.GenAIOperationNameKey, semconv.LLMRequestTypeKey, semconv.OpenInferenceKindKey},
		Provider:  []string{semconv.GenAIProviderNameKey, semconv.GenAISystemKey, semconv.LLMProviderKey, semconv.LLMSystemKey},
	}
}

// foreignOperations are the words that other instrumentations have for the operations of the GenAI conventions, so that one
// provider has one breaker whoever tells of it.
var foreignOperations = map[string]map[string]string{
	semconv.LLMRequestTypeKey:    {"completion": "text_completion", "embedding": "embeddings"},
	semconv.OpenInferenceKindKey: {"LLM": "chat", "EMBEDDING": "embeddings", "RERANKER": "rerank"},
}

// foreignProviders write their providers as proper names.
var foreignProviders = map[string]bool{semconv.GenAISystemKey: true, semconv.LLMProviderKey: true, semconv.LLMSystemKey: true}

// keyAttribute is what an attribute is read for: the operation or the provider, and how many others come before it.
type keyAttribute struct {
	provider bool
	rank     int
	words    map[string]string
	lower    bool
}

// keyAttributes finds those that make keys.
type keyAttributes map[string]keyAttribute

func newKeyAttributes(cfg *KeyConfig) keyAttributes {
	out := keyAttributes{}
	for i, name := range cfg.Operation {
		if _, twice := out[name]; !twice {
			out[name] = keyAttribute{rank: i + 1, words: foreignOperations[name]}
		}
	}
	for i, name := range cfg.Provider {
		if _, twice := out[name]; !twice {
			out[name] = keyAttribute{provider: true, rank: i + 1, lower: foreignProviders[name]}
		}
	}
	return out
}

// ranked is a name and the rank of the attribute that it came from; 0 is none yet.
type ranked struct {
	name string
	rank int
}

func (r *ranked) take(a keyAttribute, value string) {
	if value == "" || (r.rank > 0 && r.rank <= a.rank) {
		return
	}
	if word, ok := a.words[value]; ok {
		value = word
	}
	if a.lower {
		value = strings.ToLower(value)
	}
	r.name, r.rank = value, a.rank
}

// calling are the kinds of OpenInference spans that are calls to a provider; their OpenTelemetry kind is internal.
var calling = map[string]bool{"LLM": true, "EMBEDDING": true, "RERANKER": true}
