// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package stageflow_test

import (
	"context"
	"fmt"
	"io"
	"time"

	stageflow "github.com/stageflow/otelcol-stageflow/sdk"
)

func ExampleChunkQueue() {
	_ = stageflow.Run(context.Background(), "voice", func(ctx context.Context) error {
		queue := stageflow.NewChunkQueue[string](ctx, "llm to tts", stageflow.WithQueueSize(5), stageflow.WithDropOnOverflow())
		for i := range 6 {
			if err := queue.Put(ctx, fmt.Sprint("chunk ", i)); err != nil {
				return err
			}
		}
		queue.Close()
		for chunk := range queue.All(ctx) {
			fmt.Println(chunk)
		}
		return ctx.Err()
	}, stageflow.WithClient(printing()))
	// Output:
	// pipeline.started
	// stream.throttle_started
	// stream.chunk_dropped
	// stream.throttle_ended
	// stream.queue_closed
	// chunk 1
	// chunk 2
	// chunk 3
	// chunk 4
	// chunk 5
	// pipeline.completed
}

func ExampleChunkQueue_blocked() {
	_ = stageflow.Run(context.Background(), "voice", func(ctx context.Context) error {
		queue := stageflow.NewChunkQueue[string](ctx, "llm to tts", stageflow.WithQueueSize(5))
		defer queue.Close()
		for i := range 5 {
			if err := queue.Put(ctx, fmt.Sprint("chunk ", i)); err != nil {
				return err
			}
		}
		impatient, stop := context.WithTimeout(ctx, 5*time.Millisecond)
		defer stop()
		fmt.Println(queue.Put(impatient, "one too many"))
		return nil
	}, stageflow.WithClient(printing()))
	// Output:
	// pipeline.started
	// stream.throttle_started
	// stream.producer_blocked
	// context deadline exceeded
	// stream.throttle_ended
	// stream.queue_closed
	// pipeline.completed
}

func ExampleStreamingBuffer() {
	_ = stageflow.Run(context.Background(), "voice", func(ctx context.Context) error {
		buffer := stageflow.NewStreamingBuffer(ctx, "speaker", stageflow.WithMaxDuration(100*time.Millisecond))
		fromNetwork := make([]byte, buffer.BytesFor(40*time.Millisecond))
		for range 3 {
			_, _ = buffer.Write(fromNetwork)
		}
		toSpeaker := make([]byte, buffer.BytesFor(30*time.Millisecond))
		for range 4 {
			n, err := io.ReadFull(buffer, toSpeaker)
			if err != nil {
				clear(toSpeaker[n:]) // silence
			}
			fmt.Println(n, "bytes of", len(toSpeaker))
		}
		_, _ = buffer.Write(fromNetwork)
		_, _ = io.ReadFull(buffer, toSpeaker)
		return nil
	}, stageflow.WithClient(printing()))
	// Output:
	// pipeline.started
	// stream.buffer_overflow
	// 960 bytes of 960
	// 960 bytes of 960
	// stream.buffer_underrun
	// 320 bytes of 960
	// 0 bytes of 960
	// stream.buffer_recovered
	// pipeline.completed
}
