// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

// Package sharedredis lets collectors share their breakers through Redis: each tells what is new and reads what changed, in
// one pipeline, now and then. Nothing is locked, and what is lost on the way is neither counted twice nor missed.
package sharedredis // import "github.com/stageflow/otelcol-stageflow/processor/breakerprocessor/internal/sharedredis"

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"

	"github.com/stageflow/otelcol-stageflow/sdk/breaker"
)

// The client would write every failed connection to standard error, once more than the collector's log says it.
func init() { logging.Disable() }

//go:embed exchange.lua
var script string

const (
	// page is how many breakers one call of the script takes and answers with: some milliseconds of Redis' time.
	page = 1000
	// keepFor is how long Redis remembers breakers without any change; more than a breaker may be open.
	keepFor = 48 * time.Hour
)

// Settings of a [Place].
type Settings struct {
	// Prefix of all keys in Redis.
	Prefix string
	// Window, Buckets and AllowedLateness are those of the breakers.
	Window          time.Duration
	Buckets         int
	AllowedLateness time.Duration
	// MaxKeys is how many breakers are kept.
	MaxKeys int
	// Source names the collector since its start.
	Source string
}

// Place is where breakers are shared, as one collector sees it. It is not safe for concurrent use.
type Place struct {
	client   redis.UniversalClient
	script   *redis.Script
	settings Settings
	keys     []string

	// batch is the number of the last call that told something, counted since the collector's start.
	batch int64
	// cursor is the last change in Redis that is known, id the store that it is of.
	cursor, id string
	// unsent is what was not confirmed. It may have arrived, so it is sent again as it was.
	unsent []call
	// pages is how many calls are made at least, so that what others changed is read at one go.
	pages int
}

// call is the arguments of one call of the script that tells something: its number, and breakers with their records.
type call struct {
	number int64
	news   []any
}

// New makes a Place. Collectors with other windows share nothing with these: their counts do not add up.
func New(client redis.UniversalClient, s Settings) *Place {
	p := &Place{
		client: client, script: redis.NewScript(script), settings: s,
		cursor: "0", pages: 1,
	}
	// The braces keep all keys in one slot of a Redis Cluster.
	prefix := fmt.Sprintf("{%s:%s/%d}:", s.Prefix, s.Window, s.Buckets)
	p.keys = []string{prefix + "state", prefix + "changes", prefix + "records", prefix + "session:" + s.Source}
	return p
}

// Exchange tells what is new in the registry, and gives it what changed elsewhere. After an error nothing is lost: it goes
// with the next.
func (p *Place) Exchange(ctx context.Context, registry *breaker.Registry, now time.Time) ([]breaker.Change, error) {
	if len(p.unsent) == 0 {
		if err := p.gather(registry.Delta()); err != nil {
			return nil, err
		}
	}
	replies, err := p.send(ctx, registry.LongestStreak(), now)
	if redis.HasErrorPrefix(err, "NOSCRIPT") { // a Redis that does not know the script yet, or no longer
		if err = p.script.Load(ctx, p.client).Err(); err == nil {
			replies, err = p.send(ctx, registry.LongestStreak(), now)
		}
	}
	if err != nil {
		return nil, err
	}
	p.unsent = nil
	sums, lost, err := p.read(replies)
	if lost { // and what was sent now was not taken
		registry.Retell()
	}
	return registry.Apply(sums, now), err
}

// gather makes calls of what is to be told.
func (p *Place) gather(deltas []breaker.Shared) error {
	for i := range deltas {
		if i%page == 0 {
			p.batch++
			p.unsent = append(p.unsent, call{number: p.batch})
		}
		text, err := encode(&deltas[i])
		if err != nil {
			return err
		}
		c := &p.unsent[len(p.unsent)-1]
		c.news = append(c.news, fieldOf(deltas[i].Key), text)
	}
	return nil
}

// send makes all calls in one pipeline.
func (p *Place) send(ctx context.Context, longestStreak int, now time.Time) ([][]string, error) {
	pipeline := p.client.Pipeline()
	var replies []*redis.Cmd
	width := p.settings.Window / time.Duration(p.settings.Buckets)
	oldest := now.Add(-p.settings.Window-p.settings.AllowedLateness).UnixNano()/int64(width) - 1
	cursor := p.cursor
	for i := range max(len(p.unsent), p.pages) {
		var c call
		if i < len(p.unsent) {
			c = p.unsent[i]
		}
		args := append([]any{
			c.number, cursor, page, oldest, longestStreak, p.settings.MaxKeys, int64(keepFor.Seconds()), uuid.NewString(), p.id,
		}, c.news...)
		replies = append(replies, p.script.EvalSha(ctx, pipeline, p.keys, args...))
		cursor = ""
	}
	_, err := pipeline.Exec(ctx)
	if err != nil {
		return nil, err
	}
	texts := make([][]string, len(replies))
	for i, r := range replies {
		if texts[i], err = r.StringSlice(); err == nil && len(texts[i]) < 2 {
			err = errors.New("not an answer of the script")
		}
		if err != nil {
			return nil, err
		}
	}
	return texts, nil
}

// read takes the answers: lost means that what was told before is gone. Records that cannot be read are left out.
func (p *Place) read(replies [][]string) (sums []breaker.Shared, lost bool, err error) {
	for _, reply := range replies {
		if id := reply[0]; id != p.id {
			lost = p.id != ""
			p.id, p.cursor = id, "0"
		}
		if lost {
			break
		}
		p.cursor = reply[1]
		for i := 2; i+1 < len(reply); i += 2 {
			key, ok := keyOf(reply[i])
			if !ok {
				err = fmt.Errorf("a breaker is named %s: not by a collector", strconv.Quote(reply[i]))
				continue
			}
			sum, bad := decode(key, reply[i+1])
			if bad != nil {
				err = fmt.Errorf("the record of %s cannot be read: %w", strconv.Quote(reply[i]), bad)
				continue
			}
			sums = append(sums, sum)
		}
	}
	// As many calls the next time as were full, and one more.
	p.pages = 1
	for _, reply := range replies {
		if len(reply) >= 2+2*page {
			p.pages++
		}
	}
	return sums, lost, err
}

// Close closes the connections.
func (p *Place) Close() error { return p.client.Close() }
