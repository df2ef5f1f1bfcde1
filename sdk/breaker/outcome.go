// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package breaker

import (
	"time"

	"github.com/stageflow/otelcol-stageflow/sdk/errorsummary"
)

// Outcome is how one call to a provider ended.
type Outcome struct {
	// Start and End of the call. A start after the end counts as the end.
	Start, End time.Time
	Success    bool
	// NotPermitted: an open breaker rejected the call, so the provider never saw it. Such an outcome is counted by
	// itself and changes nothing, or an open breaker would feed itself.
	NotPermitted bool
	// RetryAfter is how long after a failure the provider asked not to be called. It opens no breaker, but one that
	// opens stays so at least until then. Not positive: it did not ask.
	RetryAfter time.Duration
}

// Kind says what a failed call tells about the provider.
type Kind uint8

// The kinds of failed calls.
const (
	// Failure is the provider's fault.
	Failure Kind = iota
	// Ignored is nobody's fault or the caller's own: neither a failure nor a success of the provider.
	Ignored
	// NotPermitted: an open breaker rejected the call.
	NotPermitted
)

// kinds of the codes that are not the provider's fault.
var kinds = map[string]Kind{
	errorsummary.CodeCircuitOpen: NotPermitted,

	errorsummary.CodeInvalidInput:    Ignored,
	errorsummary.CodeUnauthorized:    Ignored,
	errorsummary.CodePermission:      Ignored,
	errorsummary.CodeNotFound:        Ignored,
	errorsummary.CodeContentFiltered: Ignored,
	errorsummary.CodeContextLength:   Ignored,
	errorsummary.CodePayloadTooLarge: Ignored,
	errorsummary.CodeCancelled:       Ignored,
	errorsummary.CodeApplication:     Ignored,
	errorsummary.CodeQuotaExceeded:   Ignored,
	errorsummary.CodeAbandoned:       Ignored, // nobody knows how the call ended
}

// Classify decides by the error code of a failed call whether it counts. A code that nobody knows, and none at
// all, count as a failure of the provider.
func Classify(code string) Kind { return kinds[code] }
