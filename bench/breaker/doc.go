// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

// Package breaker sets the SDK's circuit breaker beside two that Go programs use today, in one run of one process:
// github.com/sony/gobreaker/v2 and github.com/failsafe-go/failsafe-go.
//
// What is compared is one guarded call that does nothing and succeeds: to ask for permission, to tell the outcome,
// and to read the clock for both. gobreaker and failsafe's executor read it before and after the call, failsafe's
// permits only after it. The SDK's registry is told the time: "stageflow" reads the clock twice and that is counted,
// "stageflow-told" is a caller who knows when the call began and ended, because its telemetry says so.
//
// All breakers look at 60 seconds in 10 buckets, and open when half of at least 10 calls failed; the SDK's and
// gobreaker also after 5 failures in a row. None ever opens here.
//
// The SDK's registry finds the breaker of a key, makes it when there is none, and forgets the one that was unused
// for longest. The others are one breaker each. With one key they are held in a variable, so they look up nothing;
// with more they are in a plain map by a name that is ready, without a lock, which no program with more than one
// goroutine could use. Both are in their favour.
package breaker // import "github.com/stageflow/otelcol-stageflow/bench/breaker"
