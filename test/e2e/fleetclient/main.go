// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

// Command fleetclient is one of several processes that call the same provider and know from their collector when not to:
// one run that lasts until the program is interrupted, with a call every 20 ms.
//
//	fleetclient PROVIDER_URL BREAKER_API_URL
package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	stageflow "github.com/stageflow/otelcol-stageflow/sdk"
)

func main() {
	if err := run(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "fleetclient:", err)
		os.Exit(1)
	}
}

func run(provider, breakers string) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	shutdown, err := stageflow.Setup(ctx, stageflow.WithServiceName("fleet"))
	if err != nil {
		return err
	}
	defer func() { _ = shutdown(context.Background()) }()
	fleet, err := stageflow.NewFleetCircuitBreaker(breakers)
	if err != nil {
		return err
	}
	defer func() { _ = fleet.Close(context.Background()) }()
	stageflow.SetCircuitBreaker(fleet)

	return stageflow.Run(ctx, "fleet", func(ctx context.Context) error {
		return stageflow.Stage(ctx, "llm", stageflow.KindAgent, func(ctx context.Context) error {
			for tick := time.NewTicker(20 * time.Millisecond); ; {
				select {
				case <-tick.C:
					_ = stageflow.Call(ctx, "chat", "acme", "m1", func(ctx context.Context) (stageflow.Usage, error) {
						return stageflow.Usage{}, ask(ctx, provider)
					})
				case <-ctx.Done():
					return nil
				}
			}
		})
	})
}

func ask(ctx context.Context, provider string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, provider, http.NoBody)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("acme: HTTP %s", resp.Status)
	}
	return nil
}
