// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

// Package breaker is the circuit breaker's state machine, by itself: it reads no clock, starts no goroutine and
// makes no calls. Whoever made a call tells its outcome and when it happened; whoever wants to make one asks for
// the state at a time. Nothing it keeps grows without bound, whatever it is told.
//
// # States
//
// A closed breaker opens when, in a window of event time, too many calls failed or were slow, or when a number of
// calls in a row failed. An open one becomes half-open by the passing of time alone, whether anybody tells
// anything or not. A half-open one is judged by calls that started after it became so: enough successes close it,
// one failure opens it again, for twice as long.
//
// # Time
//
// A call belongs where it ended. Outcomes may come late and out of order: up to a bound they are counted where
// they belong, and the windows that hold them are judged again, so that a late one may open a breaker, but never
// undoes what was decided. What a call says about a state is only asked of calls that started in it: the success
// of a call from before the opening closes nothing, and its failure opens nothing once the breaker closed again.
//
// # Generations
//
// Every change of state has a generation, one higher or more than that of the change before. What several
// processes decided about one key is put in order by it.
//
// # Where things are
//
// window.go counts, machine.go decides, span.go remembers, registry.go holds one breaker per key, permit.go and
// force.go are for those who ask and for those who know better, shared.go and export.go carry state to other
// processes and to later ones.
package breaker // import "github.com/stageflow/otelcol-stageflow/sdk/breaker"
