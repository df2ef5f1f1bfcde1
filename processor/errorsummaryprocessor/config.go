// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package errorsummaryprocessor

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/confmap"

	"github.com/stageflow/otelcol-stageflow/internal/configkeys"
	"github.com/stageflow/otelcol-stageflow/sdk/errorsummary"
)

// Config is the configuration of the error summary processor. With nothing configured the built-in rules decide.
type Config struct {
	// Rules come before the built-in ones; the first that fits decides.
	Rules []RuleConfig `mapstructure:"rules"`
	// DisableBuiltin leaves only Rules: what none of them fits is UNKNOWN. False by default.
	DisableBuiltin bool `mapstructure:"disable_builtin"`
	// Overwrite decides anew where there is a code already. False by default: what is nearer to the error knows better.
	Overwrite bool `mapstructure:"overwrite"`
	// MessageLimit is how many code points of a message are kept, from 1 to 10,000; 500 by default, as the Python library
	// keeps.
	MessageLimit int `mapstructure:"message_limit"`
	// Redaction says what is masked.
	Redaction RedactionConfig `mapstructure:"redaction"`
	// Signals are those that are given summaries; others pass as they are. Both by default.
	Signals []Signal `mapstructure:"signals"`

	// prevent unkeyed literal initialization
	_ struct{}
}

// RuleConfig is a rule of the user's own.
type RuleConfig struct {
	// Name is what stageflow.error.rule shows; by default where the rule stands, such as rules[0].
	Name string `mapstructure:"name"`
	// Condition is an OTTL condition with paths of span, log, resource and scope. It sees the summary that the built-in
	// rules would give, as attributes stageflow.error.*. A rule with a path of span is not asked about log records, and the
	// other way round.
	Condition string `mapstructure:"condition"`
	// Code is what a failure gets that the rule fits: letters A to Z, digits and underscores.
	Code string `mapstructure:"code"`
	// Retryable says whether trying again may help; by default as the built-in rules say of the code, false for other codes.
	Retryable *bool `mapstructure:"retryable"`

	// prevent unkeyed literal initialization
	_ struct{}
}

// RedactionConfig says what is masked in messages: stageflow.error.message and stageflow.error.summary.
type RedactionConfig struct {
	// Secrets masks keys, tokens, passwords, cookies and private keys. True by default.
	Secrets bool `mapstructure:"secrets"`
	// Emails masks e-mail addresses. True by default.
	Emails bool `mapstructure:"emails"`
	// Originals masks the same in the texts that the summary was made from, too: exception.message and
	// exception.stacktrace of attributes and events, error.message, the span's status, the log record's body if it is text.
	// False by default.
	Originals bool `mapstructure:"originals"`

	// prevent unkeyed literal initialization
	_ struct{}
}

// Signal is a kind of telemetry.
type Signal string

// The signals that the processor knows.
const (
	SignalTraces Signal = "traces"
	SignalLogs   Signal = "logs"
)

var signals = []Signal{SignalTraces, SignalLogs}

var _ component.Config = (*Config)(nil)

// maxMessageLimit bounds message_limit: a summary is no place for whole documents.
const maxMessageLimit = 10_000

func createDefaultConfig() component.Config {
	return &Config{
		MessageLimit: errorsummary.MaxMessage,
		Redaction:    RedactionConfig{Secrets: true, Emails: true},
		Signals:      slices.Clone(signals),
	}
}

var codeForm = regexp.MustCompile(`^[A-Z][A-Z0-9_]{0,63}$`)

// Unmarshal tells all keys that there are not, with those that there are.
func (c *Config) Unmarshal(conf *confmap.Conf) error { return configkeys.Unmarshal(conf, c) }

// Validate reports everything that is wrong with the configuration at once.
func (c *Config) Validate() error {
	var errs []error
	for i, r := range c.Rules {
		if err := r.validate(); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", r.position(i), err))
		}
	}
	if c.MessageLimit < 1 || c.MessageLimit > maxMessageLimit {
		errs = append(errs, fmt.Errorf("message_limit: %d must be from 1 to %d", c.MessageLimit, maxMessageLimit))
	}
	if c.Redaction.Originals && !c.Redaction.Secrets && !c.Redaction.Emails {
		errs = append(errs, errors.New("redaction.originals: masks nothing without redaction.secrets or redaction.emails"))
	}
	if len(c.Signals) == 0 {
		errs = append(errs, errors.New("signals: must name one at least of: traces, logs"))
	}
	for i, s := range c.Signals {
		if !slices.Contains(signals, s) {
			errs = append(errs, fmt.Errorf("signals[%d]: %q is none of: traces, logs", i, s))
		}
	}
	return errors.Join(errs...)
}

func (r *RuleConfig) validate() error {
	var errs []error
	if !codeForm.MatchString(r.Code) {
		errs = append(errs, fmt.Errorf("code: %q must be letters A to Z, digits and underscores, such as QUOTA_EXCEEDED", r.Code))
	}
	if strings.TrimSpace(r.Condition) == "" {
		errs = append(errs, errors.New(`condition: must be an OTTL condition, such as span.attributes["http.response.status_code"] == 418`))
	} else if _, err := parse(r.Condition); err != nil {
		errs = append(errs, fmt.Errorf("condition: %w", err))
	}
	return errors.Join(errs...)
}

// position names a rule for people: where it stands and, if it has one, its name.
func (r *RuleConfig) position(i int) string {
	if r.Name == "" {
		return fmt.Sprintf("rules[%d]", i)
	}
	return fmt.Sprintf("rules[%d] %q", i, r.Name)
}

// shown is the rule's name in stageflow.error.rule.
func (r *RuleConfig) shown(i int) string {
	if r.Name == "" {
		return fmt.Sprintf("rules[%d]", i)
	}
	return r.Name
}
