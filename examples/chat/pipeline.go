// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"time"

	stageflow "github.com/stageflow/otelcol-stageflow/sdk"
)

// chat is the pipeline. Errors pass through Stage and Run as they are.
func chat(ctx context.Context, p *providers, s scenario) error {
	err := stageflow.Stage(ctx, "guard", stageflow.KindGuard, func(context.Context) error {
		if strings.Contains(s.prompt, "pick a lock") {
			return stageflow.Cancel("blocked by policy: burglary") // stops the run, and is no failure
		}
		return nil
	})
	if err != nil {
		return err
	}
	heard, err := stageflow.StageValue(ctx, "stt", stageflow.KindTransform, func(ctx context.Context) (string, error) {
		return p.call(ctx, "stt", s.stt, "nova-3", s.prompt)
	})
	if err != nil {
		return err
	}
	answer, err := stageflow.StageValue(ctx, "llm", stageflow.KindAgent, func(ctx context.Context) (string, error) {
		return p.callWithRetries(ctx, "chat", s.chat, "gpt-4o-mini", heard)
	})
	if err != nil {
		return err
	}
	voice, err := stageflow.StageValue(ctx, "tts", stageflow.KindTransform, func(ctx context.Context) (string, error) {
		return p.call(ctx, "tts", "elevenlabs", "flash-v2", answer)
	})
	if err != nil {
		return err
	}
	return stageflow.Stage(ctx, "persist", stageflow.KindWork, func(ctx context.Context) error {
		time.Sleep(time.Millisecond) // a database would do something with voice
		if s.summarise {
			return summarise(ctx, p, answer+voice)
		}
		return nil
	})
}

// summarise is a pipeline of its own. Run inside of a stage it is a child run: linked to that stage, in its trace.
func summarise(ctx context.Context, p *providers, text string) error {
	var id string
	err := stageflow.Run(ctx, "summarise", func(ctx context.Context) error {
		id = stageflow.RunID(ctx)
		return stageflow.Stage(ctx, "summary", stageflow.KindAgent, func(ctx context.Context) error {
			_, err := p.call(ctx, "chat", "anthropic", "claude-haiku", text)
			return err
		})
	})
	report(id, "child", err)
	return err
}

// callWithRetries makes up to five calls as long as trying again may help. Each is a call of its own to the collector,
// and to the circuit breaker.
func (p *providers) callWithRetries(ctx context.Context, operation, provider, model, input string) (output string, err error) {
	const tries = 5
	for i := range tries {
		output, err = p.call(ctx, operation, provider, model, input)
		if err == nil || !stageflow.SummarizePipelineError(err).Retryable {
			return output, err
		}
		slog.WarnContext(ctx, "trying again", "provider", provider, "error", err)
		select {
		case <-time.After(time.Duration(i+1) * 5 * time.Millisecond):
		case <-ctx.Done():
			return "", ctx.Err()
		}
	}
	return "", fmt.Errorf("%d tries: %w", tries, err)
}
