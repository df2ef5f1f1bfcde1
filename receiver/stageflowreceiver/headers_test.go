// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package stageflowreceiver

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"

	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

// A header goes into every event of its request, so a long one would make much of a small request.
func TestLongHeadersAreRefused(t *testing.T) {
	r := newTestReceiver(t)
	for _, name := range []string{SinkIDHeader, BatchSeqHeader} {
		for n, code := range map[int]int{maxHeader: http.StatusOK, maxHeader + 1: http.StatusBadRequest} {
			req := httptest.NewRequest(http.MethodPost, EventsPath, strings.NewReader(line("custom", "r", n, "")))
			req.Header.Set(SinkIDHeader, "s")
			req.Header.Set(BatchSeqHeader, "1")
			req.Header.Set(name, strings.Repeat("x", n))
			w := httptest.NewRecorder()
			r.server.post(w, req)
			assert.Equal(t, code, w.Code, w.Body)
		}
	}
	assert.Equal(t, 2, r.logsSink.LogRecordCount())
}

// Headers may hold any bytes; what comes of them must be text that a backend can store.
func TestHeadersBecomeText(t *testing.T) {
	r := newTestReceiver(t)
	req := httptest.NewRequest(http.MethodPost, EventsPath, strings.NewReader(line("custom", "r", 1, "")))
	req.Header.Set(SinkIDHeader, "s\xff")
	req.Header.Set(BatchSeqHeader, "\xfe")
	r.server.post(httptest.NewRecorder(), req)
	attrs := r.logsSink.AllLogs()[0].ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().At(0).Attributes()
	for _, key := range []string{semconv.EventSinkIDKey, semconv.EventBatchKey} {
		v, ok := attrs.Get(key)
		assert.True(t, ok)
		assert.True(t, utf8.ValidString(v.Str()), "%q", v.Str())
	}
}
