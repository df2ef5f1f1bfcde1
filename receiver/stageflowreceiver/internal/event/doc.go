// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

// Package event reads and writes stageflow events. Inside the receiver an event is an [Event], whatever it was read from:
// a line of JSON, or a log record in wire form, which has a static EventName, the framework's type, and the data, nested
// and unchanged, in one map attribute. Nothing after this package knows where an event came from, and a record is only
// written for those who want one.
//
// What no store and no backend could take is repaired on the way in, the same for every input: NaN and
// infinities become the strings "NaN", "Infinity" and "-Infinity" (as in protobuf's JSON), NUL, lone surrogates
// and invalid UTF-8 become U+FFFD, integers beyond 64 bits become the nearest double if that is exact and their
// digits otherwise, and what is nested deeper than 30 levels becomes its JSON text.
package event // import "github.com/stageflow/otelcol-stageflow/receiver/stageflowreceiver/internal/event"
