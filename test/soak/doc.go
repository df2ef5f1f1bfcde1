// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

// Package soak measures what the receiver takes of memory and disk under very many runs. It takes minutes, so it
// does nothing unless it is told how many runs; `make test-long` does:
//
//	go test ./test/soak -v -timeout 60m -runs 1000000 -inflight 100000
package soak // import "github.com/stageflow/otelcol-stageflow/test/soak"
