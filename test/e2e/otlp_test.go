// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"net"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
	"google.golang.org/grpc"
	_ "google.golang.org/grpc/encoding/gzip" // what the exporter compresses with
)

// backend is an OTLP server that keeps the spans it gets, as a tracing backend would.
type backend struct {
	ptraceotlp.UnimplementedGRPCServer
	address string

	mu    sync.Mutex
	spans map[pcommon.SpanID]ptrace.Span
}

func newBackend(t *testing.T) *backend {
	t.Helper()
	var config net.ListenConfig
	listener, err := config.Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	b := &backend{address: listener.Addr().String(), spans: map[pcommon.SpanID]ptrace.Span{}}
	server := grpc.NewServer()
	ptraceotlp.RegisterGRPCServer(server, b)
	var done sync.WaitGroup
	done.Go(func() { _ = server.Serve(listener) }) // ends with Stop
	t.Cleanup(func() {
		server.Stop()
		done.Wait()
	})
	return b
}

func (b *backend) Export(_ context.Context, req ptraceotlp.ExportRequest) (ptraceotlp.ExportResponse, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, rs := range req.Traces().ResourceSpans().All() {
		for _, ss := range rs.ScopeSpans().All() {
			for _, span := range ss.Spans().All() {
				kept := ptrace.NewSpan()
				span.CopyTo(kept)
				b.spans[span.SpanID()] = kept
			}
		}
	}
	return ptraceotlp.NewExportResponse(), nil
}

// span is the span with the id, which the caller derives from what it is about.
func (b *backend) span(t *testing.T, id [8]byte) ptrace.Span {
	t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	span, ok := b.spans[id]
	require.True(t, ok, "no span %x among %d", id, len(b.spans))
	return span
}
