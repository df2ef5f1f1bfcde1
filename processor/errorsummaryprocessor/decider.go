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
}

func newDecider(cfg *Config, logger *zap.Logger) (decider, error) {
	r, err := newRules(cfg, logger)
	return decider{rules: r, overwrite: cfg.Overwrite, rulesOnly: cfg.DisableBuiltin}, err
}

// summary is that of the built-in rules, or what came with the error. Where f still has a code then, the user's rules are
// not asked.
func (d *decider) summary(f *facts, status string) errorsummary.Summary {
	if d.overwrite {
		f.forget()
	}
	s := f.summary(status)
	if d.rulesOnly && f.code == "" {
		s = errorsummary.Classify(errorsummary.Input{Type: s.Type, Message: s.Message, Code: errorsummary.CodeUnknown})
		s.Rule = errorsummary.RuleNone
	}
	return s
}
