// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

// Package semconv is the vocabulary that every part of stageflow telemetry shares: event types and
// their names, attribute keys, states, and how trace and span ids follow from what an event says.
// No other package spells these strings.
//
// Names that OpenTelemetry already has are used as they stand there (semantic conventions v1.41:
// gen_ai.*, error.type, exception.*, session.id, user.id, service.name); everything else is under
// stageflow.*.
package semconv
