// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/stageflow/otelcol-stageflow/internal/runlog/reader"
)

// The exit codes.
const (
	exitOK    = 0
	exitError = 1
	exitUsage = 2
)

const (
	logVariable = "STAGEFLOW_RUNLOG"
	defaultLog  = "./data/runlog.db"
)

// cli is the program apart from the process that it runs in.
type cli struct {
	out, errors io.Writer
	getenv      func(string) string
	now         func() time.Time
	zone        *time.Location
	// width is the terminal's; 0 without one, when nothing needs to be cut.
	width    int
	terminal bool
	ticker   func(time.Duration) (<-chan time.Time, func())

	// What the flags say.
	target string
	json   bool
	log    *reader.Reader
	theme  theme
}

// usageError is a mistake in how the program was called.
type usageError struct{ error }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// command is one of the program's verbs.
type command struct {
	name string
	// set adds the command's flags and returns what it does with its operands.
	set  func(*cli, *flag.FlagSet) action
	help string
}

type action func(ctx context.Context, operands []string) error

var commands = []command{
	{"list", (*cli).list, listHelp},
	{"show", (*cli).show, showHelp},
	{"tail", (*cli).tail, tailHelp},
	{"export", (*cli).export, exportHelp},
	{"failures", (*cli).failures, failuresHelp},
	{"providers", (*cli).providers, providersHelp},
}

// run is the program; it returns the exit code.
func (c *cli) run(ctx context.Context, args []string) int {
	err := c.dispatch(ctx, args)
	var usage usageError
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &usage):
		c.complain(err)
		return exitUsage
	case ctx.Err() != nil:
		err = errors.New("interrupted")
	}
	c.complain(err)
	return exitError
}

// complain is one line, whatever the error holds.
func (c *cli) complain(err error) {
	_, _ = fmt.Fprintln(c.errors, "runlog:", clean(err.Error()))
}

func (c *cli) dispatch(ctx context.Context, args []string) error {
	c.target = c.getenv(logVariable)
	if c.target == "" {
		c.target = defaultLog
	}
	if n, err := strconv.Atoi(c.getenv("COLUMNS")); err == nil && n > 0 {
		c.width = n
	}
	if c.terminal && c.width == 0 {
		c.width = 80 // some terminals do not tell
	}
	c.theme = theme(c.terminal && c.getenv("NO_COLOR") == "" && c.getenv("TERM") != "dumb")

	global := c.flags("runlog")
	if err := global.Parse(args); err != nil {
		return c.helpOr(err, helpText)
	}
	args = global.Args()
	if len(args) == 0 {
		return usagef("say what to do: list, show, tail, export, failures or providers; `runlog help` explains them")
	}
	name, args := args[0], args[1:]
	if name == "help" {
		if len(args) == 0 {
			return c.print(helpText)
		}
		name, args = args[0], []string{"-h"}
	}
	for _, cmd := range commands {
		if cmd.name != name {
			continue
		}
		fs := c.flags(name)
		do := cmd.set(c, fs)
		operands, err := parse(fs, args)
		if err != nil {
			return c.helpOr(err, cmd.help+commonHelp)
		}
		return do(ctx, operands)
	}
	return usagef("there is no command %q: `runlog help` lists them", name)
}

// flags is a set with what every command takes.
func (c *cli) flags(name string) *flag.FlagSet {
	fs := flag.NewFlagSet(name, flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	fs.StringVar(&c.target, "log", c.target, "")
	fs.BoolVar(&c.json, "json", c.json, "")
	return fs
}

// parse takes flags before and after the operands.
func parse(fs *flag.FlagSet, args []string) (operands []string, err error) {
	for {
		if err := fs.Parse(args); err != nil {
			return nil, err
		}
		rest := fs.Args()
		if len(rest) == 0 {
			return operands, nil
		}
		if n := len(args) - len(rest); n > 0 && args[n-1] == "--" {
			return append(operands, rest...), nil
		}
		operands, args = append(operands, rest[0]), rest[1:]
	}
}

func (c *cli) helpOr(err error, help string) error {
	if errors.Is(err, flag.ErrHelp) {
		return c.print(help)
	}
	return usageError{err}
}

func (c *cli) print(text string) error {
	_, err := io.WriteString(c.out, text)
	return err
}

// withLog opens the log for as long as an action takes.
func (c *cli) withLog(ctx context.Context, do func() error) (err error) {
	if c.log, err = reader.Open(ctx, c.target); err != nil {
		return fmt.Errorf("%w (name the log with --log or %s)", err, logVariable)
	}
	defer func() { err = errors.Join(err, c.log.Close()) }()
	return do()
}

// noOperands is for commands that take flags only.
func noOperands(name string, operands []string) error {
	if len(operands) > 0 {
		return usagef("%s takes no %q: `runlog help %[1]s` explains it", name, strings.Join(operands, " "))
	}
	return nil
}
