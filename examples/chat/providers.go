// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"

	stageflow "github.com/stageflow/otelcol-stageflow/sdk"
)

// callTimeout is how long a provider may take.
const callTimeout = 500 * time.Millisecond

// apiError is what a provider's HTTP error becomes. The method StatusCode is all that the error summary needs.
type apiError struct {
	Provider string
	Status   int
	Message  string
}

func (e *apiError) Error() string {
	return fmt.Sprintf("%s: HTTP %d: %s", e.Provider, e.Status, e.Message)
}
func (e *apiError) StatusCode() int { return e.Status }

// answer is what every provider here replies.
type answer struct {
	Output string          `json:"output"`
	Usage  stageflow.Usage `json:"usage"`
	Error  string          `json:"error"`
}

// call asks a provider for something. What goes on the wire is in the function given to stageflow.CallValue, which
// makes start and end known, asks the circuit breaker first and tells it the outcome.
func (p *providers) call(ctx context.Context, operation, provider, model, input string) (string, error) {
	return stageflow.CallValue(ctx, operation, provider, model, func(ctx context.Context) (string, stageflow.Usage, error) {
		ctx, cancel := context.WithTimeout(ctx, callTimeout)
		defer cancel()
		a, err := p.post(ctx, operation, provider, input)
		return a.Output, a.Usage, err
	})
}

func (p *providers) post(ctx context.Context, operation, provider, input string) (a answer, err error) {
	body, err := json.Marshal(map[string]string{"input": input})
	if err != nil {
		return a, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.url+"/"+provider+"/"+operation, bytes.NewReader(body))
	if err != nil {
		return a, err
	}
	resp, err := p.client.Do(req)
	if err != nil {
		return a, err
	}
	defer func() { _ = resp.Body.Close() }()
	if err := json.NewDecoder(resp.Body).Decode(&a); err != nil {
		return a, err
	}
	if resp.StatusCode != http.StatusOK {
		return a, &apiError{Provider: provider, Status: resp.StatusCode, Message: a.Error}
	}
	return a, nil
}

// providers are the services that the pipeline calls, here an HTTP server inside the process.
type providers struct {
	url    string
	client *http.Client
	server *http.Server
	ended  chan struct{}
}

func startProviders(ctx context.Context) (*providers, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /{provider}/{operation}", serve)
	p := &providers{
		url:    "http://" + l.Addr().String(),
		client: &http.Client{},
		server: &http.Server{Handler: mux, ReadHeaderTimeout: time.Second},
		ended:  make(chan struct{}),
	}
	go func() {
		defer close(p.ended)
		_ = p.server.Serve(l) // ends by stop
	}()
	return p, nil
}

func (p *providers) stop() {
	p.client.CloseIdleConnections()
	_ = p.server.Close()
	<-p.ended
}

func serve(w http.ResponseWriter, r *http.Request) {
	var req struct {
		Input string `json:"input"`
	}
	a, status := answer{}, http.StatusOK
	if err := json.NewDecoder(r.Body).Decode(&req); err != nil {
		a.Error, status = err.Error(), http.StatusBadRequest
	}
	switch r.PathValue("provider") {
	case "openai":
		a.Error, status = "Rate limit reached for requests", http.StatusTooManyRequests
	case "assemblyai":
		select { // too slow for any client
		case <-r.Context().Done():
			return
		case <-time.After(10 * callTimeout):
		}
	}
	if status == http.StatusOK {
		a = reply(r.PathValue("operation"), req.Input)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(a)
}

func reply(operation, input string) answer {
	switch operation {
	case "stt":
		return answer{Output: input, Usage: stageflow.Usage{CostUSD: 0.0004, AudioSeconds: 4.2}}
	case "tts":
		return answer{Output: "audio", Usage: stageflow.Usage{CostUSD: 0.0011, Characters: int64(len(input))}}
	}
	tokens := int64(len(strings.Fields(input)))
	return answer{Output: "You said: " + input, Usage: stageflow.Usage{InputTokens: tokens, OutputTokens: tokens + 2, CostUSD: 0.0002}}
}
