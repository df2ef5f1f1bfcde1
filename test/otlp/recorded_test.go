// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package otlp

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
)

// What the SDK for JavaScript has sent comes out as of the otlp receiver, over HTTP as it was sent, and over gRPC.
func TestRequestsOfAnotherSDK(t *testing.T) {
	files, err := filepath.Glob("testdata/js-*")
	require.NoError(t, err)
	require.Len(t, files, 16)
	s := newSides(t)
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			body, err := os.ReadFile(file)
			require.NoError(t, err)
			signal := strings.Split(filepath.Base(file), "-")[1]
			r := request{path: "/v1/" + signal, contentType: protobuf, body: body}
			if strings.Contains(file, ".json") {
				r.contentType = jsonType
			}
			if strings.HasSuffix(file, ".gz") {
				r.encoding = "gzip"
			}
			assert.Equal(t, http.StatusOK, s.overHTTP(t, r).code)
			assert.Equal(t, 1, s.assertSame(t))

			if r.contentType != protobuf {
				return
			}
			var opts []grpc.CallOption
			if r.encoding != "" {
				opts = append(opts, grpc.UseCompressor("gzip"))
				reader, err := gzip.NewReader(bytes.NewReader(body))
				require.NoError(t, err)
				body, err = io.ReadAll(reader)
				require.NoError(t, err)
			}
			assert.NoError(t, s.overGRPC(t, methods[signal], body, opts...))
			assert.Equal(t, 1, s.assertSame(t))
		})
	}
}
