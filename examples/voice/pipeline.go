// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"

	stageflow "github.com/stageflow/otelcol-stageflow/sdk"
)

const (
	frame   = 20 * time.Millisecond  // of audio, as microphones and loudspeakers handle it
	spoken  = 100 * time.Millisecond // of audio for a word
	frames  = 30                     // that the user speaks
	answer  = "it is sunny in the morning and there will be some rain in the afternoon so take an umbrella with you"
	pending = 8 // words that may wait to be spoken
)

// result is what came of a conversation.
type result struct {
	runID, name string
	heard       stageflow.ChunkQueueStats
	words       stageflow.ChunkQueueStats
	speaker     stageflow.StreamingBufferStats
	silent      int // frames played without anything to play
}

func (r result) String() string {
	return fmt.Sprintf("%s %s: %d of %d frames dropped unheard, the model waited %d times, %d bytes of speech dropped, %d frames of silence",
		r.runID, r.name, r.heard.DroppedItems, r.heard.TotalItems, r.words.BlockedPuts, r.speaker.BytesDropped, r.silent)
}

// converse hears a question and speaks an answer.
func converse(ctx context.Context, l load) (result, error) {
	return stageflow.RunValue(ctx, "voice", func(ctx context.Context) (r result, err error) {
		r.runID, r.name = stageflow.RunID(ctx), l.name
		if err := stageflow.Stage(ctx, "hear", stageflow.KindTransform, func(ctx context.Context) error {
			r.heard, err = hear(ctx, l)
			return err
		}); err != nil {
			return r, err
		}
		return r, stageflow.Stage(ctx, "answer", stageflow.KindAgent, func(ctx context.Context) error {
			return speak(ctx, l, &r)
		})
	}, stageflow.WithTopology("hear-answer"), stageflow.WithExecutionMode("voice"), stageflow.WithAttributes(map[string]any{"load": l.name}))
}

// hear listens for as long as the user speaks. A microphone waits for nobody: what is not heard in time is dropped, the
// oldest first.
func hear(ctx context.Context, l load) (stageflow.ChunkQueueStats, error) {
	microphone := stageflow.NewChunkQueue[[]byte](ctx, "microphone", stageflow.WithQueueSize(10), stageflow.WithDropOnOverflow())
	go func() { // ends with the last frame, or with ctx
		defer microphone.Close()
		for range frames {
			if pause(ctx, frame) != nil || microphone.Put(ctx, make([]byte, 640)) != nil {
				return
			}
		}
	}()
	err := stageflow.Call(ctx, "stt", "deepgram", "nova-3", func(ctx context.Context) (used stageflow.Usage, err error) {
		for range microphone.All(ctx) {
			used.AudioSeconds += frame.Seconds()
			if err := pause(ctx, l.recognise); err != nil {
				return used, err
			}
		}
		return used, ctx.Err()
	})
	return microphone.Stats(), err
}

// speak lets a model answer and speaks its words as they come.
func speak(ctx context.Context, l load, r *result) error {
	words := stageflow.NewChunkQueue[string](ctx, "words", stageflow.WithQueueSize(pending))
	speaker := stageflow.NewStreamingBuffer(ctx, "speaker", stageflow.WithMaxDuration(5*spoken))

	thought := make(chan error, 1)
	go func() { // ends with the last word, or with ctx
		defer words.Close()
		thought <- think(ctx, l, words)
	}()
	playing, stop := context.WithCancel(ctx)
	played := make(chan struct{})
	go func() {
		defer close(played)
		r.silent = play(playing, speaker)
	}()
	err := synthesise(ctx, l, words, speaker)
	for err == nil && speaker.Len() > 0 { // the last words
		err = pause(ctx, frame)
	}
	stop()
	<-played
	r.words, r.speaker = words.Stats(), speaker.Stats()
	return errors.Join(err, <-thought)
}

// think is the model: faster than anybody can speak, but words that nobody takes make it wait.
func think(ctx context.Context, l load, words *stageflow.ChunkQueue[string]) error {
	return stageflow.Call(ctx, "chat", "groq", "llama-4", func(ctx context.Context) (used stageflow.Usage, err error) {
		used.InputTokens = frames
		for word := range strings.FieldsSeq(answer) {
			if err := errors.Join(pause(ctx, l.think), words.Put(ctx, word)); err != nil {
				return used, err
			}
			used.OutputTokens++
		}
		return used, nil
	})
}

// synthesise turns words into speech.
func synthesise(ctx context.Context, l load, words *stageflow.ChunkQueue[string], speaker *stageflow.StreamingBuffer) error {
	return stageflow.Call(ctx, "tts", "elevenlabs", "flash-v2", func(ctx context.Context) (used stageflow.Usage, err error) {
		voice := make([]byte, speaker.BytesFor(spoken))
		for word := range words.All(ctx) {
			if used.Characters += int64(len(word)); word == "rain" && l.hiccup > 0 {
				slog.WarnContext(ctx, "the voice hangs", "word", word)
				err = pause(ctx, l.hiccup)
			}
			if err = errors.Join(err, pause(ctx, l.synthesise)); err != nil {
				return used, err
			}
			if _, err = speaker.Write(voice); err != nil {
				return used, err
			}
		}
		return used, ctx.Err()
	})
}

// play takes a frame every 20 ms once there is enough to begin with; where there is none it plays silence.
func play(ctx context.Context, speaker *stageflow.StreamingBuffer) (silent int) {
	out := make([]byte, speaker.BytesFor(frame))
	for began := false; pause(ctx, frame) == nil; {
		if began = began || speaker.Ready(); !began {
			continue
		}
		if n, err := io.ReadFull(speaker, out); err != nil {
			clear(out[n:])
			silent++
		}
	}
	return silent
}

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
