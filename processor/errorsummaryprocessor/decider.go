// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package errorsummaryprocessor

import (
	"go.uber.org/zap"

	"github.com/stageflow/otelcol-stageflow/sdk/errorsummary"
)

// decider makes summaries as it is configured.
type decider struct {
	rules rules
	// overwrite and rulesOnly are the options overwrite and disable_builtin.
	overwrite, rulesOnly bool
	messages             errorsummary.Options
	// originals tells to mask the texts that summaries are made from, too.
	originals bool
}

func newDecider(cfg *Config, logger *zap.Logger) (decider, error) {
	r, err := newRules(cfg, logger)
	messages := errorsummary.Options{
		MessageLimit: cfg.MessageLimit,
		Redaction:    errorsummary.Redaction{Secrets: cfg.Redaction.Secrets, Emails: cfg.Redaction.Emails},
	}
	r.messages = messages
	return decider{
		rules: r, overwrite: cfg.Overwrite, rulesOnly: cfg.DisableBuiltin, messages: messages, originals: cfg.Redaction.Originals,
	}, err
}

// summary is that of the built-in rules, or what came with the error. Where f still has a code then, the user's rules are
// not asked.
func (d *decider) summary(f *facts, status string) errorsummary.Summary {
	if d.overwrite {
		f.forget()
	}
	s := f.summary(d.messages, status)
	if d.rulesOnly && f.code == "" {
		s = renamed(d.messages, &s, errorsummary.CodeUnknown, false, errorsummary.RuleNone)
	}
	return s
}

// renamed is a summary with another code.
func renamed(o errorsummary.Options, s *errorsummary.Summary, code string, retryable bool, rule string) errorsummary.Summary {
	out := o.Classify(errorsummary.Input{Type: s.Type, Message: s.Message, Code: code, Retryable: &retryable})
	out.Rule, out.Redacted = rule, s.Redacted
	return out
}
