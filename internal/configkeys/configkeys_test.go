// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package configkeys

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/config/confignet"
	"go.opentelemetry.io/collector/config/configoptional"
	"go.opentelemetry.io/collector/confmap"
)

type config struct {
	confignet.AddrConfig `mapstructure:",squash"`
	Runs                 runs                          `mapstructure:"runs"`
	Server               configoptional.Optional[runs] `mapstructure:"server"`
	Rules                []rule                        `mapstructure:"rules"`
	Labels               map[string]string             `mapstructure:"labels"`
}

type runs struct {
	Settle time.Duration `mapstructure:"settle"`
	Max    *int          `mapstructure:"max"`
}

type rule struct {
	If   string         `mapstructure:"if"`
	Rest map[string]any `mapstructure:",remain"`
}

func (c *config) Unmarshal(conf *confmap.Conf) error { return Unmarshal(conf, c) }

func TestEveryUnknownKeyIsToldWithTheKnownOnes(t *testing.T) {
	err := confmap.NewFromStringMap(map[string]any{
		"endpont": "localhost:1",
		"runs":    map[string]any{"setle": "1s", "max": "many"},
		"server":  map[string]any{"mx": 1},
		"rules":   []any{map[string]any{"iff": 1}},
		"labels":  map[string]any{"any": "thing"},
	}).Unmarshal(&config{})
	require.Error(t, err)
	for _, want := range []string{
		"endpont is no key: want dialer, endpoint, labels, rules, runs, server, transport\n",
		"runs::setle is no key: want max, settle\n",
		"server::mx is no key: want max, settle\n",
		"'runs.max' expected type 'int'",
	} {
		assert.ErrorContains(t, err, want)
	}
	for _, fine := range []string{"iff", "labels::any"} {
		assert.NotContains(t, err.Error(), fine+" is no key")
	}
}

func TestWhatIsRightIsTaken(t *testing.T) {
	cfg := &config{Server: configoptional.Default(runs{Settle: time.Minute})}
	require.NoError(t, confmap.NewFromStringMap(map[string]any{
		"endpoint": "localhost:1", "runs": map[string]any{"settle": "2s"}, "server": nil, "rules": []any{map[string]any{"if": "x", "more": 1}},
	}).Unmarshal(cfg))
	assert.Equal(t, "localhost:1", cfg.Endpoint)
	assert.Equal(t, 2*time.Second, cfg.Runs.Settle)
	assert.Equal(t, time.Minute, cfg.Server.Get().Settle)
	assert.Equal(t, "x", cfg.Rules[0].If)
}
