// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

// Package soak measures what the receiver takes of memory and disk under very many runs, and the built collector under
// more than it can take. It takes minutes, so it does nothing unless it is told how many runs, and how long;
// `make test-long` does:
//
//	go test ./test/soak -v -timeout 60m -runs 1000000 -inflight 100000 -overload 1m
package soak // import "github.com/stageflow/otelcol-stageflow/test/soak"
