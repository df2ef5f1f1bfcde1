// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package errorsummary

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

// statusesIn reads what a text says of statuses, without any other rule.
func statusesIn(text string) (http, grpc int) {
	var f findings
	s := scanners.Get().(*scanner)
	defer scanners.Put(s)
	s.scan(compiled().texts, text, false, &f)
	http, grpc = leadingStatus(text)
	if http == 0 {
		http = f.http
	}
	if grpc == 0 {
		grpc = f.grpc
	}
	return http, grpc
}

func TestStatusesInTexts(t *testing.T) {
	for text, want := range map[string]int{
		"Error code: 429 - {'error': {}}":                  429,
		"got status=503 again":                             503,
		"HTTP/1.1 502 Bad Gateway":                         502,
		`{"error": {"status": 503}}`:                       503,
		`{"error":{"code":404,"message":"x"}}`:             404,
		"answered with status code 404":                    404,
		"no such thing (status code: 400)":                 400,
		"HTTP Error 413: Request Entity Too Large":         413,
		"Request failed with status code 503":              503,
		"Client error '429 Too Many Requests' for url 'x'": 429,
		"403 Client Error: Forbidden for url: http://x":    403,
		"429, message='Too Many Requests', url=x":          429,
		"googleapi: Error 403: x, reason":                  403,
		"unexpected status: 502 Bad Gateway":               502,
		"404 page not found":                               404,
		"503":                                              503,
		"StatusCode: 404, RequestID: x":                    404,
		"HTTP status 500 from upstream":                    500,

		"500 items lost": 0, "429ms is too slow": 0, "5000 lost": 0, "500.5": 0, "500,000 rows": 0, "404_000": 0,
		"listening on :5020": 0, "status 500ms": 0, "http 500 requests per second": 0, "code 4290": 0,
		"error 5004": 0, "port 503": 0, "for 404 seconds": 0, "HTTP 200 OK": 0, "50": 0, "": 0, "HTTP": 0, "HTTP ": 0,
	} {
		got, _ := statusesIn(text)
		assert.Equal(t, want, got, text)
	}
	for text, want := range map[string]int{
		"rpc error: code = NotFound desc = x":           5,
		"x: rpc error: code = ResourceExhausted desc":   8,
		"14 UNAVAILABLE: No connection established":     14,
		"DEADLINE_EXCEEDED: deadline exceeded after 1s": 4,
		"UNAVAILABLE":                                  14,
		"status = StatusCode.UNAVAILABLE":              14,
		`Status(StatusCode="Unavailable", Detail="x")`: 14,
		`status: Unauthenticated, message: "x"`:        16,
		"429 RESOURCE_EXHAUSTED. {'error': {}}":        8,

		"rpc error: code = Nonsense": 0, "the status internal": 0, "INTERNAL AFFAIRS": 0, "NOT": 0, "rpc error: code = ": 0,
	} {
		_, got := statusesIn(text)
		assert.Equal(t, want, got, text)
	}
}
