// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package breakerprocessor

import (
	"context"
	"fmt"
	"sync"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.uber.org/zap"

	"github.com/stageflow/otelcol-stageflow/processor/breakerprocessor/internal/sharedredis"
)

// sharer exchanges what is new with the other collectors, until shutdown. While Redis is away the breakers go on alone,
// and what they counted is told when it is back.
type sharer struct {
	core  *core
	place *sharedredis.Place
	host  component.Host
	every time.Duration

	stop context.CancelFunc
	done sync.WaitGroup
	away bool // and it has been said; the goroutine's own
}

func newSharer(ctx context.Context, host component.Host, c *core) (*sharer, error) {
	cfg := c.cfg.Shared.Redis.Get()
	client, err := cfg.client(ctx)
	if err != nil {
		return nil, fmt.Errorf("shared::redis: %w", err)
	}
	return &sharer{
		core: c, host: host, every: cfg.Interval,
		place: sharedredis.New(client, sharedredis.Settings{
			Prefix: cfg.Prefix, Source: c.source, MaxKeys: c.cfg.MaxKeys,
			Window: c.cfg.Window, Buckets: c.cfg.Buckets, AllowedLateness: c.cfg.AllowedLateness,
		}),
	}, nil
}

func (s *sharer) start() {
	life, stop := context.WithCancel(context.Background())
	s.stop = stop
	s.done.Go(func() { s.run(life) })
}

func (s *sharer) run(life context.Context) {
	tick := time.NewTicker(s.every)
	defer tick.Stop()
	for {
		s.exchange(life)
		select {
		case <-tick.C:
		case <-life.Done():
			return
		}
	}
}

// answerTime is how long Redis may take.
const answerTime = 5 * time.Second

func (s *sharer) exchange(ctx context.Context) {
	within, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	changes, err := s.place.Exchange(within, s.core.breakers, s.core.now())
	for i := range changes {
		s.core.changed(ctx, changes[i].Key, changes[i].Transition)
	}
	if len(changes) > 0 {
		s.core.changes.tell()
	}
	if ctx.Err() == nil {
		s.tell(ctx, err)
	}
}

// tell says how sharing goes: in a metric each time, elsewhere when it changes.
func (s *sharer) tell(ctx context.Context, err error) {
	s.core.telemetry.ProcessorBreakerExchanges.Add(ctx, 1, exchangeOptions[err != nil])
	switch {
	case err != nil && !s.away:
		err = fmt.Errorf("the breakers are this collector's own until Redis answers: %w", err)
		s.core.logger.Warn("breakers are not shared (said once until they are)", zap.Error(err))
		componentstatus.ReportStatus(s.host, componentstatus.NewRecoverableErrorEvent(err))
	case err == nil && s.away:
		s.core.logger.Info("breakers are shared again")
		componentstatus.ReportStatus(s.host, componentstatus.NewEvent(componentstatus.StatusOK))
	}
	s.away = err != nil
}

var exchangeOptions = map[bool]metric.AddOption{
	false: metric.WithAttributeSet(attribute.NewSet(attribute.Bool("success", true))),
	true:  metric.WithAttributeSet(attribute.NewSet(attribute.Bool("success", false))),
}

// shutdown tells what is new for the last time.
func (s *sharer) shutdown(ctx context.Context) error {
	s.stop()
	s.done.Wait()
	if !s.away {
		s.exchange(ctx)
	}
	return s.place.Close()
}
