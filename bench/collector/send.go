// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

// dialer opens a connection to a collector: send sends one request and waits for the answer.
type dialer func(address string) (send func(context.Context, []byte) error, hangUp func(), err error)

func dialEvents(address string) (func(context.Context, []byte) error, func(), error) {
	return dialHTTP("http://"+address+"/v1/events", "application/x-ndjson")
}

func dialLogs(address string) (func(context.Context, []byte) error, func(), error) {
	return dialHTTP("http://"+address+"/v1/logs", "application/json")
}

func dialHTTP(url, contentType string) (func(context.Context, []byte) error, func(), error) {
	client := &http.Client{Transport: &http.Transport{DisableCompression: true}}
	send := func(ctx context.Context, body []byte) error {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
		if err != nil {
			return err
		}
		req.Header.Set("Content-Type", contentType)
		code, answer, err := do(client, req)
		if err == nil && code != http.StatusOK {
			err = fmt.Errorf("%s answers %d: %s", url, code, answer)
		}
		return err
	}
	return send, client.CloseIdleConnections, nil
}

func do(client *http.Client, req *http.Request) (code int, body []byte, err error) {
	resp, err := client.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer func() { err = errors.Join(err, resp.Body.Close()) }()
	body, err = io.ReadAll(resp.Body)
	return resp.StatusCode, body, err
}

// dialGRPC sends what has been encoded beforehand as it is.
func dialGRPC(address string) (func(context.Context, []byte) error, func(), error) {
	const export = "/opentelemetry.proto.collector.logs.v1.LogsService/Export"
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return nil, nil, err
	}
	send := func(ctx context.Context, body []byte) error {
		var answer []byte
		return conn.Invoke(ctx, export, body, &answer, grpc.ForceCodec(encoded{}))
	}
	return send, func() { _ = conn.Close() }, nil // nothing is under way
}

// encoded is a codec for what is encoded already.
type encoded struct{}

func (encoded) Marshal(v any) ([]byte, error) { return v.([]byte), nil }

func (encoded) Unmarshal(data []byte, v any) error {
	*v.(*[]byte) = bytes.Clone(data)
	return nil
}

func (encoded) Name() string { return "proto" }

// sendAll sends the requests of each connection one after the other, and tells how long all took.
func sendAll(ctx context.Context, dial dialer, address string, all [][]request) (time.Duration, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var senders sync.WaitGroup
	began := time.Now()
	for _, requests := range all {
		senders.Go(func() {
			send, hangUp, err := dial(address)
			if err != nil {
				cancel(err)
				return
			}
			defer hangUp()
			for _, r := range requests {
				if err := send(ctx, r.body); err != nil {
					cancel(err)
					return
				}
			}
		})
	}
	senders.Wait()
	return time.Since(began), context.Cause(ctx)
}
