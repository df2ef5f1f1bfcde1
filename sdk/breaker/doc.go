// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

// Package breaker is the circuit breaker's state machine, by itself: it reads no clock, starts no goroutine and
// makes no calls. Whoever made a call tells its outcome and when it happened; whoever wants to make one asks for
// the state at a time.
//
// A closed breaker opens after a number of failures in a row. An open one becomes half-open by the passing of
// time alone. A half-open one is judged by calls that started after it became so: enough successes close it,
// one failure opens it again.
//
// Outcomes may come late and out of order. A streak is what failed since the last success by the time the calls
// ended, not by the time they were told; but what is already decided stays decided: an outcome from before the
// last transition changes nothing.
package breaker // import "github.com/stageflow/otelcol-stageflow/sdk/breaker"
