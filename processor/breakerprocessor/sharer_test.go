// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package breakerprocessor

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/config/configoptional"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/metric/metricdata/metricdatatest"

	"github.com/stageflow/otelcol-stageflow/internal/redistest"
	"github.com/stageflow/otelcol-stageflow/internal/statustest"
	"github.com/stageflow/otelcol-stageflow/processor/breakerprocessor/internal/metadata"
	"github.com/stageflow/otelcol-stageflow/processor/breakerprocessor/internal/metadatatest"
	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

// watchedHost keeps the statuses that are reported to it.
type watchedHost struct {
	component.Host
	statustest.Recorder
}

// newSharing makes a collector's breakers that exchange when the test says.
func newSharing(t *testing.T, server *redistest.Server, set component.TelemetrySettings, change ...func(*RedisConfig)) (*core, *watchedHost) {
	t.Helper()
	cfg := defaults()
	redis := defaultRedis()
	redis.Transport, redis.Endpoint = "unix", server.Socket
	for _, change := range change {
		change(&redis)
	}
	cfg.Shared.Redis = configoptional.Some(redis)
	c, err := newCore(cfg, component.NewID(metadata.Type), set)
	require.NoError(t, err)
	c.now = func() time.Time { return at(100) }
	host := &watchedHost{Host: componenttest.NewNopHost()}
	c.sharer, err = newSharer(t.Context(), host, c)
	require.NoError(t, err)
	c.sharer.stop = func() {}
	t.Cleanup(func() { require.NoError(t, c.Shutdown(context.Background())) })
	return c, host
}

func TestCollectorsThatShareOpenTogether(t *testing.T) {
	server := redistest.Start(t)
	tel := componenttest.NewTelemetry()
	t.Cleanup(func() { require.NoError(t, tel.Shutdown(context.Background())) })
	a, _ := newSharing(t, server, componenttest.NewNopTelemetrySettings())
	b, _ := newSharing(t, server, tel.NewTelemetrySettings())
	changed := b.changes.next()
	a.logNotes(t, fail(3, 1)...)
	b.logNotes(t, fail(3, 4.5)...)
	for range 2 {
		a.sharer.exchange(t.Context())
		b.sharer.exchange(t.Context())
	}
	assert.Equal(t, semconv.BreakerOpen, a.state(8))
	assert.Equal(t, semconv.BreakerOpen, b.state(8))
	assert.Equal(t, a.breakers.List(at(8)), b.breakers.List(at(8)))
	select {
	case <-changed: // long polls are answered
	default:
		t.Error("nobody was told of the change")
	}
	metadatatest.AssertEqualProcessorBreakerTransitions(t, tel, []metricdata.DataPoint[int64]{{
		Attributes: attribute.NewSet(attribute.String("transition", "closed>open"), attribute.String("reason", "consecutive_failures")),
		Value:      1,
	}}, metricdatatest.IgnoreTimestamp())
	metadatatest.AssertEqualProcessorBreakerState(t, tel, []metricdata.DataPoint[int64]{{
		Attributes: attribute.NewSet(attribute.String("operation", "chat"), attribute.String("provider", "openai")),
		Value:      1, // it is half-open at 100 s
	}}, metricdatatest.IgnoreTimestamp())
}

func TestCollectorsGoOnAloneWithoutRedis(t *testing.T) {
	server := redistest.Start(t)
	tel := componenttest.NewTelemetry()
	t.Cleanup(func() { require.NoError(t, tel.Shutdown(context.Background())) })
	a, host := newSharing(t, server, tel.NewTelemetrySettings())
	a.sharer.exchange(t.Context())
	assert.Empty(t, host.Statuses())

	server.Kill()
	a.logNotes(t, fail(5, 1)...)
	a.sharer.exchange(t.Context())
	a.sharer.exchange(t.Context())
	assert.Equal(t, semconv.BreakerOpen, a.state(6))
	assert.Equal(t, []componentstatus.Status{componentstatus.StatusRecoverableError}, host.Statuses(), "said once")

	metadatatest.AssertEqualProcessorBreakerExchanges(t, tel, []metricdata.DataPoint[int64]{
		{Attributes: attribute.NewSet(attribute.Bool("success", true)), Value: 1},
		{Attributes: attribute.NewSet(attribute.Bool("success", false)), Value: 2},
	}, metricdatatest.IgnoreTimestamp())

	server.Restart()
	a.sharer.exchange(t.Context()) // finds another Redis
	a.sharer.exchange(t.Context())
	assert.Equal(t, []componentstatus.Status{componentstatus.StatusRecoverableError, componentstatus.StatusOK}, host.Statuses())
	b, _ := newSharing(t, server, componenttest.NewNopTelemetrySettings())
	b.sharer.exchange(t.Context())
	assert.Equal(t, a.breakers.List(at(6)), b.breakers.List(at(6)), "and what was counted meanwhile is told")
}

// Redis that answers no connection neither stops the start nor holds up the shutdown.
func TestACollectorStartsWithoutRedis(t *testing.T) {
	cfg := defaults()
	redis := defaultRedis()
	redis.Transport, redis.Endpoint = "unix", t.TempDir()+"/nobody"
	cfg.Shared.Redis = configoptional.Some(redis)
	c, err := newCore(cfg, component.NewID(metadata.Type), componenttest.NewNopTelemetrySettings())
	require.NoError(t, err)
	require.NoError(t, c.Start(t.Context(), componenttest.NewNopHost()))
	c.logNotes(t, fail(5, 1)...)
	assert.Equal(t, semconv.BreakerOpen, c.state(6))
	require.NoError(t, c.Shutdown(t.Context()))
}

func TestRedisAsksForAPassword(t *testing.T) {
	server := redistest.Start(t, "--requirepass", "secret")
	known := func(c *RedisConfig) { c.Password, c.DB = "secret", 3 }
	a, host := newSharing(t, server, componenttest.NewNopTelemetrySettings(), known)
	a.logNotes(t, fail(5, 1)...)
	a.sharer.exchange(t.Context())
	assert.Empty(t, host.Statuses())
	b, _ := newSharing(t, server, componenttest.NewNopTelemetrySettings(), known)
	b.sharer.exchange(t.Context())
	assert.Equal(t, semconv.BreakerOpen, b.state(6))

	stranger, host := newSharing(t, server, componenttest.NewNopTelemetrySettings(), func(c *RedisConfig) { c.Password = "guessed" })
	stranger.sharer.exchange(t.Context())
	assert.Equal(t, []componentstatus.Status{componentstatus.StatusRecoverableError}, host.Statuses())

	other, _ := newSharing(t, server, componenttest.NewNopTelemetrySettings(), known, func(c *RedisConfig) { c.Prefix = "of another team" })
	other.sharer.exchange(t.Context())
	assert.Zero(t, other.breakers.Len(), "who has another prefix shares nothing")
}
