// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package errorsummaryprocessor

import (
	"go.opentelemetry.io/collector/pdata/pcommon"
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
	return decider{
		rules: r, overwrite: cfg.Overwrite, rulesOnly: cfg.DisableBuiltin, originals: cfg.Redaction.Originals,
		messages: errorsummary.Options{
			MessageLimit: cfg.MessageLimit,
			Redaction:    errorsummary.Redaction{Secrets: cfg.Redaction.Secrets, Emails: cfg.Redaction.Emails},
		},
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
		s = d.renamed(&s, errorsummary.CodeUnknown, false, errorsummary.RuleNone)
	}
	return s
}

// byRules gives a failure the code of the user's rule that fits, if any. fit is asked with the built-in summary in the
// attributes.
func (d *decider) byRules(attrs pcommon.Map, s *errorsummary.Summary, fit func() *rule) {
	if len(d.rules.all) == 0 {
		return
	}
	write(attrs, s, "")
	if one := fit(); one != nil {
		*s = d.renamed(s, one.code, one.retryable, one.name)
	}
}

// renamed is a summary with another code.
func (d *decider) renamed(s *errorsummary.Summary, code string, retryable bool, rule string) errorsummary.Summary {
	out := d.messages.Classify(errorsummary.Input{Type: s.Type, Message: s.Message, Code: code, Retryable: &retryable})
	out.Rule, out.Redacted = rule, s.Redacted
	return out
}
