// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

// Package runlog is the run log's record model and the one rule by which facts about runs become rows.
//
// A fact is what one log record or one span says of one run, one attempt of a stage, one call of a provider or a
// tool, one change of a circuit breaker, or of an event itself.
// Facts come in any order, any number of times, from any replica. A row is what all facts of one key say
// together, and a fact is a row that one source filled: there is one type, [Row], and one operation,
// [Row.Join]. Join is commutative, associative and idempotent, so that any permutation, duplication or split
// of the same facts leaves the same bytes.
//
// Which columns a table has, and how each of them joins, is data: [Tables]. Views for people over
// them, which every store has, are named in [Views].
// Stores (see [Store]) read the rows of a [Batch]'s keys, join, and write what came out.
package runlog // import "github.com/stageflow/otelcol-stageflow/internal/runlog"
