// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package sharedredis

import (
	"context"
	"errors"

	"github.com/redis/go-redis/v9"
)

// dropper loses the answers of Redis while told to: the commands have been carried out.
type dropper struct{ answers bool }

func (d *dropper) DialHook(next redis.DialHook) redis.DialHook          { return next }
func (d *dropper) ProcessHook(next redis.ProcessHook) redis.ProcessHook { return next }

func (d *dropper) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, commands []redis.Cmder) error {
		err := next(ctx, commands)
		if d.answers {
			return errors.New("the answer was lost")
		}
		return err
	}
}
